"""What a number of samples can see, and how many would be enough."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalkit.errors import DataError
from evalkit.stats.interval import RATIO, quantile, statistic
from evalkit.stats.quantiles import normal_quantile, two_sided
from evalkit.stats.recovery import average_recovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.stats.totals import PairTotals


def minimum_detectable_drop(
    n: int, discordance: float, power: float = 0.8, alpha: float = 0.05, design_effect: float = 1.0
) -> float:
    """The smallest true drop of a 0/1 score (0.02 is two points) that ``n`` paired samples show with ``power``.

    A mean of paired differences in {-1, 0, 1} has variance d / n, d being the discordance, as long as the drop is
    small against it. A one-sided test at ``alpha`` asks for z(1 - alpha) standard errors, and ``power`` for
    z(power) more, so

        drop = (z(1 - alpha) + z(power)) * sqrt(d / n) = (1.645 + 0.842) * sqrt(d / n) = 2.486 * sqrt(d / n).

    A drop cannot exceed the discordance: where the formula would, the drop needs more changed samples than
    expected, d becomes the drop itself, and the drop 2.486^2 / n (about six samples, all lost).

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


def samples_to_decide(totals: PairTotals, threshold: float, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """How many more samples would put the whole interval on one side of ``threshold`` (a recovery in percent).

    Taken for granted is that the recovery found is the true one and that further samples are like these; ``power``
    is then the probability that the larger sample decides. 0 when these samples decide already, None when no
    number would: the recovery found is the threshold itself, or it is undefined.
    """
    if totals.x == 0.0 or (totals.clustered and totals.clusters == 1):
        return None
    errors = abs(statistic(totals, threshold / 100.0, RATIO, confidence))
    needed = quantile(totals, confidence)
    if errors > needed:
        return 0
    if errors < 1e-9:  # the threshold itself, but for rounding
        return None
    # The statistic grows with the root of the number of samples.
    return math.ceil(totals.n * ((needed + normal_quantile(power)) / errors) ** 2) - totals.n


def samples_to_decide_average(
    tasks: Sequence[PairTotals], threshold: float, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """The same for the average of several tasks, over all of them, when every task grows by one common factor.

    The average's interval has no quantile of its own: its reach towards the threshold, divided by the normal
    quantile, stands for the standard error, which shrinks with the root of the factor. Growing one task alone can
    need fewer or many more.
    """
    found = average_recovery(tasks, confidence)
    if found.percent is None or found.low is None or found.high is None:
        return None
    distance = abs(found.percent - threshold)
    reach = found.percent - found.low if found.percent > threshold else found.high - found.percent
    if distance > reach:
        return 0
    if distance < 1e-9 * max(1.0, threshold):  # the threshold itself, but for rounding
        return None
    needed = two_sided(confidence)
    errors = distance / reach * needed
    return math.ceil(found.n * ((needed + normal_quantile(power)) / errors) ** 2) - found.n
