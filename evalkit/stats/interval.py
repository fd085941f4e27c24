"""The interval of a ratio of paired means, by the method that holds for the data at hand.

**Fieller** (1954): every ratio r is in the interval for which mean(y) - r * mean(x) is within q standard errors of
0. It is exact for normal means, and needs enough samples that vary for the means to be normal.

**Score**: the same test, with the standard error that the data would have *if r were true*. The weights of the
samples are those that make mean(y - r * x) zero and are otherwise most likely (Owen 1988), where one pair at the edge
of what scores allow may receive weight though nobody has seen it. So three samples without a change say "fewer
than so many would change", not "nothing changes". For 0/1 scores this is a well-known interval: Wilson (1927) for
one share, Tango (1998) for a paired difference, Nam and Blackwelder (2002) for a paired ratio.

Which of the two: Fieller when at least ``FIELLER_FROM`` samples carry the variance, and the score otherwise. Averages
of many attempts are nearly normal sample by sample and need fewer, ``FIELLER_FROM_ATTEMPTS``. The simulation study in
``tests/calibration`` chose the methods and the numbers.

**Clusters** have a test of their own (``_clustered``), at every number of changes.

Strata enter through the covariance (``PairTotals``). The other methods pass them over: what they take from the
variance is less than what few changed samples leave open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit.stats.clustered import errors_above
from evalkit.stats.quantiles import normal_below, t_below, t_quantile, two_sided

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.stats.totals import Covariance, PairTotals

Method: TypeAlias = Literal["fieller", "score", "clusters"]
Cells: TypeAlias = "tuple[tuple[float, float, int], ...]"
"""Distinct pairs and how often each occurs."""

FIELLER_FROM = 100
"""``PairTotals.carriers`` from which the normal approximation of Fieller's interval holds."""
FIELLER_FROM_ATTEMPTS = 40
"""The same where every score is the average of ``MANY_ATTEMPTS`` or more."""
MANY_ATTEMPTS = 10
ENOUGH_CLUSTERS = 6
"""Below, all clusters lie on one side in one of 16 data sets or more, and their sums cannot show anything at 95 %."""
_LARGEST_UNSEEN = 14.0
"""Samples that a cluster in which nothing was seen to change is taken to lose at most: as many as leave an interval
without a change (q^2 clusters' worth, 54) no wider than 40 losses make it, from where on enough is seen."""

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Support:
    """The values that x and y can take, which bound what an unseen pair could be."""

    x: tuple[float, float]
    y: tuple[float, float]
    ratio: tuple[float, float]
    """The ratios of means that are possible."""
    unchanged: tuple[float, float]
    """What y is, as a multiple of x, where nothing was lost, and where nothing was gained."""

    def undone(self, cells: Cells, losses: bool) -> Cells:
        """The same pairs had no sample lost anything, or with ``losses`` false had none gained anything."""
        without_loss, without_gain = self.unchanged
        if losses:
            return tuple((x, max(y, without_loss * x), count) for x, y, count in cells)
        return tuple((x, min(y, without_gain * x), count) for x, y, count in cells)

    def extremes(self, ratio: float) -> tuple[float, float]:
        """The smallest and the largest possible y - ratio * x."""
        products = (ratio * self.x[0], ratio * self.x[1])
        return self.y[0] - max(products), self.y[1] - min(products)


RATIO = Support(x=(0.0, 1.0), y=(0.0, 1.0), ratio=(0.0, math.inf), unchanged=(1.0, 1.0))
MEAN = Support(x=(1.0, 1.0), y=(0.0, 1.0), ratio=(0.0, 1.0), unchanged=(1.0, 0.0))
DIFFERENCE = Support(x=(1.0, 1.0), y=(-1.0, 1.0), ratio=(-1.0, 1.0), unchanged=(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Interval:
    """Low and high end of a ratio of means, and the method that found them."""

    low: float
    high: float
    method: Method


def interval(totals: PairTotals, support: Support, confidence: float = 0.95) -> Interval | None:
    """The two-sided interval of mean(y) / mean(x); None when all samples share one cluster.

    ``totals.x`` must be above 0.
    """
    if totals.clustered and totals.clusters == 1:
        return None
    if method(totals) == "fieller":
        ends = fieller(totals.x, totals.y, totals.covariance, quantile(totals, confidence))
        if ends is not None:
            return Interval(*ends, "fieller")
    return Interval(*_likely_ends(totals, support, confidence), "clusters" if totals.clustered else "score")


def method(totals: PairTotals) -> Method:
    """Which interval holds for these totals."""
    if totals.clustered:
        return "clusters"
    enough = FIELLER_FROM_ATTEMPTS if totals.attempts >= MANY_ATTEMPTS else FIELLER_FROM
    return "fieller" if totals.carriers >= enough else "score"


def quantile(totals: PairTotals, confidence: float) -> float:
    """How many standard errors the interval reaches to either side.

    Student's t with Satterthwaite's degrees of freedom from the samples' own deviations (``degrees``) for Fieller's;
    otherwise normal, because the variance is known under the tested ratio.
    """
    if method(totals) == "fieller":
        return t_quantile((1.0 + confidence) / 2.0, degrees(totals))
    return two_sided(confidence)


def degrees(totals: PairTotals) -> int:
    """Satterthwaite's degrees of freedom of the variance of mean(y) - r * mean(x).

    Each squared deviation estimates its variance with one degree: 3 * carriers - 2, at most samples - strata.
    """
    most = totals.clusters - totals.strata
    own = 3.0 * totals.carriers - 2.0 if totals.carriers else most
    return max(1, min(most, int(own)))


def p_below(totals: PairTotals, ratio: float, support: Support) -> float:
    """One-sided p of what was found if the true ratio were ``ratio``: small when the samples say that it is lower.

    It is below (1 - confidence) / 2 if and only if the two-sided interval of that confidence lies below ``ratio``.
    """
    if _bounded(totals):
        return t_below((totals.y - ratio * totals.x) / _error(totals, ratio), degrees(totals))
    return normal_below(_likely(totals, ratio, support))


def _bounded(totals: PairTotals, confidence: float = 0.95) -> bool:
    """Whether the interval is Fieller's, and has ends."""
    return method(totals) == "fieller" and totals.x**2 > quantile(totals, confidence) ** 2 * totals.covariance.x


def _error(totals: PairTotals, ratio: float) -> float:
    return math.sqrt(totals.covariance.of_difference(ratio))


def statistic(totals: PairTotals, ratio: float, support: Support) -> float:
    """How many standard errors mean(y) - ``ratio`` * mean(x) is above 0, by the method of ``totals``.

    To be compared with ``quantile``.
    """
    if method(totals) == "fieller":
        return (totals.y - ratio * totals.x) / _error(totals, ratio)
    return _likely(totals, ratio, support)


def _likely(totals: PairTotals, ratio: float, support: Support) -> float:
    if totals.clustered:
        return _clustered(totals, ratio, support)
    return score_statistic(totals.cells, ratio, support)


def _clustered(totals: PairTotals, ratio: float, support: Support) -> float:
    """The statistic where samples share clusters: from the clusters' sums, kept between bounds.

    - *Seen*: the sums themselves (``errors_above``).
    - *Unseen*: where few clusters have changed, that none has changed altogether may be luck. No interval reaches less
      far down than it would had nothing been lost, each cluster counting as one sample (the score statistic over the
      root of a cluster's size; Rao and Scott 1992), or less far up than had nothing been gained.
    - *Alone*: no interval is narrower than that of independent samples; a smaller variance is the luck of few clusters.
    - *Worst*: samples of a cluster can do no worse than change together, all of them, which multiplies the variance by
      the size of the largest cluster at most.

    Each falls with every loss, and rises with every gain, and so does what they have in common.
    """
    plain = score_statistic(totals.cells, ratio, support)
    worst = abs(plain) / math.sqrt(totals.largest_cluster)
    if plain == 0.0 or totals.clusters < ENOUGH_CLUSTERS:
        return math.copysign(worst, plain)
    sign = math.copysign(1.0, plain)
    sums = [(sign * (y - ratio * x), count) for x, y, count in totals.sums]
    intact = score_statistic(support.undone(totals.cells, losses=plain > 0.0), ratio, support)
    unseen = abs(intact) / math.sqrt(min(totals.n / totals.clusters, _LARGEST_UNSEEN))
    return sign * max(worst, min(abs(plain), unseen, errors_above(sums)))


def fieller(x: float, y: float, covariance: Covariance, q: float) -> tuple[float, float] | None:
    """Fieller's interval of ``y / x``; None when it is unbounded, because ``x`` is within ``q`` errors of 0."""
    a = x * x - q * q * covariance.x
    b = x * y - q * q * covariance.xy
    c = y * y - q * q * covariance.y
    if a <= 0.0:
        return None
    # The ratio itself solves the quadratic's inequality, so a negative value is rounding.
    root = math.sqrt(max(b * b - a * c, 0.0))
    return (b - root) / a, (b + root) / a


def score_statistic(cells: Cells, ratio: float, support: Support) -> float:
    """The score statistic of ``ratio`` for independent pairs; positive when ``ratio`` is too small."""
    n = sum(count for _, _, count in cells)
    mean = math.fsum(count * (y - ratio * x) for x, y, count in cells) / n
    low, high = support.extremes(ratio)
    if abs(mean) <= _ROUNDING * max(1.0, abs(ratio)):
        return 0.0
    # Mirrored where needed, so that weight always moves towards ``edge``, below 0.
    sign, edge = (1.0, low) if mean > 0.0 else (-1.0, -high)
    values = [(sign * (y - ratio * x), count / n) for x, y, count in cells]
    variance = _variance_under_null(values, edge)
    return math.inf * sign if variance <= 0.0 else mean / math.sqrt(variance / n)


def _variance_under_null(values: list[tuple[float, float]], edge: float) -> float:
    """Mean square of ``values`` (value, share; mean above 0) under the likeliest weights with mean 0.

    The weights are share / (1 + tilt * value); what they leave of 1 sits on ``edge``.
    """
    if edge >= 0.0:
        return 0.0
    steepest = -1.0 / edge
    # A value on the edge itself makes its weight infinite at the steepest tilt: the solution is then inside.
    room = min(1.0 + steepest * value for value, _ in values)
    if room > _ROUNDING:
        left = steepest * math.fsum(share * value / (1.0 + steepest * value) for value, share in values)
        if left >= 0.0:
            squares = (share * value * value / (1.0 + steepest * value) for value, share in values)
            return math.fsum(squares) + left * edge * edge
    tilt = _tilt(values, steepest)
    return math.fsum(share * value * value / (1.0 + tilt * value) for value, share in values)


def _tilt(values: list[tuple[float, float]], steepest: float) -> float:
    """The tilt between 0 and ``steepest`` at which the weighted mean is 0: Newton's method inside a bracket."""
    low, high = 0.0, steepest
    tilt = min(
        sum(share * value for value, share in values) / sum(share * value * value for value, share in values),
        0.9 * steepest,
    )
    for _ in range(100):
        mean = slope = 0.0
        for value, share in values:
            part = value / (1.0 + tilt * value)
            mean += share * part
            slope += share * part * part
        newton = tilt + mean / slope
        if abs(newton - tilt) <= 1e-8 * steepest:  # the next step would be about its square
            return newton
        low, high = (tilt, high) if mean > 0.0 else (low, tilt)
        tilt = newton if low < newton < high else (low + high) / 2.0
    return tilt


def _likely_ends(totals: PairTotals, support: Support, confidence: float) -> tuple[float, float]:
    centre = totals.y / totals.x
    q = two_sided(confidence)

    def excess(ratio: float) -> float:
        return abs(_likely(totals, ratio, support)) - q

    # A first step of the right size: the standard error if one sample more had changed each way.
    step = q * math.sqrt(max(totals.covariance.of_difference(centre), 0.0) + 2.0 / totals.n**2) / totals.x
    low, high = support.ratio
    return _end(excess, centre, low, -step), _end(excess, centre, high, step)


def _end(excess: Callable[[float], float], inside: float, bound: float, step: float) -> float:
    """Where ``excess``, negative at ``inside``, turns positive on the way to ``bound``; ``bound`` if it never does."""
    if inside == bound:
        return bound
    near, near_value = inside, excess(inside)
    far = _towards(near, step, bound)
    while (far_value := excess(far)) <= 0.0:
        if abs(far - bound) <= _ROUNDING:
            return bound
        near, near_value = far, far_value
        step *= 2.0
        far = _towards(near, step, bound)
    return _crossing(excess, (near, near_value), (far, far_value))


def _towards(start: float, step: float, bound: float) -> float:
    """``start + step``, but at most half of the way to ``bound``."""
    half = (start + bound) / 2.0
    return min(start + step, half) if step > 0.0 else max(start + step, half)


def _crossing(excess: Callable[[float], float], near: tuple[float, float], far: tuple[float, float]) -> float:
    """The root between two points of opposite sign, by false position with the Illinois correction."""
    (a, fa), (b, fb) = near, far
    if not math.isfinite(fb):
        fb = 1.0
    for _ in range(200):
        middle = b - fb * (b - a) / (fb - fa)
        value = excess(middle)
        if abs(value) <= 1e-8 or abs(b - a) <= 1e-12 * max(1.0, abs(b)):
            return middle
        if (value > 0.0) == (fb > 0.0):
            fa *= 0.5
        else:
            a, fa = b, fb
        b, fb = middle, value
    return b
