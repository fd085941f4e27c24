"""Records become scores: one per sample and metric, and one task score."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field, fields
from functools import lru_cache
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from evalkit.base.identity import digest, said
from evalkit.base.scores import SampleScore, TaskScore
from evalkit.base.types import Answer, Failure
from evalkit.comparison import behaviour, tally_columns
from evalkit.comparison.behaviour import Behaviour

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import FailureKind, Groups, Json, Outcome, Record, Sample, Score, Task


class Scoring(Protocol):
    """How the answers to a kind of task are scored and grouped: what its harness knows, and a comparison needs.

    One that can tell so much has one method more, ``score_origin(task)``: an identity of everything but sample, answer,
    task and evalkit's own code that scores and parts are made from, such as the code of another package, or None where
    something may have a part in them that it does not know.
    """

    def score(self, task: Task, sample: Sample, answer: Answer) -> Mapping[str, Score]:
        """What every metric of ``task`` says of one answer, by the metric's name; how long it took is no part of it."""

    def mean(self, metric: str, values: Collection[Sequence[float]]) -> float | None:
        """A metric's score of a whole task; None where it cannot be had.

        ``values`` are 0 to 1, not empty: of each thing that is paired, what the metric says of each attempt at it.
        """

    def combined(self, task: Task, metric: str, parts: Sequence[tuple[float, int]]) -> float | None:
        """A metric's score of a task from those of its parts (`made_of`), each with its number of samples.

        None where it is no more than the mean over what is paired.
        """

    def made_of(self, sample: Sample) -> str:
        """The part of the task, of those that may make its score, that a sample is in; empty where there are none."""

    def parts_alike(self, task: Task) -> bool:
        """Whether each part of a task counts alike in its headline, whatever its size."""

    def groups(self, task: Task) -> Groups:
        """What the groups of a task's samples are, where it does not state it itself."""

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """The named parts of the task that a sample is in and that are compared on their own too, the widest first."""


def grouped(sample: Sample, task: Task, scoring: Scoring) -> dict[str, str | None]:
    """The ``cluster`` that a sample was drawn in, or the ``stratum`` that it is of; both None where it is alone."""
    return hanging(sample, fixed=fixed_groups(task, scoring))


def fixed_groups(task: Task, scoring: Scoring) -> bool:
    """Whether the groups of a task's samples are all that there are: strata, and no clusters."""
    return (task.groups or scoring.groups(task)) == "fixed"


def hanging(sample: Sample, *, fixed: bool) -> dict[str, str | None]:
    """What ``grouped`` says of a sample of a task with ``fixed_groups`` or without."""
    return {"cluster": None if fixed else sample.cluster, "stratum": sample.cluster if fixed else None}


def unit(sample: Sample, task: Task) -> str:
    """Id of what is paired: the sample, or the problem that the sample is one attempt at (``problem#7``)."""
    return paired_id(sample.id, task.decoding.n)


def drawn_with(sample: Sample, task: Task, scoring: Scoring) -> str:
    """What is drawn together with a sample, by name: its cluster, or what is paired alone."""
    own = unit(sample, task)
    return own if sample.cluster == own else grouped(sample, task, scoring)["cluster"] or own


def paired_id(sample: str, attempts: int) -> str:
    """Id of what is paired, from the id of a sample of a task that asks its problems ``attempts`` times."""
    return sample.rpartition("#")[0] if attempts > 1 else sample


def parts_of(key: str, score: Score) -> dict[str, float]:
    """What of an answer is paired by itself, with its value: the answer under its key, or its parts under theirs."""
    return {f"{key}[{place}]": value for place, value in enumerate(score.parts)} or {key: score.value}


@dataclass(frozen=True, slots=True)
class ScoredRecord:
    """One planned sample of one model with what became of it, and what every metric says: once, for all who ask."""

    sample: Sample
    """Its images carry their digest only."""
    outcome: Outcome
    scores: Mapping[str, Score] = field(default_factory=dict)
    """By metric; empty where there is no answer."""

    def counted(self, headline: str) -> bool:
        """Whether there is an answer, and references that it can be held against."""
        return bool(self.scores) and not self.scores[headline].left_out


def scored(task: Task, sample: Sample, outcome: Outcome, scoring: Scoring) -> ScoredRecord:
    """A sample with its outcome, scored if it is an answer."""
    if isinstance(outcome, Failure):
        return ScoredRecord(sample, outcome)
    return ScoredRecord(sample, outcome, scoring.score(task, sample, outcome))


def scored_alike(task: Task, sample: Sample, outcomes: Iterable[Outcome], scoring: Scoring) -> list[ScoredRecord]:
    """The same of several models' outcomes on one sample; answers that say the same are scored once."""
    found: list[ScoredRecord] = []
    for outcome in outcomes:
        alike = next((one for one in found if _alike(one.outcome, outcome)), None)
        found.append(
            scored(task, sample, outcome, scoring) if alike is None else ScoredRecord(sample, outcome, alike.scores)
        )
    return found


def _alike(one: Outcome, other: Outcome) -> bool:
    """Whether two outcomes are answers that differ in how long they took, if in anything."""
    if isinstance(one, Failure) or isinstance(other, Failure) or one.text != other.text:
        return False
    return all(getattr(one, name) == getattr(other, name) for name in _SAID)


_SAID = [one.name for one in fields(Answer) if one.name not in {"latency_s", "tries"}]
"""What of an answer its scores may depend on."""
_SHORT = 64
"""Characters of an answer whose digest is kept: short ones repeat, and share one text in memory then."""


def _said(answer: str | None) -> str:
    """What tells an answer from another one."""
    return _said_anew(answer) if answer is not None and len(answer) > _SHORT else _said_before(answer)


def _said_anew(answer: str | None) -> str:
    return digest(answer)[:16]


_said_before = lru_cache(maxsize=32_768)(_said_anew)


_COUNTED = ("in_parts", "of_kinds", "made_of", "_wholes", "_texts", "_running", "_scored", "_reasoned", "_left_out")
_COUNTERS = ("_notes", "_elsewhere")
_IN_TUPLES = ("groups", "_sums")
"""Attributes of a tally: those that JSON holds as they are, its counters, and those of tuples by key."""


class Tally:
    """Adds up one model's outcomes on one task, in any order."""

    def __init__(self, task: Task, model: str, scoring: Scoring) -> None:
        """Start empty; ``scoring`` is the task's."""
        self.task = task
        self.model = model
        self._scoring = scoring
        self._fixed = fixed_groups(task, scoring)
        self.in_parts = False
        """Whether what is paired are parts of answers: then there are more of them than samples."""
        self.behaviour: dict[str, Behaviour] = {}
        """Of each answer, by sample id."""
        self.latencies_s = array("d")
        """How long each of these answers took, in their order."""
        self.groups: dict[str, tuple[str, ...]] = {}
        """By id of what is paired: the parts of the task that it is in, the widest first."""
        self.of_kinds = False
        """Whether these parts are kinds of question, of which none is wider than another."""
        self.made_of: dict[str, str] = {}
        """By id of what would be paired, answered or not: the part of the task's score that it is in."""
        self._wholes: dict[str, str] = {}
        """Id of a part of an answer (`parts_of`) to that of the answer."""
        self._sums: dict[str, tuple[float, int, int]] = {}
        """By such a part: the sum of its headline scores, its samples, and those of them without an answer."""
        self._values: dict[str, dict[str, tuple[float, ...]]] = {name: {} for name in task.metrics}
        self._once: dict[float, tuple[float]] = {}
        """A value as that of one attempt, by itself: hundreds of thousands of samples share few of them."""
        self._texts: dict[str, dict[str, str | None]] = {}
        self._paired: dict[str, SampleScore] = {}
        self._failed: dict[str, Failure] = {}
        self._running = 0.0
        self._scored = self._reasoned = 0
        self._notes: Counter[str] = Counter()
        self._left_out: dict[str, dict[str, str]] = {}
        self._elsewhere: Counter[str] = Counter()

    def kept(self) -> Iterator[Json]:
        """All that has been counted, in parts that JSON holds."""
        plain = {name: getattr(self, name) for name in (*_COUNTED, *_COUNTERS, *_IN_TUPLES)}
        yield {**plain, "failed": tally_columns.of_failures(self._failed)}
        yield from tally_columns.of_objects(self.behaviour, Behaviour)
        yield list(self.latencies_s)
        yield from tally_columns.of_objects(self._paired, SampleScore)
        yield from tally_columns.of_values(self._values)

    def restore(self, kept: tally_columns.Shared) -> None:
        """Take what another one has ``kept`` in the place of what has been counted here."""
        plain = next(kept.columns)
        for names, kind in ((_COUNTED, None), (_COUNTERS, Counter), (_IN_TUPLES, tally_columns.tuples)):
            for name in names:
                setattr(self, name, kind(plain[name]) if kind else plain[name])
        self._failed = tally_columns.failures(plain["failed"])
        self.behaviour = kept.objects(Behaviour, behaviour.shared)
        self.latencies_s = array("d", next(kept.columns))
        self._paired = kept.objects(SampleScore)
        self._values = kept.values(self._values)

    def add(self, sample: Sample, outcome: Outcome) -> None:
        """Score one sample, and count it."""
        self.count(scored(self.task, sample, outcome, self._scoring))

    def count(self, record: ScoredRecord) -> None:
        """Count one sample."""
        sample, outcome, found = record.sample, record.outcome, record.scores
        self._note_part(sample, found.get(self.task.headline))
        if isinstance(outcome, Failure):
            self._failed[sample.id] = outcome
            return
        key = unit(sample, self.task)
        for name, score in found.items():
            if not score.left_out:
                for part, value in parts_of(key, score).items() if score.parts else ((key, score.value),):
                    self._add_value(name, part, value, key)
        headline = found[self.task.headline]
        if headline.left_out:
            self._left_out.setdefault(headline.note or "", {})[sample.id] = key
            return
        self.in_parts = self.in_parts or bool(headline.parts)
        self._running += headline.value
        self._scored += 1
        # Attempts at one problem are averaged: that they share it is no group any more.
        hangs = hanging(sample, fixed=self._fixed) if sample.cluster != key else {}
        if headline.parts:  # they are no independent samples
            hangs = {**hangs, "cluster": key}
        for part in parts_of(key, headline) if headline.parts else (key,):
            self._pair(part, sample, outcome, hangs)
        self.behaviour[sample.id] = behaviour.of(outcome, unparsed=headline.parsed is None)
        self.latencies_s.append(outcome.latency_s)
        if outcome.astray:
            self._elsewhere[outcome.astray.place] += 1
        self._reasoned += outcome.reasoning is not None
        if headline.note:
            self._notes[headline.note] += 1

    def _note_part(self, sample: Sample, headline: Score | None) -> None:
        """Which part of the task a sample is in, and what it adds to it; None where it has no answer."""
        part = self._scoring.made_of(sample)
        if part:
            self.made_of[unit(sample, self.task)] = part
        if part and not (headline and headline.left_out):
            total, counted, failed = self._sums.get(part, (0.0, 0, 0))
            worth = headline.value if headline else 0.0
            self._sums[part] = (total + worth, counted + 1, failed + (headline is None))

    def _add_value(self, metric: str, key: str, value: float, whole: str) -> None:
        if whole != key:
            self._wholes[key] = whole
        before = self._values[metric].get(key)
        once = self._once.setdefault(value, (value,))
        self._values[metric][key] = once if before is None else (*before, value)

    def _pair(self, key: str, sample: Sample, answer: Answer, group: Mapping[str, str | None]) -> None:
        """What is paired: the sample with its headline score, or the problem with the mean over its attempts so far."""
        values, own = self._values[self.task.headline][key], _said(answer.text)
        if self.task.decoding.n > 1:
            texts = self._texts.setdefault(key, {})
            texts[sample.id] = own
            own = said(texts)
        if parts := self._scoring.parts(sample):
            self.groups[key] = parts
            self.of_kinds = self.of_kinds or parts == sample.kinds
        value = values[0] if len(values) == 1 else fmean(values)
        self._paired[key] = SampleScore(key, value, attempts=len(values), said=own, **group)

    @property
    def paired(self) -> Mapping[str, SampleScore]:
        """Headline scores by id of what is paired; attempts at one problem are averaged first."""
        return self._paired

    def values_of(self, metric: str) -> dict[str, float]:
        """A metric's scores by id of what is paired by it, attempts at one problem averaged."""
        return {key: fmean(values) for key, values in self._values[metric].items()}

    def part_of(self, key: str) -> tuple[str, str]:
        """The sample that an id of `values_of` is of, and the part of the score that it is in; empty without."""
        whole = self._wholes.get(key, key)
        return whole, self.made_of.get(whole, "")

    @property
    def failures(self) -> Mapping[str, FailureKind]:
        """Why each sample without an answer has none, by sample id."""
        return {key: failure.kind for key, failure in self._failed.items()}

    @property
    def unanswered(self) -> frozenset[str]:
        """Ids of what would be paired but has no answer at all."""
        failed = {paired_id(key, self.task.decoding.n) for key in self._failed}
        return frozenset(failed - self._paired.keys() - self.left_out)

    @property
    def left_out(self) -> frozenset[str]:
        """Ids of what would be paired, was answered, and cannot be scored: its references are at fault."""
        return frozenset(key for found in self._left_out.values() for key in found.values()) - self._paired.keys()

    @property
    def running(self) -> float | None:
        """Mean headline score so far, quick and good enough to watch; ``task_score`` has the exact one."""
        return self._running / self._scored if self._scored else None

    @property
    def scored(self) -> int:
        """Samples with an answer so far."""
        return self._scored

    @property
    def failed(self) -> int:
        """Samples without an answer so far."""
        return len(self._failed)

    def _mean(self, metric: str) -> float | None:
        values = self._values[metric]
        return (self._combined(metric) or self._scoring.mean(metric, values.values())) if values else None

    def _combined(self, metric: str) -> float | None:
        """As the task's parts make it, in their order; None where there are none, or they make nothing else."""
        members: dict[str, list[str]] = {}
        for key in self._values[metric] if self.made_of else ():
            members.setdefault(self.part_of(key)[1], []).append(key)
        found = []
        for keys in members.values():
            one = self._scoring.mean(metric, [self._values[metric][key] for key in keys])
            found.append((one or 0.0, len({self.part_of(key)[0] for key in keys})))
        return self._scoring.combined(self.task, metric, found) if found else None

    def _bounds(self, whole: Sequence[tuple[float, int, int]]) -> tuple[float, float]:
        """The score if all that is lost were wrong, and right."""
        alike = self._sums and self._scoring.parts_alike(self.task)
        ends = [(total / of, (total + failed) / of) for total, of, failed in (self._sums.values() if alike else whole)]
        low, high = (fsum(side) / len(ends) for side in zip(*ends, strict=True))
        return low, high

    def task_score(self) -> TaskScore:
        """The result; ``planned`` is what was added, so add every planned sample first."""
        every = (value for values in self._values[self.task.headline].values() for value in values)
        # Bounds are of samples; where their parts are paired, a sample counts with the mean of its own.
        total = self._running if self.in_parts else fsum(every)
        counted = self.scored + self.failed
        tokens = [one.tokens for one in self.behaviour.values() if one.tokens is not None]
        return TaskScore(
            task=self.task.name,
            model=self.model,
            planned=counted + sum(map(len, self._left_out.values())),
            scored=self.scored,
            failed=self.failed,
            score=self._mean(self.task.headline),
            metrics={name: self._mean(name) for name in self.task.metrics},
            bounds=self._bounds([(total, counted, self.failed)]) if self.scored else None,
            failures=dict(sorted(Counter(failure.kind.value for failure in self._failed.values()).items())),
            truncated=sum(one.truncated for one in self.behaviour.values()),
            empty=sum(one.empty for one in self.behaviour.values()),
            unparsed=sum(one.unparsed for one in self.behaviour.values()),
            notes=dict(sorted(self._notes.items())),
            mean_completion_tokens=fmean(tokens) if tokens else None,
            elsewhere=dict(sorted(self._elsewhere.items())),
            reasoned=self._reasoned,
            left_out={fault: tuple(found) for fault, found in sorted(self._left_out.items())},
        )


def tally(task: Task, model: str, records: Iterable[Record], scoring: Scoring) -> Tally:
    """The tally of every record that has an outcome."""
    total = Tally(task, model, scoring)
    for record in records:
        if record.outcome is not None:
            total.add(record.sample, record.outcome)
    return total
