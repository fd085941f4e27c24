"""What a generator makes: a scene (pictures) with questions about it, each on one side of the train/held-out line."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    from evalkit.base.types import Json

Split: TypeAlias = Literal["train", "heldout"]
Part: TypeAlias = str | int
"""A piece of a question: text, or the index of one of the scene's pictures."""

LETTERS = "ABCD"
HELDOUT_SHARE = 1 / 5


@dataclass(frozen=True, slots=True)
class Puzzle:
    """One question about a scene, with the answer to learn and the row that the benchmark's data set would hold."""

    key: str
    """Everything that makes this question this question: scene content, wording, choices. Decides the split."""
    parts: tuple[Part, ...]
    """The user's turn without the task's prompt, pictures in place."""
    answer: str
    """What the model should say."""
    row: Mapping[str, Json] = field(default_factory=dict)
    """Columns of the data set, pictures excepted."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Pictures and the questions one can ask about them."""

    images: tuple[Image.Image, ...]
    questions: tuple[Puzzle, ...]


def stream(*parts: object) -> random.Random:
    """A source of random choices that depends on the parts alone, on every machine."""
    seed = int.from_bytes(sha256("|".join(map(str, parts)).encode()).digest()[:8], "big")
    return random.Random(seed)  # noqa: S311 - drawing pictures, no secret depends on it


def split_of(key: str) -> Split:
    """The side of the line that a question's content falls on."""
    return "heldout" if sha256(key.encode()).digest()[0] < 256 * HELDOUT_SHARE else "train"


def lettered(rng: random.Random, right: str, wrong: list[str]) -> tuple[list[str], str]:
    """Four choices in random order and the letter of the right one.

    Args:
        rng: Source of the order.
        right: The right choice.
        wrong: At least three others; three are drawn.
    """
    choices = [right, *rng.sample(wrong, 3)]
    rng.shuffle(choices)
    return choices, LETTERS[choices.index(right)]
