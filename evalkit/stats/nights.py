"""The same samples asked on two occasions: whether what came out otherwise is more than chance does by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.stats.flips import SAME_WITHIN, Flips, flips
from evalkit.stats.quantiles import two_sided
from evalkit.stats.totals import require_equal_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

_PSEUDO = 2.0
"""Whole changes that are added to those seen: few were looked at twice, and none seen does not mean that none occur."""
_RARE = 0.025
"""So often chance alone makes as many flips as are found to be beyond it."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a number moved between two occasions."""

    before: float
    after: float
    noise: float | None
    """What chance alone stays within in 95 of 100 cases, either way; None where noise is not known."""

    @property
    def beyond(self) -> bool | None:
        """Whether it moved by more than chance does by itself; None where noise is not known."""
        return None if self.noise is None else abs(self.after - self.before) > self.noise


@dataclass(frozen=True, slots=True)
class NightNoise:
    """What the baseline's two askings of the same samples say of chance."""

    f: float
    """Mean squared change of a score, with two whole changes added to those seen."""
    changed: int
    """Samples whose score changed."""
    asked: int
    """Samples that were asked twice."""


@dataclass(frozen=True, slots=True)
class Occasions:
    """One model's scores, 0-1, on the same samples of one task on two occasions."""

    before: Sequence[float]
    after: Sequence[float]
    noise: NightNoise | None = None
    """Of the task; None where it is not known."""
    afresh: bool = True
    """Whether it was asked again: answers that are reused have no chance of their own."""

    @property
    def flips(self) -> Flips:
        """How many answers came out worse and better."""
        return flips(self.before, self.after)

    @property
    def flips_of_noise(self) -> int | None:
        """As many flips as chance alone stays within in 97.5 of 100 cases; None where noise is not known.

        With x of m samples flipped between the baseline's two askings, K flips of n are beyond chance where Fisher's
        exact test (1935), one-sided, has p <= 2.5 %. Samples that flip more easily than others make it more careful:
        the variance of a sum of unequal chances is smaller than that of equal ones.
        """
        if not self.afresh:
            return 0
        if self.noise is None:
            return None
        n, seen = len(self.before), self.noise
        low, high = 0, n
        while low < high:
            middle = (low + high + 1) // 2
            rare = _at_most(seen.changed, middle + seen.changed, seen.asked, n + seen.asked) <= _RARE
            low, high = (low, middle - 1) if rare else (middle, high)
        return low

    @property
    def flipped(self) -> bool | None:
        """Whether more answers came out otherwise than chance does by itself, whichever way the mean went."""
        within, found = self.flips_of_noise, self.flips
        return None if within is None else found.regressed + found.improved > within

    @property
    def variance(self) -> float | None:
        """Of the difference of the two means, by chance alone: f / N."""
        if not self.afresh:
            return 0.0
        return None if self.noise is None else self.noise.f / len(self.before)


def noise(changes: Sequence[float], attempts: int = 1) -> NightNoise:
    """The mean squared change of a score between two askings, f, with two whole changes added to those seen.

    Of 0/1 scores it is the share that flips. Without the addition a small noise floor that happens to see few flips
    would find a change on too many nights on which nothing changed.

    Args:
        changes: Second score less first, of the samples that were asked twice.
        attempts: How many answers a score is the mean of; the square of a whole change of one is then 1 / attempts.

    Raises:
        DataError: Nothing was asked twice.
    """
    if not changes:
        raise DataError("no sample was asked twice", fix="measure noise with --noise-floor")
    f = (math.fsum(change * change for change in changes) + _PSEUDO / attempts) / len(changes)
    return NightNoise(f, sum(abs(change) > SAME_WITHIN for change in changes), len(changes))


def score_shift(tasks: Sequence[Occasions]) -> Shift:
    """How far a model's mean score moved, on one task or on the average of several.

    Between two askings of N samples chance alone has the variance f / N; of an average the mean of the tasks' variances
    over their number.

    Raises:
        DataError: No task, no sample, or other numbers of them on the two occasions.
    """
    before, after = _means(tasks)
    return Shift(before, after, _half([one.variance for one in tasks]))


def recovery_shift(baseline: Sequence[Occasions], candidate: Sequence[Occasions]) -> Shift | None:
    """How far the recovery, in percent, moved on samples that both models answered on both occasions.

    One occasion's recovery has the standard error sqrt((f_c + r^2 f_b) / 2N) / B from noise alone, and two of them
    differ by sqrt(2) as much. The candidate is taken to waver as the baseline does; a model whose answers were reused
    does not waver. Of an average both means and their variances are those of the average.

    Args:
        baseline: Its scores on one task, or on each task of an average.
        candidate: The same, task by task.

    Returns:
        None where the baseline scored 0 on an occasion.

    Raises:
        DataError: No task, no sample, or other numbers of them.
    """
    for base, cand in zip(baseline, candidate, strict=True):
        require_equal_lengths(base.before, cand.before, None)
    (b1, b2), (c1, c2) = _means(baseline), _means(candidate)
    if not b1 or not b2:
        return None
    r = c1 / b1
    spread = [
        None if base.variance is None or cand.variance is None else cand.variance + r * r * base.variance
        for base, cand in zip(baseline, candidate, strict=True)
    ]
    half = _half(spread)
    return Shift(100.0 * c1 / b1, 100.0 * c2 / b2, None if half is None else 100.0 * half / b1)


def _half(variances: Sequence[float | None]) -> float | None:
    """Half the width of the 95 % interval of a mean over tasks; None where a task's variance is not known."""
    known = [one for one in variances if one is not None]
    if len(known) < len(variances):
        return None
    return two_sided(0.95) * math.sqrt(math.fsum(known)) / len(known)


def _means(tasks: Sequence[Occasions]) -> tuple[float, float]:
    for one in tasks:
        require_equal_lengths(one.before, one.after, None)
    if not tasks or not all(one.before for one in tasks):
        raise DataError("no sample was asked on both occasions")
    return fmean(fmean(one.before) for one in tasks), fmean(fmean(one.after) for one in tasks)


def _at_most(x: int, successes: int, drawn: int, population: int) -> float:
    """P(X <= x) of the hypergeometric distribution: of ``drawn`` without replacement, how many are successes."""
    whole = _choose(population, drawn)
    least = max(0, drawn - (population - successes))
    return math.fsum(
        math.exp(_choose(successes, k) + _choose(population - successes, drawn - k) - whole)
        for k in range(least, min(x, successes, drawn) + 1)
    )


def _choose(n: int, k: int) -> float:
    """Logarithm of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
