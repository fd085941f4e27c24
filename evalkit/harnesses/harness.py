"""What a harness is: where a task's samples come from, how they are asked, and who judges the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from evalkit.comparison.score import Scoring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.told import AskedWords
    from evalkit.base.types import Answer, Json, Model, Sample, Task
    from evalkit.client import Asks, Request


@dataclass(frozen=True, slots=True)
class Served:
    """A model on a live server."""

    url: str
    name: str
    """As the server names the model."""
    model: Model
    max_model_len: int | None = None
    """Context length in tokens that the server states; None when it does not say."""
    patience_s: float = 10.0
    """How long a question about a prompt is asked again while the server cannot answer it."""


class Questions(Protocol):
    """A task's samples: the same ones, in the same order, every time.

    Those that can tell so much have one property more, ``origin``: an identity of everything that the samples are made
    from, the code too, or None where something else may have a part in them. What was read of one origin is not read
    again to be listed. It may become None while samples are read.
    """

    @property
    def available(self) -> int:
        """Samples in the whole split (for a task with several attempts: samples x attempts)."""

    @property
    def revision(self) -> str:
        """Resolved revision of the data, or a digest of local files."""

    @property
    def checker(self) -> str:
        """Identity of what judges the answers; empty when the metrics do that themselves."""

    def planned(self, limit: int | None) -> int:
        """Samples that a run with ``--limit`` asks; all of them without."""

    def drawn(self, limit: int | None) -> bool:
        """Whether they are drawn at random from all (``evalkit.tasks.draw``), or else the first in stored order."""

    def rows(self, limit: int | None) -> Sequence[int] | None:
        """Which rows of the data they are, ascending, so that a picture is found again; None where no row has one."""

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """Every planned sample with its request digest (of everything but the model that can move the answer).

        A row that cannot be made into a question keeps its place: its digest is empty, its one text says why.
        """


class Facts(Protocol):
    """What a reader should know of how something was done: of the harness's own kind, kept by the run as JSON."""

    def stored(self) -> dict[str, Json]:
        """As they are kept."""

    def after(self, earlier: Mapping[str, Json]) -> dict[str, Json]:
        """As they are kept together with those that an earlier part of the run has kept; nothing is lost of either."""


class Session(Protocol):
    """One task asked of one model on one live server."""

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Look at the server before the samples are sent; nothing else is under way on it meanwhile.

        ``samples`` are some of the task's samples, the same ones every time.
        """

    def requests(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """What asks the owed samples, each given with its key.

        A request's ``key`` is the key of its sample with one outcome, or a tuple of keys with as many replies; a
        reply of None leaves its sample owed, and so does a failure of a request that is ``separable``.
        """

    def alone(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """What asks the samples that ``requests`` left owed; nothing of another kind is under way meanwhile."""

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether a model that gave ``stored`` may have given ``found`` to the same request, asked without chance."""

    @property
    def facts(self) -> Facts | None:
        """How the task was asked so far; None where there is nothing to say of it."""


@runtime_checkable
class Admits(Protocol):
    """A session that goes on other servers of the model, too, once a short look has shown that it may."""

    async def admit(self, client: Asks, samples: Sequence[Sample]) -> str:
        """Why what ``requests`` asks may not be asked of this server; empty where it may.

        It runs the same version with the same flags as the one that was looked at before the samples were sent.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """How answers of another tool are to be read."""

    data: Path | None
    """Where the task's own data are, in place of a download."""
    tell: Callable[[str], None]
    sanitize: bool = False
    """Whether they are raw, and what counts has to be cut out of them first."""
    unsafe: bool = False
    """Whether generated code may run without a sandbox."""


@dataclass(frozen=True, slots=True)
class ForeignAnswers:
    """Answers to a task that another tool has left."""

    task: Task
    """As they are scored: a file may hold more attempts than the task asks for."""
    answers: Iterator[tuple[Sample, Answer]]
    """In the order of the file; reading raises `DataError` with the place of what is wrong."""
    checker: Checker | None = None
    """Who has to judge them, to be closed in the end; None where the metrics do."""


class Checker(Protocol):
    """Judges answers outside this process, several at a time."""

    def submit(self, key: str, sample: Sample, text: str) -> None:
        """Take an answer to be judged."""

    def ready(self, wait_s: float = 0.0) -> list[tuple[str, Mapping[str, Json]]]:
        """Judgements that have come since, as (key, judgement); waits at most so long for the first one.

        Raises:
            EvalkitError: Answers cannot be judged on this machine.
        """

    def facts(self, timeouts: int) -> Facts:
        """How answers were judged; ``timeouts`` of them ran out of time, those judged by earlier runs included."""

    def close(self) -> None:
        """End the workers; what was not judged stays unjudged."""


class Harness(Scoring, Protocol):
    """How one kind of task is held, scored and grouped: everything that knows a family of benchmarks stands behind it.

    A protocol: a harness of one's own inherits from `Chat` (``evalkit.harnesses.chat``) or `ByMetrics`
    (``evalkit.harnesses.scoring``) and writes what is other; ``evalkit.testing.check`` names every rule that it breaks.
    """

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> Questions:
        """The task's samples, from the hub or from ``data``; ``models`` are the sources of those that will be asked.

        Raises:
            DataError: The data cannot be read or do not fit.
        """

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """Bring what the task would take from the network, with ``rows`` its data as well; says what is ready now.

        Raises:
            EvalkitError: It cannot be had.
        """

    def session(self, task: Task, served: Served, tell: Callable[[str], None]) -> Session:
        """The task for one model on its server; ``tell`` is for sentences that belong into the report."""

    def answers(self, file: Path, task: Task, reading: Reading) -> ForeignAnswers | None:
        """What another tool has left in a file or folder; None where no other tool's answers can be read.

        Raises:
            EvalkitError: The task's own data cannot be read, or its answers cannot be judged on this machine.
        """

    def pictures(self, task: Task) -> tuple[str, ...]:
        """Columns of a task's data that hold pictures, which the model has to see; empty where there are none."""

    def task_words(self, task: Task) -> tuple[str, ...]:
        """What a report has to say of the task itself, beyond its title and its metrics."""

    def asked_before(self) -> Facts | None:
        """Facts of a model whose answers all come from other runs; None where a task can be asked in one way only."""

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """How facts that a session told, as they were kept, read in a report; none is left out."""

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker | None:
        """Who judges the answers; None when the metrics do. ``unsafe`` lets code run without a sandbox."""

    def timed_out(self, judgement: Mapping[str, Json]) -> bool:
        """Whether an answer was judged wrong because its time ran out."""

    def judged_before(self, timeouts: int) -> Facts:
        """Facts of answers that were all judged by earlier runs, of which ``timeouts`` ran out of time."""

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """How facts that a checker told, as they were kept, read in a report; none is left out."""
