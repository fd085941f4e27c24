"""A run that goes on, ready for a page: how far each model is, and what can be said so far."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.records import progress

if TYPE_CHECKING:
    from evalkit.records.history import PastRun
    from evalkit.records.progress import RunProgress, TaskProgress

_SILENT_S: Final = 120.0
"""A run that has told nothing for so long may have ended: servers that load weights tell seldom."""


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What a run has told last."""

    done: int
    planned: int
    failed: int
    silent_s: float
    """So long ago it was told."""
    told: RunProgress
    tasks: tuple[TaskProgress, ...]
    """Every model on every task, those that nothing was asked of yet as well."""

    @property
    def share(self) -> float:
        """How much of all is done, 0-1."""
        return self.done / max(self.planned, 1)

    @property
    def silent(self) -> bool:
        """Whether it may have ended without a word."""
        return self.silent_s > _SILENT_S


def of(run: PastRun) -> LiveRun | None:
    """How far a run is; None where it has finished, or its folder does not tell."""
    if run.finished or (told := progress.read(run.folder)) is None:
        return None
    known = {(one.model, one.task): one for one in told.tasks}
    tasks = tuple(known.get(key, _untouched(*key, planned)) for key, planned in _planned(run).items())
    tasks = (*tasks, *(one for key, one in known.items() if key not in _planned(run)))
    return LiveRun(
        sum(one.done for one in tasks),
        sum(one.planned for one in tasks),
        sum(one.failed for one in tasks),
        max(0.0, time.time() - told.told),
        told,
        tasks,
    )


def _planned(run: PastRun) -> dict[tuple[str, str], int]:
    """Samples by model and task, in the order of the plan."""
    plan = run.facts.plan
    if plan is None:
        return {}
    return {(label, part.task.name): part.planned for label in plan.labels for part in plan.tasks}


def _untouched(model: str, task: str, planned: int) -> TaskProgress:
    return progress.TaskProgress(model=model, task=task, planned=planned, scored=0, failed=0)
