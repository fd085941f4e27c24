"""What a number of samples can see, and how many would be enough."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.stats.interval import RATIO, quantile, statistic
from evalkit.stats.quantiles import normal_quantile, two_sided
from evalkit.stats.recovery import average_recovery
from evalkit.stats.several import ONE_SIDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.stats.totals import PairTotals


def minimum_detectable_drop(
    n: int, discordance: float, power: float = 0.8, alpha: float = 0.025, design_effect: float = 1.0
) -> float:
    """The smallest true drop of a 0/1 score (0.02 is two points) that ``n`` paired samples show with ``power``.

    A mean of paired differences in {-1, 0, 1} has variance d / n, d being the discordance, as long as the drop is
    small against it. A one-sided test at ``alpha`` asks for z(1 - alpha) standard errors, and ``power`` for
    z(power) more, so

        drop = (z(1 - alpha) + z(power)) * sqrt(d / n) = (1.960 + 0.842) * sqrt(d / n) = 2.80 * sqrt(d / n).

    A drop cannot exceed the discordance: where the formula would, the drop needs more changed samples than
    expected, d becomes the drop itself, and the drop 2.80^2 / n (about eight samples, all lost).

    The level is that of one end of the 95 % interval, which is what a verdict goes by.

    Args:
        n: Samples, as planned.
        discordance: Expected share of samples that change, 0 to 1.
        power: Probability that a drop of this size is seen.
        alpha: Probability that no drop at all is taken for one.
        design_effect: Factor by which clusters multiply the variance.

    Raises:
        DataError: no samples, or a discordance outside 0 to 1.
    """
    if n < 1:
        raise DataError(f"a plan of {n} samples can see nothing", fix="plan at least one sample")
    if not 0.0 <= discordance <= 1.0:
        raise DataError(f"discordance {discordance} is not a share", fix="give a share between 0 and 1")
    errors = normal_quantile(1.0 - alpha) + normal_quantile(power)
    samples = n / design_effect
    changed = max(discordance, errors * errors / samples)
    return min(1.0, errors * math.sqrt(changed / samples))


def visible_drop(n: int, spread: float, power: float = 0.8) -> float:
    """The same from pairs: ``spread`` is the standard deviation of a pair's difference, clusters included."""
    errors = normal_quantile(1.0 - ONE_SIDED) + normal_quantile(power)
    return min(1.0, errors * spread / math.sqrt(n))


def chance_to_show(n: int, spread: float, baseline: float, distance: float) -> float:
    """Probability that the whole 95 % interval lies beyond a threshold from which the true recovery is so far away.

    Of C - T B, which has the mean ``distance`` * B and the standard error ``spread`` / sqrt(n): the probability that
    it comes out at 1.96 standard errors or more, Phi(distance * B / SE - 1.96).

    Args:
        n: Samples, as planned.
        spread: Standard deviation of a pair's difference, clusters included.
        baseline: The baseline's score, 0-1.
        distance: Between the true recovery and the threshold, as a share (0.01 is one percentage point).
    """
    if spread == 0.0:
        return float(distance > 0.0)
    errors = distance * baseline * math.sqrt(n) / spread
    return NormalDist().cdf(errors - normal_quantile(1.0 - ONE_SIDED))


@dataclass(frozen=True, slots=True)
class MoreSamples:
    """How many more samples would put the whole interval on one side of a threshold, and how badly that is known.

    The number that decides with a given power goes with the square of the distance between the recovery and the
    threshold, in standard errors. That distance is itself known to one standard error, so the number has a range: its
    ends are for a distance 1.28 standard errors larger and smaller, between which the true one is in 80 of 100 cases at
    least.
    """

    fewest: int
    likely: int | None
    """Were the recovery found the true one; None when it is the threshold itself."""
    most: int | None
    """None when the true recovery may as well be the threshold itself, which no number of samples decides."""


_SURE = 1.2816
"""Normal quantile of the range: 80 of 100."""


def samples_to_decide(
    totals: PairTotals, threshold: float, confidence: float = 0.95, power: float = 0.8
) -> MoreSamples | None:
    """How many more samples like these would decide on ``threshold`` (a recovery in percent).

    ``power`` is the probability that the larger sample decides. None when the recovery is undefined, or all samples
    share a cluster. All 0 when these samples decide already.
    """
    if totals.x == 0.0 or (totals.clustered and totals.clusters == 1):
        return None
    errors = abs(statistic(totals, threshold / 100.0, RATIO))
    return _more(totals.n, errors, quantile(totals, confidence), power)


def samples_to_decide_average(
    tasks: Sequence[PairTotals], threshold: float, confidence: float = 0.95, power: float = 0.8
) -> MoreSamples | None:
    """The same for the average of several tasks, over all of them, when every task grows by one common factor.

    The average's interval has no quantile of its own: its reach towards the threshold, divided by the normal
    quantile, stands for the standard error, which shrinks with the root of the factor. Growing one task alone can
    need fewer or many more.
    """
    found = average_recovery(tasks, confidence)
    if found.percent is None or found.low is None or found.high is None:
        return None
    reach = found.percent - found.low if found.percent > threshold else found.high - found.percent
    needed = two_sided(confidence)
    return _more(found.n, abs(found.percent - threshold) / reach * needed, needed, power)


def _more(n: int, errors: float, needed: float, power: float) -> MoreSamples:
    """The statistic, ``errors``, grows with the root of the number of samples."""
    if errors > needed:
        return MoreSamples(0, 0, 0)

    def at(distance: float) -> int | None:
        if distance < 1e-9:  # the threshold itself, but for rounding
            return None
        return max(0, math.ceil(n * ((needed + normal_quantile(power)) / distance) ** 2) - n)

    return MoreSamples(at(errors + _SURE) or 0, at(errors), at(errors - _SURE))
