"""What a run tells its folder while it goes on: a small file, written anew at every stage, and as answers come in."""

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
"""How often, at most, it is written for answers alone."""


@dataclass(slots=True)
class ProgressFile:
    """How far one run is, from its events; its folder has it as a file, which is for looking at alone."""

    folder: RunFolder
    clock: Callable[[], float] = time.time
    """Says when it was told, in seconds since 1970."""
    steady: Callable[[], float] = time.monotonic
    """Says when it is time: a clock that is set back must not silence the run."""
    _due: float = 0.0
    _stage: str = ""
    _servers: dict[str, str] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], TaskProgress] = field(default_factory=dict)

    def hear(self, event: Event) -> None:
        """Note an event, and write it: stages and states of servers are rare and at once, answers when it is time."""
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
        now = self.steady()
        if isinstance(event, (Stage, ServerState)) or now >= self._due:
            self._due = now + _EVERY_S
            self._write(self.clock())

    def end(self) -> None:
        """Take the file away: what the run has come to stands elsewhere."""
        self.folder.how_far(None)

    def _write(self, now: float) -> None:
        told = RunProgress(told=now, stage=self._stage, servers=dict(self._servers), tasks=tuple(self._tasks.values()))
        self.folder.how_far(told)


def _nothing(event: Progress) -> TaskProgress:
    return TaskProgress(model=event.model, task=event.task, planned=event.planned, scored=0, failed=0)
