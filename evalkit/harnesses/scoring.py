"""Scores of answers that the metrics judge, one by one."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, cast

from evalkit.tasks import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from evalkit.base.types import Answer, Dialect, Groups, Sample, Score, Task


class ByMetrics:
    """Part of a harness: scores by the metrics, means over what is paired, no parts that are compared on their own."""

    def groups(self, benchmark: str) -> Groups:
        """Fixed: subjects and categories are what people group by, and who drew groups can state it."""
        del benchmark
        return "fixed"

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """None."""
        del sample
        return ()

    def score(self, task: Task, sample: Sample, answer: Answer) -> Mapping[str, Score]:
        """What every metric of ``task`` says of one answer."""
        return {name: self.metric(name, task, sample, answer) for name in task.metrics}

    def metric(self, name: str, task: Task, sample: Sample, answer: Answer) -> Score:
        """What one metric says; its name may end in a dialect of its own (``anls@official``), else it is the task's."""
        metric, _, own = name.partition("@")
        return metrics.score(metric, answer.text, sample.references, cast("Dialect", own or task.dialect))

    def mean(self, metric: str, values: Collection[Sequence[float]]) -> float | None:
        """The mean over what is paired, of the mean over the attempts at each."""
        del metric
        # fmean rounds once: the mean does not depend on the order of the samples.
        return fmean(map(fmean, values))
