"""A model of Pixtral's architecture with random weights, for trying every step of a run but its scores.

``python -m demo_model.tiny FOLDER --seed N [--int8 FOLDER]``, in an interpreter that has vLLM. The same seed
gives the same bytes. Such a model has learned nothing: its answers are noise and its scores are near zero.
"""

from __future__ import annotations

import argparse
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

TEXTS = 1500
"""Texts that the tokenizer is learned from: enough for its whole vocabulary."""

_CARD = """\
# A random model for trying evalkit

Pixtral's architecture, 8 million parameters, weights drawn with seed {seed}{rounded}. It has learned nothing: its
answers are noise, and a score or a recovery measured with it says nothing about any model.
"""


def make(folder: Path, seed: int, int8: Path | None = None) -> None:
    """Write the checkpoint: Hugging Face format, bf16, one file of weights.

    Args:
        folder: Where to write; made if it is not there.
        seed: Of the weights.
        int8: Where to write the same model with the language model's matrices rounded to 8 bits and back, a row at
            a time, as a quantized candidate's are.
    """
    # The tokenizer must not depend on how many threads counted its pairs.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import torch  # noqa: PLC0415 - heavy, and only in the serving interpreter

    from demo_model.model import Network  # noqa: PLC0415
    from demo_model.rows import WIDTH  # noqa: PLC0415

    torch.manual_seed(seed)
    weights = Network(WIDTH).state_dict()
    _write(folder, weights, _CARD.format(seed=seed, rounded=""))
    if int8:
        near = {name: rounded(weight) if _is_quantized(name) else weight for name, weight in weights.items()}
        _write(int8, near, _CARD.format(seed=seed, rounded=", its language model's matrices rounded to 8 bits"))


def _write(folder: Path, weights: dict[str, Tensor], card: str) -> None:
    from demo_model.export import save  # noqa: PLC0415
    from demo_model.rows import corpus  # noqa: PLC0415
    from demo_model.tokens import learn  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = folder / "tokenizer.json"
    learn(islice(corpus(), TEXTS)).save(str(tokenizer))
    save(weights, tokenizer, folder)
    (folder / "README.md").write_text(card, encoding="utf-8")


def rounded(weight: Tensor) -> Tensor:
    """A matrix whose rows have at most 255 evenly spaced values each, symmetric around zero."""
    step = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    return (weight / step).round().clamp(-127, 127) * step


def _is_quantized(name: str) -> bool:
    """The matrices that a W8A8 recipe for such a model quantizes: not the vision tower, projector, head, embedding."""
    return "language_model.layers." in name and name.endswith("proj.weight")


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(prog="demo_model.tiny", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--int8", type=Path, metavar="FOLDER", help="also write the model rounded to 8 bits")
    given = parser.parse_args(words)
    make(given.folder, given.seed, given.int8)


if __name__ == "__main__":
    main()
