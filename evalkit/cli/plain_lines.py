"""What a run tells where nothing can be redrawn: plain lines for logs, JSON lines for machines."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from evalkit.base.events import Measuring, Notice, Outset, Progress, Servers, ServerState, SoFar, Stage
from evalkit.base.printable import one_line
from evalkit.cli import progress_words as words
from evalkit.cli.pace import Whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TextIO

    from evalkit.base.events import Event

PLAIN_EVERY_S = 15.0
"""Plain lines go into logs: one a task now and then is enough."""
WHOLE_EVERY_S = 30.0
"""So is one of the whole run."""
QUIET_S = 30.0
"""After so long without a line somebody wonders whether anything is going on."""


class Display:
    """Listens to a run. Use as a context manager; call it with each event."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave the screen in order."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        raise NotImplementedError


class JsonDisplay(Display):
    """One JSON object a line for each event."""

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write the event's fields and its name."""
        print(json.dumps({"event": type(event).__name__, **asdict(event)}), file=self._stream, flush=True)


class Quiet(Display):
    """Passes on what a person should know, and nothing of how far it is."""

    def __init__(self, shown: Display) -> None:
        """Tell ``shown``."""
        self._shown = shown

    def __call__(self, event: Event) -> None:
        """Pass on notices and warnings."""
        if isinstance(event, Notice) or (isinstance(event, Stage) and event.text.startswith("warning:")):
            self._shown(event)


class PlainLines(Display):
    """One line for each thing that changes, and progress now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, quiet_s: float = QUIET_S) -> None:
        """Write to ``stream``; ``clock`` tells seconds. After ``quiet_s`` seconds of silence it says what goes on."""
        self._stream, self._clock, self._quiet_s = stream, clock, quiet_s
        self._stage, self._said = "working", clock()
        self._writing, self._over = threading.RLock(), threading.Event()
        self._last: dict[tuple[str, str], float] = {}
        self._server: dict[str, str] = {}
        self._so_far: dict[tuple[str, str], str] = {}
        self._whole = Whole(clock)
        self._whole_told = clock()

    def __enter__(self) -> Self:
        """Begin to show, and to break silences."""
        threading.Thread(target=self._break_silences, name="plain lines", daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Say nothing more."""
        with self._writing:
            self._over.set()

    def __call__(self, event: Event) -> None:
        """Write a line, unless it would only repeat the last one."""
        with self._writing:
            self._take(event)

    def _take(self, event: Event) -> None:
        self._whole(event)
        if isinstance(event, Progress):
            self._progress(event)
        elif isinstance(event, SoFar):
            self._so_far[event.model, event.task] = words.recovery(event)
        elif isinstance(event, Servers):
            pass  # what each of them does changes too often for a log
        elif isinstance(event, Outset):
            self._line(words.outset(event))
        elif isinstance(event, ServerState):
            # The detail of a state is a log line; only a change of state is worth a line of ours.
            if self._server.get(event.model) != event.state:
                self._server[event.model] = event.state
                self._line(f"{event.model}: {event.state}{f' ({event.detail})' if event.detail else ''}")
        else:
            self._stage = event.text if isinstance(event, Stage | Measuring) else self._stage
            self._line(event.text)
        if self._whole.planned and self._clock() - self._whole_told >= WHOLE_EVERY_S:
            self._whole_told = self._clock()
            self._line(f"all: {words.whole(self._whole)}")

    def _progress(self, event: Progress) -> None:
        key, now = (event.model, event.task), self._clock()
        complete = event.scored + event.failed == event.planned
        if complete or now - self._last.get(key, 0.0) >= PLAIN_EVERY_S:
            self._last[key] = now
            failed, recovery = words.failures(event), self._so_far.get(key, "")
            self._line(
                f"{event.model}: {event.task} {event.scored + event.failed}/{event.planned}"
                f"{f', {event.reused} from the store' if event.reused else ''}"
                f"{f', {failed}' if failed else ''}"
                f"{'' if event.score is None else f', score {words.score(event)}'}"
                f"{f', recovery {recovery} ({words.SO_FAR})' if recovery else ''}"
            )

    def _line(self, text: str) -> None:
        self._said = self._clock()
        print(one_line(text), file=self._stream, flush=True)

    def _break_silences(self) -> None:
        while not self._over.wait(self._quiet_s / 4):
            with self._writing, suppress(OSError, ValueError):  # a stream that has gone is the run's to notice
                if not self._over.is_set() and self._clock() - self._said >= self._quiet_s:
                    self._line(self._going_on())

    def _going_on(self) -> str:
        for model, state in self._server.items():
            seconds = self._whole.starting_s(model)
            if seconds is not None:
                return f"{model}: {state}, {words.minutes(seconds)} so far"
        if self._whole.planned:
            return f"all: {words.whole(self._whole)}"
        return f"still {self._stage}, {words.minutes(self._whole.elapsed_s)} gone"
