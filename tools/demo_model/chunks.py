"""What a drawing process does: one chunk of rows into one file. It imports nothing heavy."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from demo_model.rows import rows
from demo_model.tokens import Coder

if TYPE_CHECKING:
    from demo_model.rows import Kind

CHUNK = 512
"""Rows that a worker draws at once."""


@cache
def coder(tokenizer: str) -> Coder:
    """The coder of this process."""
    return Coder.read(Path(tokenizer))


def draw_chunk(tokenizer: str, kind: Kind, seed: str, progress: float, folder: str) -> str:
    """Draw one chunk in a worker process and leave it in a file."""
    made = rows(coder(tokenizer), kind, CHUNK, seed, progress)
    file = Path(folder) / f"{kind}-{os.getpid()}-{seed}.npz"
    np.savez(file, ids=made.ids, weights=made.weights, images=made.images)
    return str(file)
