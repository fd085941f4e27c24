"""A line of ``samples/<model>/<task>.jsonl``: a planned sample, and what became of it with one model.

What was asked is the same for all models, and is spelled once; what one model did with it follows in the same object.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field

from evalkit.base.codec import UNSAID
from evalkit.base.types import Elsewhere, Json, Score  # noqa: TC001 - the codec reads the annotations


@dataclass(frozen=True, slots=True)
class LinePart:
    """A piece of text, or a picture."""

    text: str | None = field(default=None, metadata=UNSAID)
    image_sha256: str | None = field(default=None, metadata=UNSAID)
    """Of the stored bytes."""


@dataclass(frozen=True, slots=True)
class EarlierMessage:
    """A message before the question."""

    role: str
    content: tuple[LinePart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLine:
    """What was asked: the beginning of a line."""

    id: str
    turns: tuple[EarlierMessage, ...] = field(default=(), metadata=UNSAID)
    content: tuple[LinePart, ...]
    prefix: str = field(default="", metadata=UNSAID)
    """How the answer begins already."""
    references: Json
    cluster: str | None
    """The group that it was drawn in."""
    stratum: str | None
    """The fixed group that it is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredLine:
    """What a model answered: the end of a line."""

    answer: str | None
    score: float | None
    """The headline's, 0 to 1; null where the references are at fault."""
    left_out: str | None = field(default="", metadata=UNSAID)
    """That fault."""
    scores: Mapping[str, Score]
    """By metric."""
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float
    tries: int
    # Its key keeps the spelling that files of earlier evalkits have; a verdict is a comparison's alone.
    judgement: Json = field(default=None, metadata={**UNSAID, "key": "verdict"})
    """What a checker said of an answer that is a program."""
    elsewhere: Elsewhere | None = field(default=None, metadata=UNSAID)


@dataclass(frozen=True, slots=True)
class WhyNot:
    """Why there is no answer."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class FailedLine:
    """That a model gave no answer: the end of a line."""

    failure: WhyNot
    tries: int
