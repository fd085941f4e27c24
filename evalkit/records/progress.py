"""How far a run is while it goes on, for whoever looks at its folder: ``progress.json``, gone when it has ended."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit.base import codec
from evalkit.base.identity import decoded

if TYPE_CHECKING:
    from pathlib import Path

FILE: Final = "progress.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """Where one model stands on one task."""

    model: str
    task: str
    planned: int
    scored: int
    failed: int
    score: float | None = None
    """Mean headline score so far, 0-1."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """How many of ``failed`` are of each kind."""
    paired: int = 0
    """Samples, or problems, that the baseline and this candidate have scored both."""
    percent: float | None = None
    """Recovery on these pairs; no verdict hangs on it."""
    low: float | None = None
    """Its 95 % interval."""
    high: float | None = None

    @property
    def done(self) -> int:
        """Samples that have come to an end, with an answer or without."""
        return self.scored + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """A run that goes on, as it has told last."""

    told: float
    """When, in seconds since 1970."""
    stage: str = ""
    """What is being done; empty while answers come."""
    servers: Mapping[str, str] = field(default_factory=dict)
    """Model label to the state of its server."""
    tasks: tuple[TaskProgress, ...] = ()


def read(folder: Path) -> RunProgress | None:
    """What a run's folder tells; None where it tells nothing, or nothing that can be read."""
    try:
        found: RunProgress = codec.kept(RunProgress, decoded((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None
    return found
