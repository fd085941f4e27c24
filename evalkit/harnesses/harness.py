"""What a harness is: where a task's samples come from, how they are asked, and who judges the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalkit.comparison.score import Scoring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

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
    """A task's samples: the same ones, in the same order, every time."""

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
    def facts(self) -> Mapping[str, Json]:
        """What a reader should know of how this exam was held, for the report; empty when there is nothing."""


class Checker(Protocol):
    """Judges answers outside this process, several at a time."""

    def submit(self, key: str, sample: Sample, text: str) -> None:
        """Take an answer to be judged."""

    def ready(self, wait_s: float = 0.0) -> list[tuple[str, Mapping[str, Json]]]:
        """Verdicts that have come since, as (key, verdict); waits at most so long for the first one.

        Raises:
            EvalkitError: Answers cannot be judged on this machine.
        """

    @property
    def facts(self) -> Mapping[str, Json]:
        """How answers were judged, for the report: the sandbox, the limits, timeouts."""

    def close(self) -> None:
        """End the workers; what was not judged stays unjudged."""


class Harness(Scoring, Protocol):
    """How one kind of task is held, scored and grouped (`Scoring`)."""

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

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker | None:
        """Who judges the answers; None when the metrics do. ``unsafe`` lets code run without a sandbox."""
