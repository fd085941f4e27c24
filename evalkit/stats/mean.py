"""Means and differences of scores with the standard error that clusters leave them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.interval import DIFFERENCE, MEAN, fieller, interval
from evalkit.stats.quantiles import t_quantile
from evalkit.stats.totals import Grouping, pair_totals, require_equal_lengths, require_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.stats.interval import Support
    from evalkit.stats.totals import Clusters, PairTotals


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and how far it can be trusted, in the unit of the values."""

    value: float | None
    """None when there are no values."""
    standard_error: float | None
    """None for a single value or a single cluster, which say nothing about their own spread."""
    low: float | None
    high: float | None
    n: int
    clusters: int


def mean(values: Sequence[float], groups: Clusters | Grouping = None, confidence: float = 0.95) -> Estimate:
    """The mean of scores between 0 and 1, with its clustered or stratified standard error and interval.

    Standard error as in Miller 2024, "Adding Error Bars to Evals" (central limit theorem, clustered), the cluster
    sum being the jackknife one, which does not come out too small with few clusters. Where a few samples carry all
    of the variance (a score near 0 or 1, a handful of samples) the interval is the score interval, which for 0/1
    scores is Wilson's: 20 right of 20 gives 0.84 to 1, not 1 to 1.

    Raises:
        DataError: a value outside 0 to 1, or not one cluster or stratum per value.
    """
    require_scores(values, "values")
    grouping = groups if isinstance(groups, Grouping) else Grouping(groups)
    require_equal_lengths(values, values, grouping.clusters)
    if not values:
        return _nothing()
    totals = pair_totals([1.0] * len(values), values, grouping)
    return _estimate(totals, MEAN, confidence)


def difference(
    first: Sequence[float], second: Sequence[float], clusters: Clusters = None, confidence: float = 0.95
) -> Estimate:
    """The paired mean of second - first, both between 0 and 1: a change of score or of a share.

    For shares (was this answer truncated: 0 or 1) the interval with few changes is Tango's (1998).

    Raises:
        DataError: values outside 0 to 1, or sequences of different lengths.
    """
    require_scores(first, "first")
    require_scores(second, "second")
    return _difference(first, second, clusters, confidence, DIFFERENCE)


def unbounded_difference(
    first: Sequence[float], second: Sequence[float], clusters: Clusters = None, confidence: float = 0.95
) -> Estimate:
    """The paired mean of second - first for values of any size, such as tokens per answer: Student's t interval."""
    return _difference(first, second, clusters, confidence, None)


def unbounded_ratio(
    first: Sequence[float], second: Sequence[float], clusters: Clusters = None, confidence: float = 0.95
) -> Estimate:
    """The mean of second over the mean of first, for paired values above 0 of any size, such as tokens per answer.

    Fieller's (1954) interval with the paired covariance and Student's t; without ends where the first mean is within
    its error of 0, or all values share one cluster. The standard error is that of the delta method.
    """
    require_equal_lengths(first, second, clusters)
    if not first:
        return _nothing()
    totals = pair_totals(first, second, clusters)
    if totals.x <= 0.0:
        return Estimate(None, None, None, None, totals.n, totals.clusters)
    ratio = totals.y / totals.x
    if totals.clusters < 2:
        return Estimate(ratio, None, None, None, totals.n, totals.clusters)
    error = math.sqrt(max(0.0, totals.covariance.of_difference(ratio))) / totals.x
    ends = fieller(totals.x, totals.y, totals.covariance, t_quantile((1.0 + confidence) / 2.0, totals.clusters - 1))
    low, high = ends or (None, None)
    return Estimate(ratio, error, low, high, totals.n, totals.clusters)


def _difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Clusters,
    confidence: float,
    support: Support | None,
) -> Estimate:
    require_equal_lengths(first, second, clusters)
    if not first:
        return _nothing()
    changes = [b - a for a, b in zip(first, second, strict=True)]
    return _estimate(pair_totals([1.0] * len(changes), changes, clusters), support, confidence)


def _estimate(totals: PairTotals, support: Support | None, confidence: float) -> Estimate:
    error = math.sqrt(totals.covariance.y) if totals.clusters > 1 else None
    low: float | None = None
    high: float | None = None
    if support is not None:
        ends = interval(totals, support, confidence)
        low, high = (ends.low, ends.high) if ends else (None, None)
    elif error is not None:
        reach = error * t_quantile((1.0 + confidence) / 2.0, totals.clusters - 1)
        low, high = totals.y - reach, totals.y + reach
    return Estimate(totals.y, error, low, high, totals.n, totals.clusters)


def _nothing() -> Estimate:
    return Estimate(None, None, None, None, 0, 0)
