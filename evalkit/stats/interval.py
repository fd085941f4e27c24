"""The interval of a ratio of paired means, by the method that holds for the data at hand.

**Fieller** (1954): every ratio r is in the interval for which mean(y) - r * mean(x) is within q standard errors of
0. It is exact for normal means, and needs enough samples that vary for the means to be normal.

**Score**: the same test, with the standard error that the data would have *if r were true*. The weights of the
samples are those that make mean(y - r * x) zero and are otherwise most likely (Owen 1988), where one pair at the edge
of what scores allow may receive weight though nobody has seen it. So three samples without a change say "fewer
than so many would change", not "nothing changes". For 0/1 scores this is a well-known interval: Wilson (1927) for
one share, Tango (1998) for a paired difference, Nam and Blackwelder (2002) for a paired ratio. Clusters enter
through the design effect (Rao and Scott 1992).

Which of the two: Fieller when at least ``FIELLER_FROM`` clusters carry the variance, and the score otherwise. Averages
of many attempts are nearly normal sample by sample and need fewer, ``FIELLER_FROM_ATTEMPTS``. The simulation study in
``tests/calibration`` chose the methods and the numbers.

Strata enter through the covariance (``PairTotals``). The score interval passes them over: what they take from the
variance is less than what few changed samples leave open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit.stats.quantiles import normal_below, t_below, t_quantile, two_sided

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.stats.totals import Covariance, PairTotals

Method: TypeAlias = Literal["fieller", "score"]

FIELLER_FROM = 100
"""``PairTotals.carriers`` from which the normal approximation of Fieller's interval holds."""
FIELLER_FROM_ATTEMPTS = 40
"""The same where every score is the average of ``MANY_ATTEMPTS`` or more."""
MANY_ATTEMPTS = 10

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Support:
    """The values that x and y can take, which bound what an unseen pair could be."""

    x: tuple[float, float]
    y: tuple[float, float]
    ratio: tuple[float, float]
    """The ratios of means that are possible."""

    def extremes(self, ratio: float) -> tuple[float, float]:
        """The smallest and the largest possible y - ratio * x."""
        products = (ratio * self.x[0], ratio * self.x[1])
        return self.y[0] - max(products), self.y[1] - min(products)


RATIO = Support(x=(0.0, 1.0), y=(0.0, 1.0), ratio=(0.0, math.inf))
MEAN = Support(x=(1.0, 1.0), y=(0.0, 1.0), ratio=(0.0, 1.0))
DIFFERENCE = Support(x=(1.0, 1.0), y=(-1.0, 1.0), ratio=(-1.0, 1.0))


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
    return Interval(*_score_ends(totals, support, confidence), "score")


def method(totals: PairTotals) -> Method:
    """Which interval holds for these totals."""
    enough = FIELLER_FROM_ATTEMPTS if totals.attempts >= MANY_ATTEMPTS else FIELLER_FROM
    return "fieller" if totals.carriers >= enough else "score"


def quantile(totals: PairTotals, confidence: float) -> float:
    """How many standard errors the interval reaches to either side.

    Normal where the variance is known under the tested ratio (score, no clusters), otherwise Student's t with
    Satterthwaite's degrees of freedom from the clusters' own deviations: 3 * carriers - 2 (each squared deviation
    estimates its variance with one degree of freedom), at most clusters - strata.
    """
    return _widening(totals, confidence)[0]


def _widening(totals: PairTotals, confidence: float) -> tuple[float, float]:
    """The quantile, and the design effect that it is for.

    Few changed clusters estimate a design effect so badly that Student's t would reach to absurd lengths. But the
    effect is bounded (``largest_effect``): with that bound the variance is known and the normal quantile holds. The
    narrower of the two is taken.
    """
    normal = two_sided(confidence)
    if method(totals) == "score" and not totals.clustered:
        return normal, 1.0
    student = t_quantile((1.0 + confidence) / 2.0, degrees(totals))
    effect = design_effect(totals)
    bound = largest_effect(totals)
    if method(totals) == "score" and student**2 * effect > normal**2 * bound:
        return normal, bound
    return student, effect


def degrees(totals: PairTotals) -> int:
    """Satterthwaite's degrees of freedom of the variance of mean(y) - r * mean(x)."""
    most = totals.clusters - totals.strata
    own = 3.0 * totals.carriers - 2.0 if totals.carriers else most
    return max(1, min(most, int(own)))


def p_below(totals: PairTotals, ratio: float, support: Support) -> float:
    """One-sided p of what was found if the true ratio were ``ratio``: small when the samples say that it is lower.

    It is below (1 - confidence) / 2 if and only if the two-sided interval of that confidence lies below ``ratio``.
    """
    if _bounded(totals):
        return t_below((totals.y - ratio * totals.x) / _error(totals, ratio), degrees(totals))
    score = score_statistic(totals, ratio, support)
    if not totals.clustered:
        return normal_below(score)
    # The interval takes the narrower of two widenings, so the smaller p.
    student = t_below(score / math.sqrt(design_effect(totals)), degrees(totals))
    return min(student, normal_below(score / math.sqrt(largest_effect(totals))))


def _bounded(totals: PairTotals, confidence: float = 0.95) -> bool:
    """Whether the interval is Fieller's, and has ends."""
    return method(totals) == "fieller" and totals.x**2 > quantile(totals, confidence) ** 2 * totals.covariance.x


def _error(totals: PairTotals, ratio: float) -> float:
    return math.sqrt(totals.covariance.of_difference(ratio))


def statistic(totals: PairTotals, ratio: float, support: Support, confidence: float = 0.95) -> float:
    """How many standard errors mean(y) - ``ratio`` * mean(x) is above 0, by the method of ``totals``.

    To be compared with ``quantile`` of the same confidence.
    """
    if method(totals) == "fieller":
        return (totals.y - ratio * totals.x) / _error(totals, ratio)
    return score_statistic(totals, ratio, support) / math.sqrt(_widening(totals, confidence)[1])


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


def design_effect(totals: PairTotals) -> float:
    """By what factor clusters multiply the variance of mean(y) - r * mean(x), r being the ratio found.

    Never below 1: a smaller factor is the luck of few clusters. Where nothing varies no factor can be seen: it is the
    largest.
    """
    if not totals.clustered:
        return 1.0
    ratio = totals.y / totals.x
    plain = totals.plain_variance(ratio)
    clustered = totals.covariance.of_difference(ratio)
    if min(plain, clustered) < _ROUNDING / totals.n**2:
        return largest_effect(totals)
    return max(1.0, clustered / plain)


def largest_effect(totals: PairTotals) -> float:
    """The most that clusters can multiply the variance by.

    Samples of a cluster can do no worse than change together, which makes it the size of the cluster in which an
    average sample sits. Where one cluster at most has changed, no large one was seen to: every cluster counts as one
    sample, however many it holds.
    """
    return totals.n / totals.clusters if degrees(totals) == 1 or not totals.carriers else totals.cluster_size


def score_statistic(totals: PairTotals, ratio: float, support: Support) -> float:
    """The score statistic of ``ratio`` for independent samples; positive when ``ratio`` is too small."""
    mean = totals.y - ratio * totals.x
    low, high = support.extremes(ratio)
    if abs(mean) <= _ROUNDING * max(1.0, abs(ratio)):
        return 0.0
    # Mirrored where needed, so that weight always moves towards ``edge``, below 0.
    sign, edge = (1.0, low) if mean > 0.0 else (-1.0, -high)
    values = [(sign * (y - ratio * x), count / totals.n) for x, y, count in totals.cells]
    variance = _variance_under_null(values, edge)
    return math.inf * sign if variance <= 0.0 else mean / math.sqrt(variance / totals.n)


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


def _score_ends(totals: PairTotals, support: Support, confidence: float) -> tuple[float, float]:
    centre = totals.y / totals.x
    q, effect = _widening(totals, confidence)
    reach = q * math.sqrt(effect)

    def excess(ratio: float) -> float:
        return abs(score_statistic(totals, ratio, support)) - reach

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
