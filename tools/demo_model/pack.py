"""Puts the trained pair where the package looks for it: ``python -m demo_model.pack RUN BASELINE W8A8``.

RUN is the training program's folder, BASELINE and W8A8 are the checkpoints that the export and quantization programs
made of it. What is written: both checkpoints with a model card each, the training log beside the baseline, and the
checksums that `evalkit.demo.pair.trained` compares. Files and models above the sizes that the package allows itself
are refused, and so is whatever names a folder of the machine that made it.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from demo_model.fit import commands
from evalkit.base.errors import DataError
from evalkit.demo import pair

if TYPE_CHECKING:
    from evalkit.base.types import Json

MOST_FILE = 16 * 2**20
MOST_TOGETHER = 40 * 2**20
"""Bytes of one file, and of both models."""

LOG = "training.jsonl"
_OF_A_MACHINE = ("_name_or_path", "name_or_path", "is_local", "local_files_only")
"""Keys that transformers writes about where a model was loaded from; reading a model needs none of them."""
_PATH = re.compile(rb"/(?:tmp|home|root|work|mnt|Users|var|opt|dev)/")

_HEAD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-text-to-text
---
# {title}

{what}

It is a demonstration of evalkit and nothing else: it knows drawn shapes, bars, dice, small papers, a closed world of
facts and small functions, all made by code, and says nonsense about everything else. A score or a recovery measured
with it says nothing about any other model, nor about the benchmarks whose row formats its questions borrow.
"""
_BASELINE = """
## How it was made

Architecture: `LlavaForConditionalGeneration` as in Pixtral 12B (`PixtralVisionModel`, a Mistral text model), with
{millions:.1f} million parameters, in bf16. Weights start at random and see drawn training questions only; held-out
questions are on the other side of a hash of their content. On one GPU:

{commands}
    python -m demo_model.export RUN BASELINE

`training.jsonl` is the log of that run.

## Held-out scores at the end of training

As the training program measures them, greedy answers in full; `mmlu` by its letter alone. They are of questions of
every level: the demo's own questions are the harder ones of MMMU, VQAv2 and DocVQA, and its table is in the README.

| task | score |
|---|---|
{scores}
"""
_QUANTIZED = """
## How it was made

llm-compressor, GPTQ, scheme W8A8: 8-bit weights with one scale a channel, 8-bit activations with one scale a token.
Only the language model's layers are quantized; vision tower, projector and output head stay in bf16. It was
calibrated on drawn training questions (`nox -s demo-candidate`):

    python -m demo_model.calibration CHATS.parquet
    evalkit quantize BASELINE --scheme w8a8 -o W8A8 --calibration CHATS.parquet --samples 128

vLLM serves it from `quantization_config` in `config.json` alone.
"""


def pack(run: Path, baseline: Path, quantized: Path, models: Path) -> None:
    """Write ``baseline``, ``w8a8`` and their checksums.

    Args:
        run: Folder of the training run, for its log.
        baseline: Exported checkpoint.
        quantized: Quantized checkpoint.
        models: Where to write; what is there under these names is replaced.

    Raises:
        DataError: A file is too large or names a folder of this machine, or the log has no final scores.
    """
    log = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    cards = {pair.BASELINE: baseline_card(log), pair.QUANTIZED: quantized_card()}
    for name, source in ((pair.BASELINE, baseline), (pair.QUANTIZED, quantized)):
        folder = models / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in sorted(source.iterdir()):
            _copy(file, folder / file.name)
        (folder / "README.md").write_text(cards[name], encoding="utf-8")
    _copy(run / "log.jsonl", models / pair.BASELINE / LOG)
    files = sorted(file for name in cards for file in (models / name).iterdir())
    check(files)
    lines = [f"{pair.digest(file)}  {file.relative_to(models).as_posix()}\n" for file in files]
    (models / pair.SUMS).write_text("".join(lines), encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    """The file with ordinary permissions, and without what transformers notes about the machine."""
    if source.name != "tokenizer_config.json":
        target.write_bytes(source.read_bytes())
        return
    kept = {key: value for key, value in json.loads(source.read_bytes()).items() if key not in _OF_A_MACHINE}
    target.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check(files: list[Path]) -> None:
    """Refuse files that must not be shipped.

    Raises:
        DataError: As for `pack`.
    """
    for file in files:
        if file.stat().st_size > MOST_FILE:
            raise DataError(f"{file.name}: more than {MOST_FILE} bytes", fix="make the model smaller")
        # Weights are random bytes: any short word may occur in them.
        if file.suffix != ".safetensors" and (found := _PATH.search(file.read_bytes())):
            raise DataError(f"{file.name}: names the folder {found[0].decode()}", fix="remove the path")
    if sum(file.stat().st_size for file in files) > MOST_TOGETHER:
        raise DataError(f"the models together: more than {MOST_TOGETHER} bytes", fix="make the model smaller")


def baseline_card(log: list[dict[str, Json]]) -> str:
    """The baseline's model card, with the command and the scores of its training log (one run or several).

    Raises:
        DataError: The log has no final scores.
    """
    if not any("scores" in line for line in log):
        raise DataError(f"{LOG}: the training run did not come to its end", fix="train again, with time to spare")
    settings = [line["settings"] for line in log if "settings" in line]
    last = {key: value for line in log if line.get("final") for key, value in (line.get("scores") or {}).items()}
    last["mmlu"] = [line["exact"]["mmlu"] for line in log if "exact" in line][-1]
    what = "A very small vision-language model of Pixtral's architecture: the baseline of evalkit's demonstration."
    return _HEAD.format(title="The demo's baseline", what=what) + _BASELINE.format(
        millions=log[0]["parameters"] / 1e6,
        commands="\n".join(f"    {command(one)}" for one in settings),
        scores="\n".join(f"| {task} | {last[task]:.3f} |" for task in sorted(last)),
    )


def command(settings: dict[str, Json]) -> str:
    """The training command that has these settings, as far as they are not the usual ones."""
    # As the log has them: JSON knows no tuples.
    usual = json.loads(json.dumps({**vars(commands().parse_args(["--out", ""])), "out": ""}))
    words = ["python -m demo_model.fit --out RUN", *(["--resume RUN"] if settings["resume"] else [])]
    for name, value in settings.items():
        if name != "resume" and value != usual[name]:
            words.append(f"--{name.replace('_', '-')}")
            # A flag's value is its presence.
            words += [] if value is True else map(_number, value) if isinstance(value, list) else [_number(value)]
    return " ".join(words)


def _number(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def quantized_card() -> str:
    """The candidate's model card."""
    what = (
        "The demonstration's baseline (`../baseline`), quantized to 8 bits: the candidate of evalkit's demonstration."
    )
    return _HEAD.format(title="The demo's W8A8 candidate", what=what) + _QUANTIZED


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Put the trained pair into the package.")
    parser.add_argument("run", type=Path)
    parser.add_argument("baseline", type=Path)
    parser.add_argument("w8a8", type=Path)
    parser.add_argument("--models", type=Path, default=pair.MODELS)
    given = parser.parse_args()
    pack(given.run, given.baseline, given.w8a8, given.models)


if __name__ == "__main__":
    main()
