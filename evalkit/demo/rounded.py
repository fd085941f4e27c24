"""The demonstration's second candidate: the matrices of its baseline's layers as 4-bit fixed-point numbers.

Round to nearest, with one step for a whole matrix, a power of two: no data is looked at, nothing makes up for the
error, and no row or group has a step of its own. That is how a model really loses something. The rounded values are
stored in the baseline's own type, so that every processor serves them; the file is as large as the baseline's. It is
made of that where it is asked for, the same everywhere to the bit.
"""

from __future__ import annotations

import json
from math import frexp
from typing import TYPE_CHECKING, Final

import numpy as np

from evalkit.base.errors import InfrastructureError
from evalkit.demo.pair import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

NAME: Final = "rounded-w4"
"""How the demonstration calls it."""
DIGEST: Final = "603f70f69febf7112c257324c52adf0d0bf188e215558f83833ab4acb91aa8d8"
"""The sha256 of its weights, in hexadecimal."""
WEIGHTS: Final = "model.safetensors"
_STEPS: Final = 7
"""The largest of the whole numbers, of either sign, that a weight may be times its matrix's step: 15 values, 4 bits."""
_LAYERS: Final = ("_proj.weight", "linear_1.weight", "linear_2.weight")
"""Matrices of the layers; the embeddings and the output head stay, as quantizers leave them."""
_OWN: Final = frozenset({WEIGHTS, "README.md", "training.jsonl"})
"""Files of the baseline that say nothing about this model."""


def made(baseline: Path, folder: Path) -> Path:
    """The rounded model in ``folder``, made there of the ``baseline`` unless it is there already.

    Raises:
        InfrastructureError: What comes out is not what comes out elsewhere.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in baseline.iterdir():
        if file.name not in _OWN:
            _put(folder / file.name, file.read_bytes())
    weights = folder / WEIGHTS
    if not weights.is_file() or digest(weights) != DIGEST:
        _put(weights, rounded((baseline / WEIGHTS).read_bytes()))
        if digest(weights) != DIGEST:
            raise InfrastructureError(
                f"the demonstration's rounded model comes out otherwise on this machine ({weights})",
                fix="evalkit demo --candidate w8a8 needs none; please report it with the versions of numpy and Python",
            )
    return folder


def _put(path: Path, data: bytes) -> None:
    """A file whose content is always whole, and stays untouched where it is that already."""
    if path.is_file() and path.read_bytes() == data:
        return
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


def rounded(data: bytes) -> bytes:
    """A safetensors file in bfloat16 with every matrix of a layer rounded to at most 15 values around 0."""
    made = bytearray(data)
    for start, end in _layers(data):
        made[start:end] = _rounded(np.frombuffer(data[start:end], "<u2")).tobytes()
    return bytes(made)


def _layers(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the layers' matrices lie in a file: https://github.com/huggingface/safetensors#format."""
    begin = 8 + int.from_bytes(data[:8], "little")
    for name, entry in json.loads(data[8:begin]).items():
        if name.endswith(_LAYERS):
            start, end = entry["data_offsets"]
            yield begin + start, begin + end


def _rounded(bits: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Numbers in bfloat16, the upper half of a float32, rounded to whole multiples of one step."""
    values = (bits.astype("<u4") << 16).view("<f4")
    share, power = frexp(np.abs(values).max() / _STEPS)
    step = np.float32(2.0 ** (power - (share == 0.5)))
    # A whole number of at most three bits times a power of two is a number of bfloat16: nothing is cut off.
    return ((np.rint(values / step) * step).view("<u4") >> 16).astype("<u2")
