"""Tasks that are asked as chat: a row's pictures and question in one message, its answer scored by the metrics."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.base.errors import DataError
from evalkit.base.identity import digest
from evalkit.base.printable import counted
from evalkit.base.task_parts import PublishedPrompt
from evalkit.base.types import Failure, FailureKind, Sample, Score, Text
from evalkit.client import Request, chat
from evalkit.client.completions import read_chats
from evalkit.client.pictures import EncodedPictures
from evalkit.files import own_code
from evalkit.harnesses import attempts
from evalkit.harnesses.mathematics import checker
from evalkit.harnesses.scoring import ByMetrics
from evalkit.tasks import draw, extensions, metrics, prompts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Answer, Groups, Json, Task
    from evalkit.client import Asks
    from evalkit.harnesses.harness import Checker, Facts, Questions, Served
    from evalkit.tasks.rows import Rows


_FETCHED_TO_DRAW = 1 << 30
"""Bytes of a split that are fetched so that some of its rows can be drawn from all; of more only the first are read."""


@dataclass(frozen=True, slots=True)
class ChatQuestions:
    """The rows of a split as questions."""

    task: Task
    data: Rows
    prompt: str
    portion: Portion
    checker: str = ""

    @property
    def available(self) -> int:
        """Rows of the split, each as often as it is asked."""
        return self.data.planned * self.task.decoding.n

    @property
    def revision(self) -> str:
        """Of the rows."""
        return self.data.revision

    @property
    def origin(self) -> str | None:
        """Where evalkit's own rules alone make the samples, of what stands in the data's own files."""
        if self.task.extensions or not self.data.self_contained:
            return None
        return digest([codec.written(self.task), self.prompt, self.revision, own_code.state()])

    def planned(self, limit: int | None) -> int:
        """Attempts at the rows that a run with ``--limit`` asks."""
        return len(self.portion.places(limit)) * self.task.decoding.n

    def drawn(self, limit: int | None) -> bool:
        """Whether they are drawn from all rows. Not where that would take more than a gigabyte from the hub."""
        return limit is not None and self.portion.drawn(limit)

    def rows(self, limit: int | None) -> Sequence[int]:
        """Which rows a run with ``--limit`` asks, ascending, each for every attempt at it."""
        places, times = self.portion.places(limit), self.task.decoding.n
        return places if times == 1 else [place for place in places for _ in range(times)]

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """The samples in stored order, each with its request digest."""
        benchmark, chosen = extensions.benchmark(self.task), self.portion.places(limit)
        # A split that is read as it is fetched is read to its last row wanted, whatever stands in its footers.
        whole = isinstance(chosen, range)
        for position, row in islice(enumerate(self.data), len(chosen)) if whole else self.data.at(chosen):
            try:
                found = [*attempts.listed(benchmark.sample(row, self.prompt, position), self.task, chat.request_digest)]
            except DataError as error:
                # Its place is kept: a row that cannot be asked is a failure of every model, not a smaller denominator.
                bad = Sample(f"row-{position:06d}", (Text(error.message),), None)
                found = [(one, "") for one, _ in attempts.listed(bad, self.task, lambda *_: "")]
            except Exception as error:
                error.add_note(f"at row {position} of {self.task.name}, counted from 0")
                raise
            yield from found


@dataclass(slots=True)
class Portion:
    """Which rows of a split a limit asks."""

    task: Task
    rows: Rows
    tell: Callable[[str], None]
    possible: bool | None = None
    """Whether rows can be drawn; decided once, since files come while rows are read."""
    units: list[str] = field(default_factory=list)
    """What each row is drawn together with, once that was looked up."""
    chosen: dict[int, list[int]] = field(default_factory=dict)
    """What was drawn, by limit: every look at a run asks again, and digests of 200,000 names take half a second."""

    def drawn(self, limit: int) -> bool:
        """Whether so many rows are drawn."""
        if self.possible is None:
            self.possible = self.rows.absent(limit) <= _FETCHED_TO_DRAW
            if not self.possible:
                self.tell(
                    f"{self.task.name}: the first {counted(limit, 'row')} in stored order: to draw them at random "
                    f"every file has to be here (evalkit fetch --rows)"
                )
        return self.possible

    def places(self, limit: int | None) -> Sequence[int]:
        """Of the planned rows, ascending; a range where they are the first ones."""
        if limit is None or limit >= self.rows.planned:
            return range(self.rows.planned)
        if not self.drawn(limit):
            return range(limit)
        if limit not in self.chosen:
            if not self.units:
                self.units.extend(self._read())
            self.chosen[limit] = draw.whole_units(self.units, limit)
        return self.chosen[limit]

    def _read(self) -> Iterator[str]:
        """What each row is drawn together with: by the columns that name it, else by its picture's digest."""
        benchmark = extensions.benchmark(self.task)
        named = [benchmark.unit(row, place) for place, row in enumerate(self.rows.cells(benchmark.unit_columns))]
        if None not in named:
            yield from (unit for unit in named if unit is not None)
            return
        pictures = counted(self.rows.planned, "picture")
        self.tell(f"{self.task.name}: looking at {pictures}, to draw some with all their questions")
        for place, row in enumerate(self.rows.cells([benchmark.shared_image])):
            yield benchmark.picture(row, place)


@dataclass(frozen=True, slots=True)
class ChatSession:
    """A task asked as chat, one request a sample, or one for several attempts at a sample."""

    task: Task
    model: str
    pictures: EncodedPictures = field(default_factory=EncodedPictures)

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Nothing: every server that serves a chat model can do this."""

    def requests(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """One request a sample, in the order of the samples; attempts at one are asked for together where they can."""
        return attempts.requests(pending, self.task, self._single, self._together)

    def alone(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """Each attempt by itself, where a server would not give several in one response."""
        return attempts.separately(pending, self.task, self._single) if self.task.decoding.n > 1 else iter(())

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether the texts are equal, also those that came back in another place."""
        # What was stored before reasoning was kept beside a text has none.
        beside = stored.elsewhere if stored.elsewhere is None and stored.astray is None else found.elsewhere
        return (stored.text, stored.elsewhere) == (found.text, beside)

    def _single(self, key: str, sample: Sample, task: Task) -> Request:
        sample = self.pictures.shared(sample)
        return Request(key, self._body(sample, task), chat.PATH, beginning=chat.beginning(sample))

    def _together(self, entries: Sequence[tuple[str, Sample]]) -> Request:
        keys, (first, *others) = zip(*entries, strict=True)
        count = len(keys)
        task = replace(self.task, decoding=replace(self.task.decoding, n=count))
        return Request(
            keys,
            self._body(first, task),
            chat.PATH,
            partial(read_chats, count),
            more_tokens=len(others) * task.decoding.max_tokens,
            separable=True,
            beginning=chat.beginning(first),
        )

    def _body(self, sample: Sample, task: Task) -> Callable[[], bytes | Failure]:
        return partial(_payload, sample, task, self.model, self.pictures)

    @property
    def facts(self) -> None:
        """None beyond what the task says."""


class Chat(ByMetrics):
    """The harness of the vision tasks."""

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> ChatQuestions:
        """The rows of the task's split, from the hub or from ``data``."""
        # A report asks a harness as well, and reads no rows.
        from evalkit.tasks.rows import open_rows  # noqa: PLC0415

        del models
        prompt = prompts.read(task.prompt)
        benchmark = extensions.benchmark(task)
        judge = checker.identity() if _judged(task) else ""
        rows = open_rows(task.dataset, benchmark=benchmark, data=data, base=Path(task.source).parent, tell=tell)
        return ChatQuestions(task, rows, prompt, Portion(task, rows, tell), judge)

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """The published prompt, and with ``rows`` every row."""
        prompts.read(task.prompt)
        published = isinstance(task.prompt, PublishedPrompt)
        if not rows:
            return "prompt ready" if published else "its rows are all there is to fetch (--rows)"
        count = sum(1 for _ in self.questions(task, None, tell).data)
        return f"{'prompt and ' if published else ''}{counted(count, 'row')} ready"

    def session(self, task: Task, served: Served, tell: Callable[[str], None]) -> ChatSession:
        """The task for one model."""
        del tell
        return ChatSession(task, served.name)

    def pictures(self, task: Task) -> tuple[str, ...]:
        """The columns that the benchmark says; none of one that is not known."""
        known = extensions.known_benchmark(task)
        return known.image_columns if known else ()

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """The kinds of a question, or the category that a task file has its row name."""
        told = sample.references
        return sample.kinds or ((told["category"],) if isinstance(told, dict) and "category" in told else ())

    def made_of(self, sample: Sample) -> str:
        """None: a question may be of several kinds, and the score is a mean over questions."""
        del sample
        return ""

    def groups(self, task: Task) -> Groups:
        """What the benchmark says; of one that is not known, groups are fixed."""
        known = extensions.known_benchmark(task)
        return known.groups if known else super().groups(task)

    def metric(self, name: str, task: Task, sample: Sample, answer: Answer) -> Score:
        """What one metric says; of those that a checker decides, what it said."""
        if name not in metrics.JUDGED:
            return super().metric(name, task, sample, answer)
        if answer.scored(task) is None:
            return Score(0.0, note=metrics.NO_CONTENT)
        if answer.judgement is None:
            return Score(0.0, note="not judged")
        word, parsed, note = (answer.judgement.get(key) for key in (name, "parsed", "note"))
        if word == "no reference":
            return Score(0.0, note="reference cannot be read", left_out=True)
        return Score(float(word == "pass"), parsed, note)

    def score_origin(self, task: Task) -> str | None:
        """Nothing but evalkit's own rules score an answer: not so with an extension, nor where a checker is asked."""
        return None if type(self) is not Chat or task.extensions or _judged(task) else "evalkit"

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker | None:
        """Who compares mathematics, where a metric asks for that; None where the metrics judge the answers alone."""
        del questions, unsafe
        return checker.MathChecker() if _judged(task) else None

    def timed_out(self, judgement: Mapping[str, Json]) -> bool:
        """Whether comparing an answer took too long."""
        return "timeout" in judgement.values()

    def judged_before(self, timeouts: int) -> Facts:
        """That this run judged nothing."""
        return checker.judged_before(timeouts)

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """How many answers were compared."""
        return checker.MathFacts.read(facts).words()


def _judged(task: Task) -> bool:
    return any(name in metrics.JUDGED for name in task.metrics)


def _payload(sample: Sample, task: Task, model: str, pictures: EncodedPictures) -> bytes | Failure:
    try:
        return chat.payload(sample, task, model, pictures)
    except DataError as error:
        return Failure(FailureKind.BAD_ROW, error.message)
