"""What one model still owes: the planned samples that the store has no answer for, as requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from evalkit import chat
from evalkit.client import Request
from evalkit.errors import DataError
from evalkit.events import Progress
from evalkit.score import Tally
from evalkit.store import FINAL, settled
from evalkit.types import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.events import Say
    from evalkit.plan import Contender
    from evalkit.prepare import Source
    from evalkit.store import Store
    from evalkit.types import Outcome, Sample, Task


@dataclass(slots=True)
class Ledger:
    """What one model still owes, and how far each task has come."""

    contender: Contender
    sources: Sequence[Source]
    store: Store
    run: str
    say: Say
    waiting: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Fingerprint -> (source, position) of the samples without an answer. Equal samples share one request."""
    _tallies: list[Tally] = field(default_factory=list)
    _reused: list[int] = field(default_factory=list)
    owed_at_first: int = 0
    """Requests that the store had no outcome for when the ledger was opened."""

    def __post_init__(self) -> None:
        """Look every planned sample up in the store."""
        fingerprint = self.contender.fingerprint()
        # A server that evalkit did not start may be started again with other flags: what it refused is asked again.
        final = (FailureKind.BAD_ROW,) if self.contender.model.endpoint else FINAL
        for number, source in enumerate(self.sources):
            tally = Tally(source.part.task, self.contender.model.label)
            reused = 0
            for position, record in enumerate(self.store.records(source.part.listing, fingerprint)):
                entry = source.entries[position]
                if entry.request and not settled(record.outcome, final):
                    self.waiting.setdefault(fingerprint(entry.request), []).append((number, position))
                elif record.outcome is not None:
                    tally.add(record.sample, record.outcome)
                    reused += bool(entry.request)
            self._tallies.append(tally)
            self._reused.append(reused)
            self._tell(number)
        self.owed_at_first = len(self.waiting)

    def task(self, key: str) -> Task:
        """The task of a request that is still owed."""
        return self.sources[self.waiting[key][0][0]].part.task

    def settle(self, key: str, outcome: Outcome) -> None:
        """Commit one outcome and count it for every sample that it answers."""
        self.store.put(key, outcome, self.run)
        for number, position in self.waiting.pop(key):
            sample = self.store.sample(self.sources[number].entries[position].sample)
            self._tallies[number].add(sample, outcome)
            self._tell(number)

    def _tell(self, number: int) -> None:
        tally, part = self._tallies[number], self.sources[number].part
        self.say(
            Progress(
                model=self.contender.model.label,
                task=part.task.name,
                planned=part.planned,
                reused=self._reused[number],
                scored=len(tally.paired),
                failed=tally.failed,
                score=tally.running,
            )
        )

    @property
    def answered(self) -> bool:
        """Whether the model has answered anything at all, now or before."""
        return any(tally.paired for tally in self._tallies)

    @property
    def reused(self) -> int:
        """Samples that were answered before."""
        return sum(self._reused)

    # --- requests, in the order of the rows ---

    def heaviest(self, model: str) -> Iterator[Request]:
        """The request of each task that is expected to need the longest prompt, if it is still owed."""
        fingerprint = self.contender.fingerprint()
        asked = set()
        for source in self.sources:
            sample = source.heaviest
            if sample is not None:
                key = fingerprint(chat.request_digest(sample, source.part.task))
                if key in self.waiting and key not in asked:
                    asked.add(key)
                    yield _request(key, sample, source.part.task, model)

    def owed(self, model: str) -> Iterator[Request]:
        """Every request that is still owed."""
        fingerprint = self.contender.fingerprint()
        owed = set(self.waiting)
        for source in self.sources:
            if not any(fingerprint(entry.request) in owed for entry in source.entries):
                continue
            for sample, request in source.samples():
                key = fingerprint(request)
                if key in owed:
                    owed.remove(key)
                    yield _request(key, sample, source.part.task, model)


def _request(key: str, sample: Sample, task: Task, model: str) -> Request:
    return Request(key, partial(_payload, sample, task, model), chat.PATH)


def _payload(sample: Sample, task: Task, model: str) -> bytes | Failure:
    try:
        return chat.payload(sample, task, model)
    except DataError as error:
        return Failure(FailureKind.BAD_ROW, error.message)
