from __future__ import annotations

import pytest

from evalkit.demo import pair
from evalkit.errors import InfrastructureError


@pytest.fixture
def models(tmp_path):
    lines = []
    for name in (pair.BASELINE, pair.QUANTIZED):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "config.json"
        file.write_text(f'{{"name": "{name}"}}')
        lines.append(f"{pair.digest(file)}  {name}/config.json\n")
    (tmp_path / pair.SUMS).write_text("".join(lines))
    return tmp_path


def test_a_whole_pair_is_two_folders(models):
    assert pair.trained(models) == (models / "baseline", models / "w8a8")


def test_a_digest_is_what_sha256sum_writes(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert pair.digest(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ["baseline/config.json", "w8a8/config.json"])
def test_a_changed_or_missing_file_is_named(models, name):
    file = models / name
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(InfrastructureError, match=f"{name} is missing or damaged"):
        pair.trained(models)
    file.unlink()
    with pytest.raises(InfrastructureError, match=f"{name} is missing or damaged"):
        pair.trained(models)


def test_an_installation_without_the_pair_says_so(tmp_path):
    with pytest.raises(InfrastructureError, match="not in this installation") as caught:
        pair.trained(tmp_path)
    assert caught.value.fix
