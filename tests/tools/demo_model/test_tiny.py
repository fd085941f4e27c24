from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from safetensors import safe_open

from demo_model import tiny
from support import wants

ROOT = Path(__file__).resolve().parents[3]


def digests(folder) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def weights(folder) -> dict:
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    wants.imported("torch")
    folder = tmp_path_factory.mktemp("pair")
    both = folder / "random-bf16", folder / "random-int8"
    tiny.make(both[0], seed=1, int8=both[1])
    return both


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


def test_the_same_seed_gives_the_same_bytes_in_another_process(made, tmp_path):
    again = tmp_path / "again", tmp_path / "again-int8"
    words = [sys.executable, "-m", "demo_model.tiny", again[0], "--seed", "1", "--int8", again[1]]
    subprocess.run(words, cwd=ROOT / "tools", env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
    assert [digests(folder) for folder in again] == [digests(folder) for folder in made]
