"""Packing: what is shipped is small, names no machine, and can be checked."""

from __future__ import annotations

import json
import subprocess

import pytest

from demo_model import pack
from demo_model.fit import commands
from evalkit.base.errors import DataError
from evalkit.demo import pair


def settings(*words) -> dict:
    """The line that a training run begins its log with."""
    given = vars(commands().parse_args(["--out", "there", *words]))
    said = {**given, "out": "", "resume": bool(given["resume"])}
    return json.loads(json.dumps({"parameters": 8248128, "settings": said}))


FIRST = settings("--minutes", "7", "--compile", "--batch", "8", "4", "4")
AGAIN = settings("--resume", "there", "--minutes", "2", "--progress", "1", "--rate", "1e-3")
END = [
    {"final": True, "exact": {"mmlu": 0.8125, "vqav2": 0.5}},
    {"final": True, "scores": {"vqav2": 0.75, "humaneval": 0.625}},
]


def parts(folder, log) -> tuple:
    run, baseline, quantized = (folder / name for name in ("run", "exported", "quantized"))
    for made in (run, baseline, quantized):
        made.mkdir()
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    for made in (baseline, quantized):
        (made / "model.safetensors").write_bytes(b"\0/home/\0")
        (made / "config.json").write_text('{"model_type": "llava"}')
        (made / "tokenizer_config.json").write_text(
            '{"name_or_path": "/home/me/x", "is_local": true, "local_files_only": true, "bos_token": "<s>"}'
        )
    (baseline / "model.safetensors").chmod(0o600)
    return run, baseline, quantized


@pytest.fixture
def packed(tmp_path):
    pack.pack(*parts(tmp_path, [FIRST, *END]), tmp_path / "models")
    return tmp_path / "models"


def test_what_is_packed_is_what_the_package_takes(packed):
    baseline, quantized = pair.trained(packed)
    files = {"README.md", "config.json", "model.safetensors", "tokenizer_config.json"}
    assert {file.name for file in baseline.iterdir()} == {*files, "training.jsonl"}
    assert {file.name for file in quantized.iterdir()} == files
    assert (baseline / "model.safetensors").stat().st_mode & 0o044 == 0o044


def test_the_checksums_are_those_of_sha256sum(packed):
    words = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(words, cwd=packed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 9


def test_the_tokenizer_forgets_where_it_was(packed):
    for folder in pair.trained(packed):
        assert json.loads((folder / "tokenizer_config.json").read_text()) == {"bos_token": "<s>"}


def test_packing_again_leaves_nothing_old(packed, tmp_path):
    (packed / "baseline" / "old.txt").write_text("old")
    (tmp_path / "again").mkdir()
    pack.pack(*parts(tmp_path / "again", [FIRST, *END]), packed)
    assert not (packed / "baseline" / "old.txt").exists()
    assert pair.trained(packed)


def test_the_cards_say_how_and_how_good():
    card = pack.baseline_card([FIRST, *END])
    assert "fit --out RUN --minutes 7 --batch 8 4 4 --compile\n" in card
    assert "8.2 million" in card
    assert "| mmlu | 0.812 |" in card
    assert "| vqav2 | 0.750 |" in card
    for text in (card, pack.quantized_card()):
        assert "license: apache-2.0" in text
        assert "demonstration" in text


def test_a_run_that_was_resumed_has_both_commands():
    card = pack.baseline_card([FIRST, *END, AGAIN, {"final": True, "exact": {"mmlu": 0.9}}])
    assert "fit --out RUN --minutes 7 --batch 8 4 4 --compile\n" in card
    assert "fit --out RUN --resume RUN --minutes 2 --rate 0.001 --progress 1\n" in card
    assert "| mmlu | 0.900 |" in card
    assert "| vqav2 | 0.750 |" in card


def test_a_path_of_this_machine_is_refused(tmp_path):
    run, baseline, quantized = parts(tmp_path, [FIRST, *END])
    (quantized / "recipe.yaml").write_text("source: /home/me/model\n")
    with pytest.raises(DataError, match=r"recipe\.yaml: names the folder /home/"):
        pack.pack(run, baseline, quantized, tmp_path / "models")


@pytest.mark.parametrize(("sizes", "words"), [((17,), "big-0: more than"), ((15, 15, 15), "together")])
def test_what_is_too_large_is_refused(tmp_path, sizes, words):
    files = []
    for place, size in enumerate(sizes):
        files.append(tmp_path / f"big-{place}")
        with files[-1].open("wb") as file:
            file.truncate(size * 2**20)
    with pytest.raises(DataError, match=words):
        pack.check(files)


def test_a_run_without_an_end_is_refused():
    with pytest.raises(DataError, match="did not come to its end"):
        pack.baseline_card([FIRST, END[0]])
