"""A sample that is asked several times: each attempt is listed, stored and resumed by itself (``id#0``, ``id#1``)."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from evalkit.base.identity import digest
from evalkit.comparison.score import paired_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    from evalkit.base.types import Decoding, Sample, Task
    from evalkit.client import Request

    Owed: TypeAlias = Iterable[tuple[str, Sample]]
    RequestDigest: TypeAlias = Callable[[Sample, Task], str]
    Together: TypeAlias = Callable[[list[tuple[str, Sample]]], Request]
    Single: TypeAlias = Callable[[str, Sample, Task], Request]


def listed(sample: Sample, task: Task, request_digest: RequestDigest) -> Iterator[tuple[Sample, str]]:
    """The attempts at a sample, each with its request digest; the sample itself where it is asked once.

    The first attempt's request is the one of a task that asks once, so that asking more often later keeps its answer.

    Raises:
        DataError: The sample cannot be asked.
    """
    if task.decoding.n == 1:
        yield sample, request_digest(sample, task)
        return
    for attempt in range(task.decoding.n):
        request = request_digest(sample, of_attempt(task, attempt))
        # A seed of its own tells an attempt from the others; without one its number has to.
        told = request if attempt == 0 or task.decoding.seed is not None else digest([request, "attempt", attempt])
        yield replace(sample, id=f"{sample.id}#{attempt}"), told


def of_attempt(task: Task, attempt: int) -> Task:
    """The task as one attempt is asked, counted from 0."""
    seed = task.decoding.seed
    return replace(task, decoding=replace(task.decoding, n=1, seed=None if seed is None else seed + attempt))


def number(sample: Sample) -> int:
    """Which attempt a listed sample is."""
    return int(sample.id.rpartition("#")[2])


def requests(pending: Owed, task: Task, single: Single, together: Together) -> Iterator[Request]:
    """What asks the owed samples of a task: attempts at one that can be asked for together are.

    Args:
        pending: Keys with samples, in the order of the listing.
        task: Says how often each is asked.
        single: The request for one of them, by the task as it is asked.
        together: The request for several attempts at one sample.
    """
    if task.decoding.n == 1:
        for key, sample in pending:
            yield single(key, sample, task)
        return
    for _, group in groupby(pending, key=lambda entry: paired_id(entry[1].id, task.decoding.n)):
        entries = list(group)
        if len(entries) > 1 and joined(task.decoding):
            yield together(entries)
        else:
            yield from separately(entries, task, single)


def separately(pending: Owed, task: Task, single: Single) -> Iterator[Request]:
    """A request for each attempt."""
    for key, sample in pending:
        yield single(key, sample, of_attempt(task, number(sample)))


def joined(decoding: Decoding) -> bool:
    """Whether attempts may be choices of one request: not where each has a seed, nor where all would be alike."""
    return decoding.n > 1 and decoding.seed is None and decoding.temperature > 0
