"""What a terminal shows while a run works: each model with its server and its tasks, and the whole in a line."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evalkit.base.events import Measuring, Notice, OneServer, Outset, Progress, Servers, ServerState, SoFar, Stage
from evalkit.base.printable import counted, one_line
from evalkit.cli import progress_words as words
from evalkit.cli.pace import Whole
from evalkit.cli.plain_lines import Display

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from rich.console import Console, RenderableType

    from evalkit.base.events import Event

PACE_OVER_S = 30.0
"""The rate and the time left are those of the last half minute: a server's loading is not part of them."""
TELLING = 16
"""Answers within ``PACE_OVER_S`` from which a model's time left is reckoned."""
_FIGURES = 52
"""Columns that the figures of a task take, with what stands between them."""
_WIDE = 100
"""Columns from which on a bar has room for 16 steps."""


class LiveTable(Display):
    """Redraws itself: a block for each model; one that has answered everything is a line."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw on ``console``; ``clock`` tells seconds."""
        self._console, self._clock = console, clock
        self._stage = ""
        self._order: tuple[str, ...] = ()
        """Models as they are asked."""
        self._servers: dict[str, ServerState] = {}
        self._each: dict[str, tuple[OneServer, ...]] = {}
        """What each of a model's servers does, where it has several."""
        self._each_lately: dict[tuple[str, str], deque[tuple[float, int]]] = {}
        self._tasks: dict[tuple[str, str], Progress] = {}
        self._so_far: dict[tuple[str, str], SoFar] = {}
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
        elif isinstance(event, SoFar):
            self._so_far[event.model, event.task] = event
        elif isinstance(event, ServerState):
            self._servers[event.model] = event
        elif isinstance(event, Servers):
            self._each[event.model] = event.servers
            for one in event.servers:
                self._note(self._each_lately.setdefault((event.model, one.name), deque()), one.answered)
        elif isinstance(event, Notice):
            self._console.print(Text(f"note: {one_line(event.text)}", style="yellow"))
        elif isinstance(event, Outset):
            self._order = tuple(event.owed)
            self._console.print(Text(words.outset(event)))
        elif isinstance(event, Stage | Measuring):
            self._stage = one_line(event.text)

    def _render(self) -> RenderableType:
        parts: list[RenderableType] = []
        there = {*self._servers, *(model for model, _ in self._tasks)}
        for model in dict.fromkeys([*self._order, *self._servers, *(model for model, _ in self._tasks)]):
            parts += self._block(model) if model in there else []
        if self._whole.planned:
            parts.append(self._whole_line())
        if self._stage:
            parts.append(Text(f"{self._stage} ...", style="dim"))
        return Group(*parts)

    def _block(self, model: str) -> Iterator[RenderableType]:
        """One model: its server, a row for each task, what failed, and its recovery so far."""
        tasks = self._of(model)
        if tasks and all(_complete(one) for one in tasks):
            yield self._done_line(model, tasks)
            return
        yield self._server_line(model)
        if self._each.get(model):
            yield Padding(self._each_table(model), (0, 0, 0, 2))
        if tasks:
            longest = max(len(one_line(one.task)) for one in tasks)
            fits = longest + self._bar + _FIGURES <= self._console.width
            yield Padding(self._table(tasks) if fits else Group(*self._stacked(tasks)), (0, 0, 0, 2))
        for one in tasks:
            if failed := words.failures(one):
                yield Padding(Text(f"{one_line(one.task)}: {failed}", style="red"), (0, 0, 0, 2))
        told = [one for one in (self._so_far.get((model, one.task)) for one in tasks) if one is not None]
        if told:
            yield Padding(Text(f"recovery {words.SO_FAR}:", style="dim"), (0, 0, 0, 2))
            yield from (Padding(Text(f"{one_line(one.task)} {words.recovery(one)}"), (0, 0, 0, 4)) for one in told)

    def _done_line(self, model: str, tasks: list[Progress]) -> Text:
        """A model that owes nothing more."""
        failed = sum(one.failed for one in tasks)
        reused = all(one.reused == one.planned for one in tasks)
        got = counted(sum(one.scored for one in tasks), "answer")
        text = Text.assemble(
            (one_line(model), "bold"), "  ", ("in the store" if reused else "answered", "cyan"), f"  {got}"
        )
        return text.append(f", {failed:,} failed", "red") if failed else text

    def _server_line(self, model: str) -> Text:
        state = self._servers.get(model)
        if state is None:
            return Text(one_line(model), style="bold")
        starting_s = self._whole.starting_s(model)
        detail = state.detail if starting_s is None else f"{words.minutes(starting_s)} {state.detail}"
        return Text.assemble(
            (one_line(model), "bold"),
            "  ",
            (state.state, "cyan"),
            "  ",
            (one_line(detail), "dim"),
            overflow="ellipsis",
            no_wrap=True,
        )

    def _each_table(self, model: str) -> Table:
        """A row for each of a model's servers: what it does, what it has under way, how quick it is."""
        table = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for one in self._each[model]:
            window = f"{one.under_way} of {one.window} under way" if one.window else ""
            rate = _rate(self._each_lately[model, one.name])
            speed = f"{rate:.1f} req/s" if rate and one.window else ""
            table.add_row(Text(one_line(one.name)), Text(one.state, style="cyan"), window, speed)
        return table

    def _whole_line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=self._whole.planned, completed=self._whole.answered, width=self._bar)
        line.add_row(Text("all", style="bold"), bar, Text(words.whole(self._whole)))
        return line

    @property
    def _bar(self) -> int:
        return 16 if self._console.width >= _WIDE else 8

    def _table(self, tasks: list[Progress]) -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("task", overflow="fold")
        table.add_column("", width=self._bar)
        for name in ("done", "score", "req/s", "left"):
            table.add_column(name, justify="right", no_wrap=True)
        for one in tasks:
            done = one.scored + one.failed
            rate, left = self._pace(one)
            bar = ProgressBar(total=max(1, one.planned), completed=done, width=self._bar)
            table.add_row(Text(one_line(one.task)), bar, f"{done}/{one.planned}", words.score(one), rate, left)
        return table

    def _stacked(self, tasks: list[Progress]) -> Iterator[Text]:
        """The same where a name has no room beside its figures: below it."""
        for one in tasks:
            rate, left = self._pace(one)
            told = [f"{one.scored + one.failed}/{one.planned}", f"score {words.score(one)}"]
            told += [f"{rate} req/s"] if rate else []
            told += [f"{left} left" if rate else left] if left else []
            yield Text(one_line(one.task))
            yield Text(f"  {'   '.join(told)}")

    def _note_pace(self, model: str) -> None:
        """Remember how far a model was when, over the last half minute."""
        self._note(self._lately.setdefault(model, deque()), sum(one.scored + one.failed for one in self._of(model)))

    def _note(self, lately: deque[tuple[float, int]], count: int) -> None:
        now = self._clock()
        if lately and count < lately[-1][1]:
            lately.clear()  # a server that was started again counts anew
        lately.append((now, count))
        while lately[0][0] < now - PACE_OVER_S:
            lately.popleft()

    def _of(self, model: str) -> list[Progress]:
        return [one for one in self._tasks.values() if one.model == model]

    def _pace(self, one: Progress) -> tuple[str, str]:
        """Requests per second of the model and its time left, beside the task that it is at."""
        if _complete(one):
            return "", "reused" if one.reused == one.planned else "done"
        open_tasks = [other for other in self._of(one.model) if not _complete(other)]
        lately = self._lately[one.model]
        rate = _rate(lately) if one is open_tasks[0] else 0.0
        if not rate:
            return "", ""
        seconds = int(sum(other.planned - other.scored - other.failed for other in open_tasks) / rate)
        return f"{rate:.1f}", words.minutes(seconds) if lately[-1][1] - lately[0][1] >= TELLING else ""


def _complete(one: Progress) -> bool:
    return one.scored + one.failed == one.planned


def _rate(lately: deque[tuple[float, int]]) -> float:
    """Answers a second between the first and the last look; 0 where nothing tells."""
    (since, before), (until, after) = lately[0], lately[-1]
    return (after - before) / (until - since) if until > since and after > before else 0.0
