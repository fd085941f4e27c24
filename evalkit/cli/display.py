"""What a person sees while a run works: a live table on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import Progress as ProgressBars
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evalkit.base.events import Measuring, Notice, Outset, Progress, ServerState, Stage
from evalkit.base.printable import counted, one_line, part_of
from evalkit.cli.library_log import standard_error
from evalkit.cli.pace import Whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TextIO

    from rich.console import RenderableType

    from evalkit.base.events import Event

PACE_OVER_S = 30.0
"""The rate and the time left are those of the last half minute: a server's loading is not part of them."""
PLAIN_EVERY_S = 15.0
"""Plain lines go into logs: one a task now and then is enough."""
WHOLE_EVERY_S = 30.0
"""So is one of the whole run."""
QUIET_S = 30.0
"""After so long without a line somebody wonders whether anything is going on."""
WHOLE_LINES = 10_000
"""Columns of what is no terminal, such as the log of a CI job: there, a line that is broken is found by no search."""
TELLING = 16
"""Answers within ``PACE_OVER_S`` from which a model's time left is reckoned."""


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


def display(*, as_json: bool, stream: TextIO | None = None) -> Display:
    """The display that fits where the output goes: on standard error, which leaves standard output to the results."""
    stream = stream or standard_error()
    if as_json:
        return JsonDisplay(stream)
    console = Console(file=stream)
    return LiveTable(console) if console.is_terminal else PlainLines(stream)


def one_bar(*, as_json: bool = False) -> ProgressBars:
    """A bar that is gone when its work is done; for machines none."""
    console = Console(file=standard_error())
    return ProgressBars(console=console, transient=True, disable=as_json, redirect_stdout=False, redirect_stderr=False)


def results_console() -> Console:
    """Standard output for tables and sentences, as wide as its terminal is, or as they are."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=WHOLE_LINES)


class JsonDisplay(Display):
    """One JSON object a line for each event."""

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``."""
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Write the event's fields and its name."""
        print(json.dumps({"event": type(event).__name__, **asdict(event)}), file=self._stream, flush=True)


class PlainLines(Display):
    """One line for each thing that changes, and progress now and then."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic, quiet_s: float = QUIET_S) -> None:
        """Write to ``stream``; ``clock`` tells seconds. After ``quiet_s`` seconds of silence it says what goes on."""
        self._stream, self._clock, self._quiet_s = stream, clock, quiet_s
        self._stage, self._said = "working", clock()
        self._writing, self._over = threading.RLock(), threading.Event()
        self._last: dict[tuple[str, str], float] = {}
        self._server: dict[str, str] = {}
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
        elif isinstance(event, Outset):
            self._line(_outset(event))
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
            self._line(f"all: {_whole(self._whole)}")

    def _progress(self, event: Progress) -> None:
        key, now = (event.model, event.task), self._clock()
        complete = event.scored + event.failed == event.planned
        if complete or now - self._last.get(key, 0.0) >= PLAIN_EVERY_S:
            self._last[key] = now
            self._line(
                f"{event.model}: {event.task} {event.scored + event.failed}/{event.planned}"
                f"{f', {event.reused} from the store' if event.reused else ''}"
                f"{f', {event.failed} failed' if event.failed else ''}"
                f"{'' if event.score is None else f', score {_score(event)}'}"
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
                return f"{model}: {state}, {_minutes(seconds)} so far"
        if self._whole.planned:
            return f"all: {_whole(self._whole)}"
        return f"still {self._stage}, {_minutes(self._whole.elapsed_s)} gone"


class LiveTable(Display):
    """A table that redraws itself: server state, a bar for each task, score, failures, rate and time left."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw on ``console``; ``clock`` tells seconds."""
        self._console, self._clock = console, clock
        self._stage = ""
        self._servers: dict[str, ServerState] = {}
        self._tasks: dict[tuple[str, str], Progress] = {}
        self._lately: dict[str, deque[tuple[float, int]]] = {}
        self._whole = Whole(clock)
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=4,
            redirect_stdout=False,  # what libraries print goes into their log
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Take the lower part of the terminal."""
        self._live.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        """Draw once more and leave the last picture on the screen."""
        self._stage = ""
        self._live.__exit__(None, None, None)

    def __call__(self, event: Event) -> None:
        """Keep the event for the next picture."""
        self._whole(event)
        if isinstance(event, Progress):
            self._tasks[event.model, event.task] = event
            self._note_pace(event.model)
        elif isinstance(event, ServerState):
            self._servers[event.model] = event
        elif isinstance(event, Notice):
            self._console.print(Text(f"note: {one_line(event.text)}", style="yellow"))
        elif isinstance(event, Outset):
            self._console.print(Text(_outset(event)))
        elif isinstance(event, Stage | Measuring):
            self._stage = one_line(event.text)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = [self._server_line(state) for state in self._servers.values()]
        if self._tasks:
            parts.append(self._table())
        if self._whole.planned:
            parts.append(self._whole_line())
        if self._stage:
            parts.append(Text(f"{self._stage} ...", style="dim"))
        return Group(*parts)

    def _server_line(self, state: ServerState) -> Text:
        starting_s = self._whole.starting_s(state.model)
        detail = state.detail if starting_s is None else f"{_minutes(starting_s)} {state.detail}"
        width = max(20, self._console.width - len(state.model) - len(state.state) - 6)
        detail = one_line(detail)[:width]
        return Text.assemble(
            (state.model, "bold"), "  ", (state.state, "cyan"), "  ", (detail, "dim"), overflow="ellipsis", no_wrap=True
        )

    def _whole_line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._whole.planned, completed=self._whole.answered, width=16)
        line.add_row(Text("all", style="bold"), bar, Text(_whole(self._whole)))
        return line

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, expand=True)
        for name, ratio in (("model", 3), ("task", 2)):
            table.add_column(name, ratio=ratio, overflow="ellipsis", no_wrap=True)
        table.add_column("", width=16)
        for name in ("done", "score", "failed", "req/s", "left"):
            table.add_column(name, justify="right", no_wrap=True)
        for one in self._tasks.values():
            done = one.scored + one.failed
            rate, left = self._pace(one)
            table.add_row(
                Text(one.model),
                Text(one.task),
                ProgressBar(total=max(1, one.planned), completed=done, width=16),
                f"{done}/{one.planned}",
                _score(one),
                Text(str(one.failed), style="red" if one.failed else ""),
                rate,
                left,
            )
        return table

    def _note_pace(self, model: str) -> None:
        """Remember how far a model was when, over the last half minute."""
        now = self._clock()
        lately = self._lately.setdefault(model, deque())
        lately.append((now, sum(one.scored + one.failed for one in self._of(model))))
        while lately[0][0] < now - PACE_OVER_S:
            lately.popleft()

    def _of(self, model: str) -> list[Progress]:
        return [one for one in self._tasks.values() if one.model == model]

    def _pace(self, one: Progress) -> tuple[str, str]:
        """Requests per second of the model and its time left, beside the task that it is at."""
        if one.scored + one.failed == one.planned:
            return "", "reused" if one.reused == one.planned else "done"
        open_tasks = [other for other in self._of(one.model) if other.scored + other.failed < other.planned]
        (since, before), (until, after) = self._lately[one.model][0], self._lately[one.model][-1]
        if one is not open_tasks[0] or until <= since or after <= before:
            return "", ""
        rate = (after - before) / (until - since)
        seconds = int(sum(other.planned - other.scored - other.failed for other in open_tasks) / rate)
        return f"{rate:.1f}", _minutes(seconds) if after - before >= TELLING else ""


def _outset(event: Outset) -> str:
    """What a run will do, in a line."""
    missing = sum(event.owed.values())
    servers = "no server" if not event.starts else counted(event.starts, "server")
    stored = f" of {event.planned:,}; the store has the others" if missing < event.planned else ""
    return f"{servers} to start, {counted(missing, 'answer')} to get{stored}"


def _whole(whole: Whole) -> str:
    """How far the whole run is: answers, time gone, time left."""
    left = "" if whole.left_s is None else f", about {_minutes(whole.left_s)} left"
    return f"{part_of(whole.answered, whole.planned, 'answer')}, {_minutes(whole.elapsed_s)} gone{left}"


def _minutes(seconds: float) -> str:
    """``1:05``, ``2:03:00``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _score(event: Progress) -> str:
    return "–" if event.score is None else f"{event.score * 100:.2f}"
