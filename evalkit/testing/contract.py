"""What every harness keeps to, so that answers are stored, reused and paired; broken rules are told by name.

A task is read twice by two readers, then asked of the stand-in server. What differs between two readings differs
between two runs, too: answers that were given are then not found again, and pairs are made of different questions.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import ConfigError
from evalkit.base.types import Answer, Failure, Model
from evalkit.client import Client, SendingPolicy
from evalkit.harnesses import Served, harness
from evalkit.testing.server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from evalkit.base.types import Outcome, Replies, Sample, Task
    from evalkit.client import Request
    from evalkit.harnesses import Harness, Questions, Session

    Listing = list[tuple[Sample, str]]

RULES: Final = {
    "counts": "`planned`, `available` and `rows` say how many samples there are",
    "same samples": "read again, or opened and read again, there are as many as before",
    "same order": "they come in one order every time",
    "same content": "each is the same question every time",
    "same references": "it is held against the same references every time",
    "same groups": "it goes together with the same samples every time",
    "stable digests": "its request has one digest every time, and no other question has that digest",
    "unique ids": "no two samples have one id",
    "every request accounted for": "each sample is asked once, gets one outcome, and no other is asked",
    "scores": "every metric of the task, and no other, scores an answer, and alike each time",
    "scores within 0 to 1": "each is a number from 0 to 1",
}
"""What a line that names a broken rule begins with, to what the rule asks."""
_MODEL = "tiny"
_REHEARSED = 12


def check(
    task: Task, data: Path | None = None, *, limit: int | None = None, server: Callable[[], ModelServer] | None = None
) -> None:
    """Hold a task and its harness to the contract.

    Args:
        task: Such as ``evalkit.tasks.registry.find(["gauges"], [folder])`` gives.
        data: Its rows, in place of what the task names.
        limit: Samples that are read and asked; all of them by default.
        server: Makes the stand-in for a model server that is asked; `ModelServer` as it is by default.

    Raises:
        AssertionError: With a line for every rule that is broken, and the sample that shows it.
    """
    if broken := broken_rules(task, data, limit=limit, server=server):
        raise AssertionError("\n".join([f"{task.name} breaks the contract of harnesses:", *broken]))


def broken_rules(
    task: Task, data: Path | None = None, *, limit: int | None = None, server: Callable[[], ModelServer] | None = None
) -> list[str]:
    """A sentence for each rule that a task or its harness breaks; see `check`."""
    held = harness(task)
    first, second = (held.questions(task, data, _quiet) for _ in range(2))
    listing = list(first.samples(limit))
    found = [
        *_counts(first, listing, limit),
        *_alike(listing, list(first.samples(limit)), "read again"),
        *_alike(listing, list(second.samples(limit)), "opened and read again"),
        *_ids(listing),
        *_digests(listing),
    ]
    if found:
        # What is asked and scored below is known by these.
        return found
    return _Asked(held, task, listing).broken(server or (lambda: ModelServer(_MODEL)))


def _quiet(text: str) -> None:
    del text


def _counts(questions: Questions, listing: Listing, limit: int | None) -> Iterable[str]:
    planned = questions.planned(limit)
    if planned != len(listing):
        yield f"counts: planned({limit}) is {planned}, and there are {len(listing)} samples"
    if questions.planned(None) != questions.available:
        yield f"counts: planned(None) is {questions.planned(None)}, and available is {questions.available}"
    rows = questions.rows(limit)
    if rows is not None and len(rows) != len(listing):
        yield f"counts: rows({limit}) names {len(rows)} rows of {len(listing)} samples"


def _alike(listing: Listing, other: Listing, when: str) -> Iterable[str]:
    """The first sample that another reading does not give alike, and in what it differs."""
    for place, (one, two) in enumerate(zip_longest(listing, other)):
        if one is None or two is None:
            yield f"same samples: {when}, there are {len(other)} instead of {len(listing)}"
            return
        (sample, digest), (again, digest_again) = one, two
        if sample.id != again.id:
            yield f"same order: {when}, sample {place} is '{again.id}' instead of '{sample.id}'"
            return
        pairs = {
            "same content": (sample.content, again.content),
            "same references": (sample.references, again.references),
            "same groups": (sample.cluster, again.cluster),
            "stable digests": (digest, digest_again),
        }
        if differing := [rule for rule, (before, after) in pairs.items() if before != after]:
            yield f"{', '.join(differing)}: {when}, sample '{sample.id}' is another"
            return


def _ids(listing: Listing) -> Iterable[str]:
    seen = Counter(sample.id for sample, _ in listing)
    if twice := next((name for name, count in seen.items() if count > 1), None):
        yield f"unique ids: {seen[twice]} samples have the id '{twice}'"


def _digests(listing: Listing) -> Iterable[str]:
    """One digest stands for one request: two questions that share it would share an answer."""
    content: dict[str, Sample] = {}
    for sample, digest in listing:
        other = content.setdefault(digest, sample) if digest else sample
        if other.content != sample.content:
            yield f"stable digests: '{other.id}' and '{sample.id}' are other questions with one digest"
            return


@dataclass(slots=True)
class _Asked:
    """A task that is asked of the stand-in server."""

    held: Harness
    task: Task
    listing: Listing
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def broken(self, make: Callable[[], ModelServer]) -> list[str]:
        """Rules that are broken while it is asked, and when its answers are scored."""
        with make() as server:
            model = Model(server.model, server.model, "stand-in")
            session = self.held.session(
                self.task, Served(server.url, server.model, model, server.max_model_len), _quiet
            )
            asyncio.run(self._ask(server, session))
        return [*self.faults, *self._scored()]

    async def _ask(self, server: ModelServer, session: Session) -> None:
        # Equal requests of two samples are one.
        pending = {digest: sample for sample, digest in self.listing if digest}
        samples = list(pending.values())
        step = max(1, len(samples) // _REHEARSED)
        async with Client(server.url, server.model, SendingPolicy(tries=2, patience_s=5.0)) as client:
            await session.rehearse(client, samples[::step][:_REHEARSED])
            for ask in (session.requests, session.alone):
                owed = {key: sample for key, sample in pending.items() if key not in self.outcomes}
                if owed:
                    await self._settle(client, list(ask(iter(owed.items()))), owed, ask.__name__)
        if missing := [sample.id for key, sample in pending.items() if key not in self.outcomes]:
            self.faults.append(f"every request accounted for: {len(missing)} samples were not asked, as '{missing[0]}'")

    async def _settle(self, client: Client, requests: Sequence[Request], owed: dict[str, Sample], name: str) -> None:
        keys = Counter(key for request in requests for key in _keys(request))
        if unknown := [key for key in keys if key not in owed]:
            self.faults.append(f"every request accounted for: {name}() asks for {unknown[0]!r}, which is not owed")
        if twice := [key for key, count in keys.items() if count > 1 and key in owed]:
            self.faults.append(f"every request accounted for: {name}() asks for '{owed[twice[0]].id}' twice")
        async for request, outcome in client.ask(requests):
            self._keep(request, outcome)

    def _keep(self, request: Request, outcome: Outcome | Replies) -> None:
        keys = _keys(request)
        replies = outcome if isinstance(outcome, tuple | list) else [outcome] * len(keys)
        if len(replies) != len(keys):
            self.faults.append(
                f"every request accounted for: {len(replies)} replies came to a request of {len(keys)} samples"
            )
        self.outcomes |= {key: reply for key, reply in zip(keys, replies, strict=False) if reply is not None}

    def _scored(self) -> Iterable[str]:
        """Rules that the scores break; answers that a checker judges have none yet."""
        for sample, digest in self.listing:
            outcome = self.outcomes.get(digest)
            if isinstance(outcome, Failure):
                yield f"every request accounted for: '{sample.id}' failed: {outcome.kind.value}: {outcome.message}"
                return
            if not isinstance(outcome, Answer):
                continue
            try:
                first, again = (self.held.score(self.task, sample, outcome) for _ in range(2))
            except ConfigError as error:
                yield f"scores within 0 to 1: {error.message}"
                return
            if set(first) != set(self.task.metrics):
                yield f"scores: sample '{sample.id}' has {', '.join(first)} instead of {', '.join(self.task.metrics)}"
                return
            for name, score in first.items():
                if not (math.isfinite(score.value) and 0 <= score.value <= 1):
                    yield f"scores within 0 to 1: {name} of '{sample.id}' is {score.value}"
                    return
            if first != again:
                yield f"scores: the same answer to '{sample.id}' is scored otherwise the second time"
                return


def _keys(request: Request) -> tuple[str, ...]:
    return request.key if isinstance(request.key, tuple) else (request.key,)
