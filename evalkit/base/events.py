"""What a run tells while it works: small facts that a display, a log or a test can listen to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
class OneServer:
    """One of several servers of a model, at a moment."""

    name: str
    """Such as ``server 1 of 2``, and where it runs."""
    state: str
    """``starting``, ``answering``, ``given up``, or ``waiting``: it runs, and is asked nothing."""
    under_way: int
    """Requests that it has."""
    window: int
    """And how many it may have; 0 while it is asked nothing."""
    answered: int
    """Answers of this start of it."""


@dataclass(frozen=True, slots=True)
class Servers:
    """What each of a model's servers does, told every few seconds where there are several; none once that is over."""

    model: str
    servers: tuple[OneServer, ...]


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
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many of ``failed`` are of each kind."""


@dataclass(frozen=True, slots=True)
class SoFar:
    """A candidate's recovery on the pairs that there are by now; there is no verdict before the end."""

    model: str
    task: str
    paired: int
    """Samples, or problems, that both have scored."""
    percent: float
    low: float | None
    """95 % interval; None where it has no ends."""
    high: float | None


@dataclass(frozen=True, slots=True)
class Measuring:
    """Where a performance run is: which cell, and how far it and the whole are."""

    model: str
    use: str
    stream: str
    start: int
    queries: int
    """Of this cell."""
    answered: int
    cells: int
    """Of the whole run."""
    done: int
    left_s: float | None
    """About how long the whole will still take; None while nothing tells."""

    @property
    def text(self) -> str:
        """In a line."""
        left = "" if self.left_s is None else f", about {self.left_s / 60:.0f} min left"
        return (
            f"cell {self.done + 1} of {self.cells}: {self.model}, {self.use}, {self.stream}, start {self.start}: "
            f"{self.answered} of {self.queries} queries{left}"
        )


Event: TypeAlias = Stage | Notice | ServerState | Servers | Outset | Progress | SoFar | Measuring
Say: TypeAlias = Callable[[Event], None]
