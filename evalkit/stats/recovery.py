"""Recovery, candidate over baseline in percent, with the interval that the pairing gives it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit.base.errors import DataError
from evalkit.base.printable import counted
from evalkit.stats.interval import ENOUGH_CLUSTERS, RATIO, fieller, interval
from evalkit.stats.quantiles import two_sided
from evalkit.stats.totals import Covariance, pair_totals, require_equal_lengths, require_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.stats.totals import Clusters, Grouping, PairTotals

SampledMethod: TypeAlias = Literal["fieller", "score", "clusters", "combined", "unpaired"]
RepeatedMethod: TypeAlias = Literal["attempts", "noise floor", "combined"]
LooksMethod: TypeAlias = Literal["repeated looks"]
BenchmarkMethod: TypeAlias = Literal["finite population", "all asked", "bounds"] | LooksMethod
RecoveryMethod: TypeAlias = SampledMethod | RepeatedMethod | BenchmarkMethod
"""What finds an interval: for questions like these, if repeated, on this benchmark."""

ZERO_BASELINE = "the baseline scored 0"
_FEW_CLUSTERS = 10


class IntervalQuestion(StrEnum):
    """What the interval of a recovery is an answer to."""

    LIKE_THESE = "for questions like these"
    """Had other questions of the same kind been asked: the chance that lies in which samples the benchmark drew."""
    THIS_BENCHMARK = "on this benchmark"
    """Were all samples of the benchmark asked: the chance that lies in which of them were."""
    REPEATED = "if repeated"
    """Were the same questions asked of the same two models once more: the chance that lies in the answers alone."""


@dataclass(frozen=True, slots=True)
class RecoveryInterval:
    """Recovery in percent and its two-sided interval, also in percent."""

    percent: float | None
    """None when it is undefined; ``reason`` then says why."""
    low: float | None
    """None, like ``high``, when there is no interval; ``reason`` then says why."""
    high: float | None
    method: RecoveryMethod | None
    """What found the interval (see ``evalkit.stats.interval``); None without one."""
    n: int
    clusters: int
    reason: str | None = None
    """Why something is None, or what a reader should hold against the interval."""
    question: IntervalQuestion = IntervalQuestion.LIKE_THESE
    """What the interval answers; two intervals of different questions do not stand for each other."""
    chance: Covariance | None = None
    """Of both means, where the interval answers "if repeated": what an average's is made from."""


def recovery(
    baseline: Sequence[float],
    candidate: Sequence[float],
    groups: Clusters | Grouping = None,
    confidence: float = 0.95,
) -> RecoveryInterval:
    """Recovery on paired samples: ``candidate[i]`` answers the same question as ``baseline[i]``.

    Where enough samples differ this is Fieller's (1954) interval with the paired covariance, and otherwise the score
    interval; where samples share clusters, that of the clusters' sums. One loss more never raises its low end there,
    one gain more never lowers its high end. Several attempts per sample are averaged first (``within_sample``).

    Raises:
        DataError: a score outside 0 to 1, or sequences of different lengths.
    """
    require_equal_lengths(baseline, candidate, None)
    require_scores(baseline, "baseline")
    require_scores(candidate, "candidate")
    if not baseline:
        return _without("no sample was answered by both models", None, 0, 0)
    return recovery_of(pair_totals(baseline, candidate, groups), confidence)


def recovery_of(totals: PairTotals, confidence: float = 0.95) -> RecoveryInterval:
    """Recovery from the totals of pairs (baseline score, candidate score)."""
    if totals.x == 0.0:
        return _without(ZERO_BASELINE, None, totals.n, totals.clusters)
    percent = 100.0 * totals.y / totals.x
    ends = interval(totals, RATIO, confidence)
    if ends is None:
        return _without(
            "all samples share one cluster, which says nothing about others", percent, totals.n, totals.clusters
        )
    caution = None
    if totals.clustered and totals.clusters < ENOUGH_CLUSTERS:
        few = counted(totals.clusters, "cluster")
        caution = f"only {few}: each counts as one sample, because so few cannot show more"
    elif totals.clustered and totals.clusters < _FEW_CLUSTERS:
        caution = f"only {counted(totals.clusters, 'cluster')}: the interval may be too narrow"
    return RecoveryInterval(
        percent, 100.0 * ends.low, 100.0 * ends.high, ends.method, totals.n, totals.clusters, caution
    )


def average_recovery(
    tasks: Sequence[PairTotals], confidence: float = 0.95, weights: Sequence[float] = ()
) -> RecoveryInterval:
    """Recovery of the average: mean of the candidate's task scores over mean of the baseline's, in percent.

    The average is a mean of the tasks' recoveries weighted by baseline score, and tasks are independent, so their
    intervals combine side by side: the squared distances from estimate to end add up (Zou and Donner 2008, "MOVER").
    A task whose own interval had to be the score interval so keeps its care. What the chance in the weights adds
    comes from the delta method. One task alone gives its own interval. ``weights`` are those of a weighted mean, in any
    unit; without them each task counts alike.
    """
    return _average(tasks, [1.0] * len(tasks), confidence, weights)


def recovery_on_benchmark(
    tasks: Sequence[PairTotals], sizes: Sequence[int], confidence: float = 0.95, weights: Sequence[float] = ()
) -> RecoveryInterval:
    """The recovery were all samples of the benchmark asked: of one task, or of the average of several.

    Of a random part of n of N samples the variance is s^2 (1/n - 1/N) (Cochran 1977, 2.6), the finite population's,
    so each task's distances from estimate to end shrink by sqrt(1 - n/N). Once all are asked nothing is left to chance,
    and both ends are the number itself.

    Args:
        tasks: Pairs of a random part of each task, or of all of it.
        sizes: How many samples each task has, N.
        confidence: Of the interval.
        weights: Of the tasks in the average; without them each counts alike.
    """
    left = [1.0 - min(1.0, task.n / size) for task, size in zip(tasks, sizes, strict=True)]
    found = _average(tasks, left, confidence, weights)
    method: RecoveryMethod = "finite population" if any(left) else "all asked"
    return replace(found, question=IntervalQuestion.THIS_BENCHMARK, method=None if found.low is None else method)


def _average(
    tasks: Sequence[PairTotals], left: Sequence[float], confidence: float, weights: Sequence[float]
) -> RecoveryInterval:
    """The average's recovery, with the share of each task's variance that is ``left``."""
    parts = list(zip(tasks, weights or [1.0] * len(tasks), strict=True))
    n, clusters = sum(task.n for task in tasks), sum(task.clusters for task in tasks)
    base = math.fsum(counts * task.x for task, counts in parts)
    if base == 0.0:
        return _without(ZERO_BASELINE if tasks else "the average has no task", None, n, clusters)
    ratio = math.fsum(counts * task.y for task, counts in parts) / base
    below, above, added = [], [], []
    for (task, counts), share in zip(parts, left, strict=True):
        if share == 0.0:
            continue
        ends = interval(task, RATIO, confidence) if task.x > 0.0 else None
        if ends is None:
            cause = "a task's samples share one cluster" if task.x > 0.0 else "the baseline scored 0 on a task"
            return _without(cause, 100.0 * ratio, n, clusters)
        own, weight = task.y / task.x, counts * task.x / base
        below.append(share * (weight * (own - ends.low)) ** 2)
        above.append(share * (weight * (ends.high - own)) ** 2)
        beyond = task.covariance.of_difference(ratio) - task.covariance.of_difference(own)
        added.append(share * counts**2 * beyond)
    drift = max(0.0, math.fsum(added)) * (two_sided(confidence) / base) ** 2
    low = max(0.0, ratio - math.sqrt(math.fsum(below) + drift))
    high = ratio + math.sqrt(math.fsum(above) + drift)
    return RecoveryInterval(100.0 * ratio, 100.0 * low, 100.0 * high, "combined", n, clusters)


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """A row of a published table: two scores between 0 and 1 on ``n`` samples, without the samples themselves."""

    n: int
    baseline: float
    candidate: float


def unpaired_recovery(rows: Sequence[PublishedScore], confidence: float = 0.95) -> RecoveryInterval:
    """The recovery of published scores, or of their average over several rows, as if nothing had been paired.

    This is what a reader can know who has the counts only: each score has the variance p (1 - p) / n of 0/1 scores
    (p moved towards a half by two right and two wrong samples, Agresti and Coull 1998, so that 0 and 1 keep a
    width), which for fractional scores is an upper bound. Pairing the samples usually makes it two to three times
    narrower. Samples that share an image make it wider; published counts do not tell by how much.

    Raises:
        DataError: a row without samples or with a score outside 0 to 1.
    """
    for row in rows:
        require_scores((row.baseline, row.candidate), "published row")
        if row.n < 1:
            raise DataError("a published row has no samples", fix="state how many samples the scores come from")
    n, count = sum(row.n for row in rows), len(rows)
    base = math.fsum(row.baseline for row in rows)
    if base == 0.0:
        return _without(ZERO_BASELINE if rows else "there is no row", None, n, n)
    x, y = base / count, math.fsum(row.candidate for row in rows) / count
    covariance = Covariance(
        x=math.fsum(_share_variance(row.baseline, row.n) for row in rows) / count**2,
        xy=0.0,
        y=math.fsum(_share_variance(row.candidate, row.n) for row in rows) / count**2,
    )
    ends = fieller(x, y, covariance, two_sided(confidence))
    if ends is None:
        return _without("the baseline is within its error of 0: any recovery is possible", 100.0 * y / x, n, n)
    return RecoveryInterval(100.0 * y / x, 100.0 * max(0.0, ends[0]), 100.0 * ends[1], "unpaired", n, n)


def _share_variance(share: float, n: int) -> float:
    moved = (share * n + 2.0) / (n + 4.0)
    return moved * (1.0 - moved) / n


def _without(reason: str, percent: float | None, n: int, clusters: int) -> RecoveryInterval:
    return RecoveryInterval(percent, None, None, None, n, clusters, reason)
