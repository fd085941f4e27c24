"""What a run tells its folder while it goes on: a small file, written anew every two seconds at most."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from evalkit.base.events import Progress, ServerState, SoFar, Stage
from evalkit.records.progress import RunProgress, TaskProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.base.events import Event
    from evalkit.runs.publish import RunFolder

_EVERY_S: Final = 2.0


@dataclass(slots=True)
class ProgressFile:
    """How far one run is, from its events; its folder has it as a file, which is for looking at alone."""

    folder: RunFolder
    clock: Callable[[], float] = time.time
    _due: float = 0.0
    _stage: str = ""
    _servers: dict[str, str] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], TaskProgress] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Note an event, and write when it is time."""
        if isinstance(event, Progress):
            self._stage = ""
            before = self._tasks.get((event.model, event.task), _nothing(event))
            self._tasks[event.model, event.task] = replace(
                before,
                planned=event.planned,
                scored=event.scored,
                failed=event.failed,
                score=event.score,
                failures=dict(event.failures),
            )
        elif isinstance(event, SoFar):
            if (known := self._tasks.get((event.model, event.task))) is not None:
                self._tasks[event.model, event.task] = replace(
                    known, paired=event.paired, percent=event.percent, low=event.low, high=event.high
                )
        elif isinstance(event, ServerState):
            self._servers[event.model] = event.state
        elif isinstance(event, Stage):
            self._stage = event.text
        else:
            return
        if (now := self.clock()) >= self._due:
            self._due = now + _EVERY_S
            self._write(now)

    def end(self) -> None:
        """Take the file away: what the run has come to stands elsewhere."""
        self.folder.how_far(None)

    def _write(self, now: float) -> None:
        told = RunProgress(told=now, stage=self._stage, servers=dict(self._servers), tasks=tuple(self._tasks.values()))
        self.folder.how_far(told)


def _nothing(event: Progress) -> TaskProgress:
    return TaskProgress(model=event.model, task=event.task, planned=event.planned, scored=0, failed=0)
