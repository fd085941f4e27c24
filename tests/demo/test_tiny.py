from __future__ import annotations

import json
from hashlib import sha256

import pytest
from safetensors import safe_open

from evalkit.base.errors import InfrastructureError
from evalkit.demo import pair, tiny
from support import wants


def digests(folder) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def weights(folder) -> dict:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    wants.imported("torch")
    return pair.made(tmp_path_factory.mktemp("pair"))


def test_the_pair_is_a_whole_checkpoint_each(made):
    for folder in made:
        assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= set(digests(folder))
        config = json.loads((folder / "config.json").read_text())
        assert config["architectures"] == ["LlavaForConditionalGeneration"]
        words = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
        assert [word["content"] for word in words if word["id"] == config["image_token_index"]] == ["[IMG]"]
        assert "learned nothing" in (folder / "README.md").read_text()
        assert (folder / "model.safetensors").stat().st_size < 20e6


def test_the_candidate_differs_in_the_language_models_matrices_alone(made):
    baseline, candidate = map(weights, made)
    assert baseline.keys() == candidate.keys()
    differing = {name for name in baseline if not baseline[name].equal(candidate[name])}
    assert differing
    language = {name for name in baseline if "language_model" in name and ".layers." in name}
    assert differing == {name for name in language if name.endswith("proj.weight")}
    for name in differing:
        assert (baseline[name] - candidate[name]).abs().max() < 0.02 * baseline[name].abs().max()


def test_what_is_there_is_not_made_again(made):
    before = [path.stat().st_mtime_ns for path in made]
    assert pair.made(made[0].parent, python="/no/such/python") == made
    assert [path.stat().st_mtime_ns for path in made] == before
    assert sorted(path.name for path in made[0].parent.iterdir()) == ["random-bf16", "random-int8"]


def test_the_same_seed_gives_the_same_bytes_in_another_process(made, tmp_path):
    again = tmp_path / "again", tmp_path / "again-int8"
    tiny.make(again[0], seed=pair.SEED, int8=again[1])
    assert [digests(folder) for folder in again] == [digests(folder) for folder in made]


@pytest.mark.parametrize("python", ["/no/such/python", "false"])
def test_an_interpreter_that_cannot_make_them_is_told(tmp_path, python):
    with pytest.raises(InfrastructureError, match="the random pair could not be made"):
        pair.made(tmp_path, python=python)
    assert list(tmp_path.iterdir()) == []
