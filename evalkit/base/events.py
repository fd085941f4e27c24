"""What a run tells while it works: small facts that a display, a log or a test can listen to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Stage:
    """The run has come to another stage."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a reader should know, and that the report repeats where it matters."""

    text: str


@dataclass(frozen=True, slots=True)
class ServerState:
    """A model's server has changed its state."""

    model: str
    state: str
    """Such as ``starting``, ``loading weights``, ``ready`` or ``stopped``."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Outset:
    """What lies before a run, told before its first model is asked."""

    planned: int
    """Answers of all models to all tasks."""
    owed: Mapping[str, int]
    """Model label to how many of them the store lacks, in the order in which the models are asked."""
    starts: int
    """Servers that will be started."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one model stands on one task."""

    model: str
    task: str
    planned: int
    reused: int
    """Answered before this run."""
    scored: int
    failed: int
    score: float | None
    """Mean headline score so far."""


Event: TypeAlias = Stage | Notice | ServerState | Outset | Progress
Say: TypeAlias = Callable[[Event], None]
