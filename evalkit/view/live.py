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
_ENDED_S: Final = 3600.0
"""One that has told nothing for so long counts as ended: whoever kills a process leaves its file behind."""
_LOOK_S: Final = 15
_LOOK_WHILE_SILENT_S: Final = 30


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What a run has told last."""

    done: int
    planned: int
    failed: int
    silent_s: float
    """So long ago it was told; negative where that lies in the future, as after a clock was set back."""
    told: RunProgress
    tasks: tuple[TaskProgress, ...]
    """Every model on every task, those that nothing was asked of yet as well."""

    @property
    def share(self) -> float:
        """How much of all is done, 0-1."""
        return self.done / max(self.planned, 1)

    @property
    def silent(self) -> bool:
        """Whether it may have ended without a word. What was told in the future says nothing of now."""
        return abs(self.silent_s) > _SILENT_S

    @property
    def ended(self) -> bool:
        """Whether it has told nothing for so long that nobody waits for it."""
        return abs(self.silent_s) >= _ENDED_S

    @property
    def silence(self) -> str:
        """How long it has told nothing, or how far ahead it told last: in the largest unit of which there are two."""
        minutes = round(abs(self.silent_s) / 60)
        for unit, long in (("days", 24 * 60), ("hours", 60)):
            if minutes >= 2 * long:
                return f"{minutes // long} {unit}"
        return f"{minutes} minutes"

    @property
    def look_again_s(self) -> int:
        """After so long a page looks again; 0 where it does not: the run counts as ended."""
        if self.ended:
            return 0
        return _LOOK_WHILE_SILENT_S if self.silent else _LOOK_S


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
        time.time() - told.told,
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
