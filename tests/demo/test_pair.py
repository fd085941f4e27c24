from __future__ import annotations

import json

import pytest

from evalkit.base.errors import InfrastructureError
from evalkit.demo import pair


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


def test_the_pair_of_this_package_is_whole_and_small():
    shipped = pair.trained()
    assert [folder.parent for folder in shipped] == [pair.MODELS] * 2
    files = [file for folder in shipped for file in folder.rglob("*") if file.is_file()]
    assert max(file.stat().st_size for file in files) <= 16 * 2**20
    assert sum(file.stat().st_size for file in files) <= 40 * 2**20
    listed = {line.partition("  ")[2] for line in (pair.MODELS / pair.SUMS).read_text().splitlines()}
    assert listed == {str(file.relative_to(pair.MODELS)) for file in files}


def test_the_shipped_candidate_is_the_baseline_with_its_language_model_in_8_bits():
    baseline, quantized = (json.loads((folder / "config.json").read_text()) for folder in pair.trained())
    assert baseline["architectures"] == quantized["architectures"] == ["LlavaForConditionalGeneration"]
    assert "quantization_config" not in baseline
    (group,) = quantized["quantization_config"]["config_groups"].values()
    assert (group["weights"]["num_bits"], group["input_activations"]["num_bits"]) == (8, 8)
    shown = checkpoint_of(pair.trained()[1])
    assert shown["language"] == {"I8"}
    assert shown["rest"] == {"BF16"}


def checkpoint_of(folder) -> dict[str, set[str]]:
    """Types of the matrices in the language model's layers, and of all other weights."""
    found: dict[str, set[str]] = {"language": set(), "rest": set()}
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    for name, entry in header.items():
        if name.endswith((".weight", ".bias")):
            layers = "language_model" in name and name.endswith("proj.weight")
            found["language" if layers else "rest"].add(entry["dtype"])
    return found


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
