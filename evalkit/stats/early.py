"""Verdicts before all is asked: looks at a growing part of a finite benchmark, and how far from a claim each has to be.

What is estimated is the recovery on the whole benchmark, not on a population that it was drawn from: with all asked
there is nothing left to err about. The units (a picture with its questions, a page, a question that stands alone) are
asked in one random order, and after stated parts of it somebody looks. Each look's estimate has the variance of a draw
without replacement, s^2 (1/n - 1/N); as n grows its inverse grows like time, and the estimates over their standard
errors behave like W(V) / sqrt(V) of a Brownian motion W (Jennison and Turnbull 2000, "Group Sequential Methods", 3
and 11). One constant c for all looks keeps the chance that any of them errs to the stated one (Pocock 1977); estimate
+- c standard errors is the repeated interval (Jennison and Turnbull 1989): it holds at every look, and after stopping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from evalkit.stats.interval import fieller
from evalkit.stats.quantiles import normal_below, two_sided
from evalkit.stats.recovery import IntervalQuestion, RecoveryInterval
from evalkit.stats.totals import Covariance

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.random import Generator

    from evalkit.stats.totals import PairTotals

ERROR = 0.05
"""Chance that any look claims what is not so, where the truth lies on the threshold."""
LOOKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4)
"""Parts of a benchmark after which somebody looks. After three quarters only the whole decides."""
LOOKS_AT_MANY = tuple(2.0**-k for k in range(8, 0, -1))
"""The same where there are ``MANY_UNITS``: a 256th has as many units there as a sixteenth of a smaller one."""
MANY_UNITS = 20_000
FEWEST_UNITS = 1_000
"""Units below which a benchmark is asked whole: its first look would rest on fewer than 60."""
_PSEUDO_CHANGES = 2.0
"""Changes that a variance counts beside those seen: no look takes it for certain that nothing else changes."""
_NODES, _NODES_A_STEP, _MOST_NODES = 48, 8, 300
"""Points of an integral: at least, for each standard deviation that a look adds, and at most."""
_CLOSE = 1e-4
_ORDERS = 4_000
"""Random orders that a forecast is the mean of."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The looks that a claim gets, fixed before anything is asked."""

    looks: int
    known: tuple[float, ...] = ()
    """What each look knows, rising, in any unit. Empty where that depends on spreads which nobody knows beforehand, as
    in an average of tasks: the looks then count as independent, which errs to the safe side (Sidak 1967)."""


@dataclass(frozen=True, slots=True)
class Part:
    """A task, or the mean of several, at a look: both models' means, with what is left to chance."""

    x: float
    """The baseline's mean."""
    y: float
    """The candidate's."""
    covariance: Covariance
    """On the benchmark: all 0 where everything has been asked."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look sees. ``part.x`` is above 0."""

    number: int
    """From 1."""
    schedule: Schedule
    part: Part

    def recovery(self, n: int, clusters: int) -> RecoveryInterval:
        """The recovery with its repeated interval, in percent, which answers "on this benchmark".

        Args:
            n: Pairs that it rests on.
            clusters: Units that they make.
        """
        part, constant = self.part, boundary(self.schedule)
        percent, question = 100.0 * part.y / part.x, IntervalQuestion.THIS_BENCHMARK
        ends = fieller(part.x, part.y, part.covariance, constant)
        if ends is None:
            why = "the baseline is within its error of 0: any recovery is possible"
            return RecoveryInterval(percent, None, None, None, n, clusters, why, question)
        low, high = 100.0 * max(0.0, ends[0]), 100.0 * ends[1]
        return RecoveryInterval(percent, low, high, "repeated looks", n, clusters, None, question)

    def p_of_loss(self, threshold: float) -> float:
        """One-sided p against a recovery of ``threshold`` percent, of all looks together.

        Small when the look says that more is lost: below half of an error where the repeated interval for that error
        lies below the threshold.
        """
        ratio = threshold / 100.0
        away = self.part.y - ratio * self.part.x
        if away >= 0.0:
            return 1.0
        spread = self.part.covariance.of_difference(ratio)
        return 0.0 if spread <= 0.0 else chance_beyond(self.schedule, -away / math.sqrt(spread)) / 2.0


def fractions(units: int) -> tuple[float, ...]:
    """The parts of a benchmark of so many units after which to look; empty where it is asked whole."""
    if units < FEWEST_UNITS:
        return ()
    return LOOKS_AT_MANY if units >= MANY_UNITS else LOOKS


def information(parts: Sequence[float]) -> tuple[float, ...]:
    """How much each look knows, in one unit for all of them, from the part of the benchmark that it has seen."""
    return tuple(one / (1.0 - one) for one in parts)


def part_of_benchmark(totals: PairTotals, units: int) -> Part:
    """What a random part of a benchmark tells of all its ``units``.

    The pairs alone count, whatever is known of the baseline's other scores: at a threshold T these could narrow the
    interval by the baseline's own variance times (1 - T)^2, which is nothing worth having.

    Args:
        totals: Of at least one pair.
        units: Of the whole benchmark: its clusters, or its samples where they stand alone.
    """
    n, own = totals.clusters, totals.covariance
    left = max(0.0, 1.0 - n / units)
    changes = _PSEUDO_CHANGES / n**2 * (n / totals.n) ** 2 * left
    return Part(totals.x, totals.y, Covariance(left * own.x, left * own.xy, left * own.y + changes))


def whole(totals: PairTotals) -> Part:
    """A task of which everything has been asked."""
    return Part(totals.x, totals.y, Covariance(0.0, 0.0, 0.0))


def mean_of(parts: Sequence[Part]) -> Part:
    """The mean over tasks, each counting the same."""
    share = 1.0 / len(parts)
    each = zip(*(one.covariance for one in parts), strict=True)
    covariance = Covariance(*(share * share * math.fsum(of_tasks) for of_tasks in each))
    return Part(share * math.fsum(one.x for one in parts), share * math.fsum(one.y for one in parts), covariance)


@lru_cache(maxsize=1024)
def boundary(schedule: Schedule, error: float = ERROR) -> float:
    """Standard errors that an estimate has to be away from a claim's edge, the same at every look.

    Args:
        schedule: The looks.
        error: Chance that at least one of them is beyond though nothing is there.
    """
    # One look alone needs the least, and looks that know nothing of each other need the most.
    low, high = two_sided(1.0 - error), two_sided((1.0 - error) ** (1.0 / schedule.looks))
    if not schedule.known:
        return high
    while high - low > _CLOSE:
        middle = (low + high) / 2.0
        low, high = (middle, high) if chance_beyond(schedule, middle) > error else (low, middle)
    return high


def chance_beyond(schedule: Schedule, constant: float) -> float:
    """Chance that any look's estimate is ``constant`` standard errors away from the truth.

    P(max |W(V)| / sqrt(V) >= constant): the density of W at each look, as long as no earlier one was beyond, is
    integrated from look to look (Armitage, McPherson and Rowe 1969).
    """
    if not schedule.known:
        return -math.expm1(schedule.looks * math.log1p(-2.0 * normal_below(-constant))) if constant > 0.0 else 1.0
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    before, density, at, last = np.zeros(1), np.ones(1), np.ones(1), 0.0
    for now in schedule.known:
        step, edge = now - last, constant * math.sqrt(now)
        nodes = max(_NODES, math.ceil(_NODES_A_STEP * edge / math.sqrt(step))) if step > 0.0 else math.inf
        if nodes > _MOST_NODES:
            continue  # it knows what the look before knew, but for half a per cent
        places, weights = _legendre(int(nodes))
        here = edge * places
        reached = np.exp(-((here[:, None] - before) ** 2) / (2.0 * step))
        density = reached @ (density * at) / math.sqrt(2.0 * math.pi * step)
        before, at, last = here, edge * weights, now
    return min(1.0, max(0.0, 1.0 - float(density @ at)))


class Growing(NamedTuple):
    """A task as it is expected to be, for a forecast."""

    variance: float
    """Of the mean difference of the two models' scores over all its samples, were they drawn from many more."""
    samples: int
    shares: tuple[float, ...]
    """Of all samples, those that each look sees."""


def expected_share(tasks: Sequence[Growing], gap: float, schedule: Schedule, chance: Generator) -> float:
    """Share of all samples of the tasks that is asked before a look decides, or all is asked.

    Args:
        tasks: One, or those of an average.
        gap: The mean of the candidate's score less threshold times the baseline's, 0 on the threshold.
        schedule: Their looks.
        chance: What orders are drawn with.
    """
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    sizes = np.array([[one.samples] for one in tasks], dtype=float)
    shares = np.array([one.shares for one in tasks])
    asked = np.append((shares * sizes).sum(axis=0) / sizes.sum(), 1.0)
    return float(asked[_deciding(tasks, gap, schedule, chance)].mean())


def look_by_which(tasks: Sequence[Growing], gap: float, schedule: Schedule, chance: Generator, *, orders: float) -> int:
    """The look by which asking has stopped in that share of all orders, from 1; one beyond the last where none has.

    Arguments are those of ``expected_share``.
    """
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    return 1 + int(np.quantile(_deciding(tasks, gap, schedule, chance), orders, method="inverted_cdf"))


def _deciding(tasks: Sequence[Growing], gap: float, schedule: Schedule, chance: Generator) -> np.ndarray:
    """Of many orders the look that decides, from 0; the number of all looks where none does.

    Drawn from the normal limit: what a look sees is the truth and a Brownian motion over what it knows.
    """
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    shares = np.array([one.shares for one in tasks])
    sizes = np.array([[one.samples] for one in tasks], dtype=float)
    spread = np.array([[one.variance] for one in tasks])
    changes = _PSEUDO_CHANGES / (shares * sizes) ** 2
    variance = ((spread / shares + changes) * (1.0 - shares)).sum(axis=0) / len(tasks) ** 2
    known = 1.0 / variance
    steps = np.sqrt(np.diff(known, prepend=0.0).clip(min=0.0))
    seen = gap + np.cumsum(chance.standard_normal((_ORDERS, len(known))) * steps, axis=1) * variance
    beyond = np.abs(seen) >= boundary(schedule) * np.sqrt(variance)
    return np.where(beyond.any(axis=1), np.argmax(beyond, axis=1), len(known))


@lru_cache(maxsize=64)
def _legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    return np.polynomial.legendre.leggauss(nodes)
