"""Tasks that are asked as chat: a row's pictures and question in one message, its answer scored by the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import chat, prompts
from evalkit.benchmarks import BENCHMARKS
from evalkit.client import Request
from evalkit.errors import DataError
from evalkit.rows import Rows, open_rows
from evalkit.types import Failure, FailureKind, PublishedPrompt, Sample, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalkit.client import Asks
    from evalkit.harnesses.harness import Questions, Served
    from evalkit.types import Answer, Json, Task


@dataclass(frozen=True, slots=True)
class ChatQuestions:
    """The rows of a split as questions."""

    task: Task
    rows: Rows
    prompt: str
    checker: str = ""

    @property
    def available(self) -> int:
        """Rows of the split."""
        return self.rows.planned

    @property
    def revision(self) -> str:
        """Of the rows."""
        return self.rows.revision

    def planned(self, limit: int | None) -> int:
        """The first ``limit`` rows, or all."""
        return self.rows.planned if limit is None else min(limit, self.rows.planned)

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """The samples in stored order, each with its request digest."""
        benchmark = BENCHMARKS[self.task.benchmark]
        for position, row in enumerate(islice(self.rows, limit)):
            try:
                sample = benchmark.sample(row, self.prompt, position)
                request = chat.request_digest(sample, self.task)
            except DataError as error:
                # Its place is kept: a row that cannot be asked is a failure of every model, not a smaller denominator.
                yield Sample(f"row-{position:06d}", (Text(error.message),), None), ""
            else:
                yield sample, request


@dataclass(frozen=True, slots=True)
class ChatExam:
    """A task asked as chat, one request a sample."""

    task: Task
    model: str

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Nothing: every server that serves a chat model can do this."""

    def requests(self, owed: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """One request a sample, in the order of the samples."""
        for key, sample in owed:
            yield Request(key, partial(_payload, sample, self.task, self.model), chat.PATH)

    def alone(self, owed: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """Nothing: no reply leaves a sample owed."""
        del owed
        yield from ()

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether the texts are equal, also those that came back in another place."""
        return (stored.text, stored.elsewhere) == (found.text, found.elsewhere)

    @property
    def facts(self) -> Mapping[str, Json]:
        """Nothing beyond what the task says."""
        return {}


class Chat:
    """The harness of the vision tasks."""

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> ChatQuestions:
        """The rows of the task's split, from the hub or from ``data``."""
        del models
        prompt = prompts.read(task.prompt)
        benchmark = BENCHMARKS[task.benchmark]
        rows = open_rows(task.dataset, benchmark=benchmark, data=data, base=Path(task.source).parent, tell=tell)
        return ChatQuestions(task, rows, prompt)

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """The published prompt, and with ``rows`` every row."""
        prompts.read(task.prompt)
        published = isinstance(task.prompt, PublishedPrompt)
        if not rows:
            return "prompt ready" if published else "its rows are all there is to fetch (--rows)"
        count = sum(1 for _ in self.questions(task, None, tell).rows)
        return f"{'prompt and ' if published else ''}{count:,} rows ready"

    def exam(self, task: Task, served: Served, tell: Callable[[str], None]) -> ChatExam:
        """The task for one model."""
        del tell
        return ChatExam(task, served.name)

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> None:
        """None: the metrics judge the answers."""
        del task, questions, unsafe


def _payload(sample: Sample, task: Task, model: str) -> bytes | Failure:
    try:
        return chat.payload(sample, task, model)
    except DataError as error:
        return Failure(FailureKind.BAD_ROW, error.message)
