import json

import pytest

from evalkit.base.errors import UsageError
from evalkit.serve import processor
from support.processors import AMX, AVX2, AVX512, AVX512_BF16, NAMES, interpreter


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "evalkit" / "processors"


@pytest.mark.parametrize(
    ("able", "kind", "dtype"),
    [
        (AMX, "x86-64 with AMX", "bfloat16"),
        (AVX512_BF16, "x86-64 with AVX-512 and bfloat16", "bfloat16"),
        (AVX512, "x86-64 with AVX-512", "float32"),
        (AVX2, "x86-64 with AVX2", "float32"),
    ],
)
def test_the_processor_is_told_by_torchs_own_checks(tmp_path, able, kind, dtype):
    found = processor(interpreter(tmp_path, able))
    assert (found.kind, found.dtype) == (kind, dtype)
    assert found.reason
    assert found.dtype in found.int8_dtypes


def test_the_int8_kernel_of_amx_refuses_float32_and_no_other_does(tmp_path):
    for number, able in enumerate((AMX, AVX512_BF16, AVX512, AVX2)):
        folder = tmp_path / str(number)
        assert ("float32" in processor(interpreter(folder, able)).int8_dtypes) == (able != AMX)


def test_on_another_architecture_the_checks_say_no_and_float32_is_served(tmp_path):
    found = processor(interpreter(tmp_path, (), machine="aarch64"))
    assert (found.kind, found.dtype) == ("aarch64", "float32")


@pytest.mark.parametrize("torch", ["raise ImportError('libgomp.so.1')", "print('[]')\nraise SystemExit"])
def test_where_torch_does_not_tell_every_kernel_takes_what_is_served(tmp_path, cache, torch):
    found = processor(interpreter(tmp_path, (), torch=torch))
    assert found.kind.endswith(", unknown")
    assert found.dtype == "bfloat16"
    assert not cache.exists()  # asked again next time


def test_an_older_torch_that_lacks_a_check_is_asked_the_others(tmp_path):
    assert processor(interpreter(tmp_path, AVX512_BF16, known=NAMES[1:])).kind == "x86-64 with AVX-512 and bfloat16"


def test_torch_is_imported_once_for_an_interpreter_with_these_packages(tmp_path, cache):
    python = interpreter(tmp_path, AMX)
    for _ in range(2):
        processor.cache_clear()
        assert processor(python).kind == "x86-64 with AMX"
    assert (tmp_path / "asked").read_text() == "x"
    (file,) = cache.iterdir()
    for damage in ("", "{", "[1]", json.dumps({"a": 1})):
        file.write_text(damage)
        processor.cache_clear()
        assert processor(python).kind == "x86-64 with AMX"
    assert (tmp_path / "asked").read_text() == "x" * 5


def test_what_is_no_python_is_refused():
    with pytest.raises(UsageError, match="/no/such/python"):
        processor("/no/such/python")


def test_an_x86_processor_whose_checks_are_all_gone_is_unknown_and_served_in_what_every_kernel_takes(tmp_path):
    found = processor(interpreter(tmp_path, AMX, known=()))
    assert (found.kind, found.dtype) == ("x86_64, unknown", "bfloat16")
