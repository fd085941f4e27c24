from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from evalkit.base.errors import InfrastructureError
from evalkit.demo import pair, rounded
from evalkit.serve.environment.files import folder_digest
from support import expected_scores

BASELINE = pair.MODELS / pair.BASELINE


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return rounded.made(BASELINE, tmp_path_factory.mktemp("made") / rounded.NAME)


def tensors(folder):
    """Every tensor of a checkpoint in bfloat16: name to its numbers."""
    data = (folder / rounded.WEIGHTS).read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, entry in json.loads(data[8:begin]).items():
        if name != "__metadata__":
            assert entry["dtype"] == "BF16"
            start, end = (begin + at for at in entry["data_offsets"])
            bits = np.frombuffer(data[start:end], "<u2").astype("<u4") << 16
            found[name] = bits.view("<f4").reshape(entry["shape"])
    return found


def test_each_number_of_a_layer_is_the_nearest_of_four_bits(model):
    before, after = tensors(BASELINE), tensors(model)
    assert list(before) == list(after)
    layers = [name for name, one in before.items() if one.ndim == 2 and "embed_tokens" not in name]
    layers.remove("language_model.lm_head.weight")
    assert len(layers) == 8 * 7 + 5 * 7 + 2
    for name, numbers in before.items():
        if name not in layers:
            assert np.array_equal(numbers, after[name]), name
            continue
        # Seven steps of either sign hold the largest number, and of half the size they would not.
        largest = np.abs(numbers).max()
        step = next(size for size in 2.0 ** np.arange(-20, 20) if 7 * size >= largest)
        steps = after[name] / step
        assert np.array_equal(steps, np.rint(steps)), name
        assert np.abs(steps).max() <= 7, name
        assert np.abs(numbers - after[name]).max() <= step / 2, name


def test_beside_the_weights_it_says_what_the_baseline_says_of_itself(model):
    said = {file.name for file in model.iterdir()}
    assert said == {file.name for file in BASELINE.iterdir()} - {"README.md", "training.jsonl"}
    for name in said - {rounded.WEIGHTS}:
        assert (model / name).read_bytes() == (BASELINE / name).read_bytes()
    assert (model / rounded.WEIGHTS).stat().st_size == (BASELINE / rounded.WEIGHTS).stat().st_size


def test_it_is_made_once_and_again_where_it_is_damaged(model, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(model, folder)
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert rounded.made(BASELINE, folder) == folder
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == before
    for name in (rounded.WEIGHTS, "config.json"):
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    rounded.made(BASELINE, folder)
    for file in before:
        assert file.read_bytes() == (model / file.name).read_bytes()


def test_a_model_that_came_out_otherwise_is_not_shown(tmp_path):
    other = shutil.copytree(BASELINE, tmp_path / "other")
    data = bytearray((other / rounded.WEIGHTS).read_bytes())
    data[-1] ^= 1
    (other / rounded.WEIGHTS).write_bytes(data)
    with pytest.raises(InfrastructureError, match="comes out otherwise") as caught:
        rounded.made(other, tmp_path / "made")
    assert "--candidate w8a8" in caught.value.fix


def test_the_committed_scores_are_of_this_model_and_show_what_it_lost(model):
    table = json.loads(expected_scores.TABLE.read_text(encoding="utf-8"))
    baseline, eight, four = "demo-8m", "demo-8m.w8a8", f"demo-8m.{rounded.NAME}"
    assert table["models"][four]["digest"] == folder_digest(model)
    vision = [one["score"] for name, one in table["tasks"].items() if name not in {"demo-humaneval", "demo-mmlu"}]
    whole, kept, lost = (sum(score[label] for score in vision) for label in (baseline, eight, four))
    assert len(vision) == 5
    # The least recovery that the demonstration asks for lies between the two.
    assert lost < 0.95 * whole < kept
