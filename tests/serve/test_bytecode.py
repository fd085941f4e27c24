import os
import subprocess
import sys

import pytest

from evalkit.serve import Serving, bytecode_kept
from evalkit.serve.launch import numerics, variables
from support.processors import AVX2, interpreter

COMPILED = f"__init__.{sys.implementation.cache_tag}.pyc"
NEVER, ELSEWHERE = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(NEVER, "1")
    monkeypatch.delenv(ELSEWHERE, raising=False)


@pytest.fixture
def python(tmp_path):
    return interpreter(tmp_path, AVX2)


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    """Its environment cannot be written; root may write everywhere, so the system's answer is played."""
    site, access = str(tmp_path / "site"), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != site and access(path, mode))


def compiled(folder):
    return sorted(path.name for path in folder.rglob("*.pyc"))


def start(python):
    """What importing torch with the variables of a server leaves."""
    env = {**os.environ, **variables(Serving(python=python))}
    subprocess.run([python, "-c", "import torch"], env=env, check=True)


def test_a_users_wish_for_no_bytecode_does_not_reach_the_server(python, tmp_path):
    start(python)
    assert compiled(tmp_path / "site") == [COMPILED]
    assert bytecode_kept(python) == {NEVER: ""}


def test_nothing_is_set_where_bytecode_is_kept_anyway(python, monkeypatch):
    monkeypatch.delenv(NEVER)
    assert bytecode_kept(python) == {}


@pytest.mark.usefixtures("sealed")
def test_what_a_sealed_environment_cannot_hold_goes_to_evalkits_cache(python, tmp_path):
    start(python)
    assert compiled(tmp_path / "site") == []
    assert COMPILED in compiled(tmp_path / "cache/evalkit/bytecode")


@pytest.mark.usefixtures("sealed")
def test_a_sealed_environment_that_was_compiled_before_is_read_as_it_is(python, tmp_path):
    for name in ("torch", "vllm"):
        package = tmp_path / "site" / name
        (package / "__pycache__").mkdir(parents=True)
        (package / "__init__.py").touch()
        assert ELSEWHERE in bytecode_kept(python)
        (package / "__pycache__" / COMPILED).touch()
    assert bytecode_kept(python) == {NEVER: ""}


@pytest.mark.usefixtures("sealed")
def test_a_place_that_the_user_has_named_stays(python, tmp_path, monkeypatch):
    monkeypatch.setenv(ELSEWHERE, str(tmp_path / "mine"))
    start(python)
    assert COMPILED in compiled(tmp_path / "mine")
    assert not (tmp_path / "cache").exists()


def test_variables_that_the_user_gives_the_server_win(python):
    assert variables(Serving(python=python, env={NEVER: "1"}))[NEVER] == "1"


def test_where_bytecode_lies_is_no_part_of_an_identity(python):
    plain = Serving(python=python, device="cpu")
    chosen = Serving(python=python, device="cpu", env={NEVER: "1", ELSEWHERE: "/tmp/x"})
    assert numerics(plain) == numerics(chosen)


def test_an_interpreter_that_does_not_run_keeps_nothing():
    assert bytecode_kept("/no/such/python") == {}
