"""Records become scores: one per sample and metric, and one task score."""

from __future__ import annotations

from collections import Counter
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING, cast

from evalkit import metrics
from evalkit.types import Answer, Failure, SampleScore, TaskScore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.types import Dialect, Json, Outcome, Record, Sample, Score, Task


def scores(answer: str | None, references: Json, task: Task) -> dict[str, Score]:
    """What every metric of ``task`` says of one answer.

    A metric may name a dialect of its own after an ``@`` (``anls@official``); the others use the task's.
    """
    found = {}
    for name in task.metrics:
        metric, _, dialect = name.partition("@")
        found[name] = metrics.score(metric, answer, references, cast("Dialect", dialect or task.dialect))
    return found


class Tally:
    """Adds up one model's outcomes on one task, in any order."""

    def __init__(self, task: Task, model: str) -> None:
        """Start empty."""
        self.task = task
        self.model = model
        self.paired: dict[str, SampleScore] = {}
        self._values: dict[str, list[float]] = {name: [] for name in task.metrics}
        self._running = 0.0
        self._failures: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()
        self._truncated = self._empty = self._unparsed = 0
        self._tokens: list[int] = []

    def add(self, sample: Sample, outcome: Outcome) -> None:
        """Count one sample."""
        if isinstance(outcome, Failure):
            self._failures[outcome.kind.value] += 1
            return
        found = scores(outcome.text, sample.references, self.task)
        for name, score in found.items():
            self._values[name].append(score.value)
        headline = found[self.task.headline]
        self._running += headline.value
        self.paired[sample.id] = SampleScore(sample.id, headline.value, sample.cluster)
        self._count_behaviour(outcome, headline)

    def _count_behaviour(self, answer: Answer, headline: Score) -> None:
        self._truncated += answer.finish_reason == "length"
        self._empty += not (answer.text or "").strip()
        self._unparsed += headline.parsed is None
        if headline.note:
            self._notes[headline.note] += 1
        if answer.completion_tokens is not None:
            self._tokens.append(answer.completion_tokens)

    @property
    def running(self) -> float | None:
        """Mean headline score so far, quick and good enough to watch; ``task_score`` has the exact one."""
        return self._running / len(self.paired) if self.paired else None

    @property
    def failed(self) -> int:
        """Samples without an answer so far."""
        return self._failures.total()

    def _mean(self, metric: str) -> float | None:
        # fmean rounds once: the mean does not depend on the order of the samples.
        return fmean(self._values[metric]) if self._values[metric] else None

    def task_score(self) -> TaskScore:
        """The result; ``planned`` is what was added, so add every planned sample first."""
        scored, failed = len(self.paired), self.failed
        total, planned = fsum(self._values[self.task.headline]), scored + failed
        return TaskScore(
            task=self.task.name,
            model=self.model,
            planned=planned,
            scored=scored,
            failed=failed,
            score=self._mean(self.task.headline),
            metrics={name: self._mean(name) for name in self.task.metrics},
            bounds=(total / planned, (total + failed) / planned) if scored else None,
            failures=dict(sorted(self._failures.items())),
            truncated=self._truncated,
            empty=self._empty,
            unparsed=self._unparsed,
            notes=dict(sorted(self._notes.items())),
            mean_completion_tokens=fmean(self._tokens) if self._tokens else None,
        )


def tally(task: Task, model: str, records: Iterable[Record]) -> Tally:
    """The tally of every record that has an outcome."""
    total = Tally(task, model)
    for record in records:
        if record.outcome is not None:
            total.add(record.sample, record.outcome)
    return total
