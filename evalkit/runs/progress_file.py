"""What a run tells its folder while it goes on: a small file, written anew every two seconds at most."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from evalkit.base import codec
from evalkit.base.errors import FullDiskError, OutputError
from evalkit.base.events import Progress, ServerState, SoFar, Stage
from evalkit.records.progress import FILE, RunProgress, TaskProgress
from evalkit.runs.publish import write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from evalkit.base.events import Event

_EVERY_S: Final = 2.0


@dataclass(slots=True)
class ProgressFile:
    """The file of one run. It is for looking at alone: where it cannot be written, the run goes on."""

    folder: Path
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
        with suppress(OSError):
            (self.folder / FILE).unlink(missing_ok=True)

    def _write(self, now: float) -> None:
        told = RunProgress(told=now, stage=self._stage, servers=dict(self._servers), tasks=tuple(self._tasks.values()))
        with suppress(OutputError, FullDiskError):
            write_text(self.folder / FILE, [json.dumps(codec.written(told)) + "\n"])


def _nothing(event: Progress) -> TaskProgress:
    return TaskProgress(model=event.model, task=event.task, planned=event.planned, scored=0, failed=0)
