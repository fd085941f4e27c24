"""What a number of samples can show by the gate's own rule, and how likely more of them would decide."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.interval import RATIO, quantile, statistic
from evalkit.stats.quantiles import normal_below, normal_quantile, two_sided
from evalkit.stats.recovery import average_recovery
from evalkit.stats.several import ONE_SIDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.random import Generator

    from evalkit.stats.population import Population
    from evalkit.stats.totals import PairTotals

_TIMES = 1000
"""Data sets that a chance is counted in: it is known to 1.6 points (one standard error) then, or better."""
_TIMES_OF_CLUSTERS = 400
"""The same where clusters are drawn and judged, which takes ten times as long: 2.5 points."""
_STEPS = 5
_FEWEST = 30
"""Samples, or clusters, of which the distance to a threshold can be judged in standard errors."""


def chance_of_recovered(
    tasks: Sequence[tuple[Population, int]], threshold: float, recovery: float, chance: Generator
) -> float:
    """How often a row is "recovered" when its true recovery is ``recovery``, both in percent.

    Simulated: data sets are drawn, and each is judged by the interval that a run would be judged by, whichever that is
    for these data. That answers may get lost is not foreseen.

    Args:
        tasks: What is expected of the row's task and how many samples it has; several tasks are an average.
        threshold: In percent.
        recovery: Of every task, in percent.
        chance: What data sets are drawn with.

    Raises:
        DataError: A baseline of 0, or a negative recovery.
    """
    return _share(_data_sets(tasks, recovery, chance), lambda row: _shows_recovered(row, threshold))


def chance_of_degraded(
    tasks: Sequence[tuple[Population, int]], threshold: float, recovery: float, chance: Generator, *, tested: int = 1
) -> float:
    """How often a row is "degraded", likewise, when it alone of ``tested`` rows is found below its threshold (Holm)."""
    rows = _data_sets(tasks, recovery, chance)
    return _share(rows, lambda row: _shows_degraded(row, threshold, ONE_SIDED / tested))


def visible_drop(population: Population, samples: int, chance: Generator, power: float = 0.8) -> float | None:
    """The smallest true drop of a score (0.02 is two points) that the 95 % interval shows in ``power`` of runs.

    Shown is a drop where the whole interval of the recovery lies below 100 %. Where everything is normal that is
    (1.960 + 0.842) standard errors = 2.80 s / sqrt(n); few changes need more. Found by simulation, to some 2 % of it.

    Returns:
        None where even the loss of everything would not be shown so often.
    """
    level = population.baseline
    if level <= 0.0:
        return None

    def shown(recovery: float) -> float:
        rows = _data_sets([(population, samples)], 100.0 * recovery, chance)
        return _share(rows, lambda row: _shows_degraded(row, 100.0, ONE_SIDED))

    if shown(0.0) < power:
        return None
    needed = normal_quantile(1.0 - ONE_SIDED)
    lost = min(1.0, (needed + normal_quantile(power)) * population.standard_error(samples) / level)
    tried = []
    for _ in range(_STEPS):
        # Of a normal mean the power's quantile is the drop in standard errors, less those that are needed.
        quantile_found = normal_quantile(min(0.99, max(0.05, shown(1.0 - lost))))
        lost = min(1.0, lost * (needed + normal_quantile(power)) / (needed + quantile_found))
        tried.append(lost)
    lost = sum(tried[-2:]) / 2.0
    return lost * population.at(1.0 - lost).baseline


def _data_sets(
    tasks: Sequence[tuple[Population, int]], recovery: float, chance: Generator
) -> Iterator[tuple[PairTotals, ...]]:
    """Rows, each the totals of its tasks."""
    times = _TIMES_OF_CLUSTERS if any(population.clustered for population, _ in tasks) else _TIMES
    moved = [(population.at(recovery / 100.0), samples) for population, samples in tasks]
    return zip(*(population.draw(samples, times, chance) for population, samples in moved), strict=True)


def _share(rows: Iterator[tuple[PairTotals, ...]], shows: Callable[[Sequence[PairTotals]], bool]) -> float:
    """Of the rows that show it; of rows that are alike one is judged."""
    found = Counter(rows)
    return sum(times for row, times in found.items() if shows(row)) / found.total()


def _shows_recovered(row: Sequence[PairTotals], threshold: float) -> bool:
    if len(row) > 1:
        low = average_recovery(row).low
        return low is not None and low >= threshold
    return _errors(row[0], threshold) >= quantile(row[0], 1.0 - 2.0 * ONE_SIDED)


def _shows_degraded(row: Sequence[PairTotals], threshold: float, level: float) -> bool:
    confidence = 1.0 - 2.0 * level
    if len(row) > 1:
        high = average_recovery(row, confidence).high
        return high is not None and high < threshold
    return _errors(row[0], threshold) < -quantile(row[0], confidence)


def _errors(one: PairTotals, threshold: float) -> float:
    """How far the recovery lies above the threshold; an interval ends there where that is its quantile."""
    if one.x <= 0.0 or (one.clustered and one.clusters == 1):
        return 0.0
    return statistic(one, threshold / 100.0, RATIO)


@dataclass(frozen=True, slots=True)
class MoreSamples:
    """How likely more samples would put the whole interval on one side of a threshold.

    The distance between recovery and threshold is known to one standard error. With f times as many samples in all,
    and no opinion on the true distance but what these samples say, the distance then found has the mean
    sqrt(f) * ``errors`` and the variance f - 1: the chance is that of all cases in which these samples were found
    (predictive power, Spiegelhalter, Freedman and Blackburn 1986), not of one true recovery.
    """

    n: int
    """Samples so far."""
    errors: float
    """Distance found, in standard errors."""
    needed: float
    """Distance that decides."""

    def chance(self, more: int) -> float:
        """The probability that so many more decide."""
        if self.errors > self.needed or more <= 0:
            return float(self.errors > self.needed)
        return self._chance(1.0 + more / self.n)

    def samples(self, chance: float) -> int:
        """How many more decide with such a probability."""
        if self.errors > self.needed:
            return 0
        least, most = 0.0, 1.0
        while self._chance(1.0 + most) < chance:
            least, most = most, 2.0 * most
        for _ in range(60):
            middle = (least + most) / 2.0
            least, most = (least, middle) if self._chance(1.0 + middle) >= chance else (middle, most)
        return max(1, math.ceil(self.n * most))

    def _chance(self, factor: float) -> float:
        mean, deviation = self.errors * math.sqrt(factor), math.sqrt(factor - 1.0)
        if deviation == 0.0:
            return 0.0
        return normal_below((mean - self.needed) / deviation) + normal_below((-mean - self.needed) / deviation)


def samples_to_decide(totals: PairTotals, threshold: float, confidence: float = 0.95) -> MoreSamples | None:
    """How more samples like these would decide on ``threshold`` (a recovery in percent).

    None when the recovery is undefined, or when there are fewer than 30 samples or clusters: they say too little of
    the distance.
    """
    if totals.x == 0.0 or totals.clusters < _FEWEST:
        return None
    errors = abs(statistic(totals, threshold / 100.0, RATIO))
    return MoreSamples(totals.n, errors, quantile(totals, confidence))


def samples_to_decide_average(
    tasks: Sequence[PairTotals], threshold: float, confidence: float = 0.95, weights: Sequence[float] = ()
) -> MoreSamples | None:
    """The same for the average of several tasks, over all of them, when every task grows by one common factor.

    The average's interval has no quantile of its own: its reach towards the threshold, divided by the normal
    quantile, stands for the standard error, which shrinks with the root of the factor. Growing one task alone can
    need fewer or many more. ``weights`` are the tasks' in the average; without them each counts alike.
    """
    found = average_recovery(tasks, confidence, weights)
    if found.percent is None or found.low is None or found.high is None:
        return None
    if min(one.clusters for one in tasks) < _FEWEST:
        return None
    reach = found.percent - found.low if found.percent > threshold else found.high - found.percent
    needed = two_sided(confidence)
    return MoreSamples(found.n, abs(found.percent - threshold) / reach * needed, needed)
