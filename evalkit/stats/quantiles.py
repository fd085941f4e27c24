"""Quantiles of the normal and Student's t distribution, and the exact sign test."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

_STANDARD_NORMAL = NormalDist()
_EXACT_UP_TO = 100
"""Degrees of freedom up to which t is summed exactly; above it the expansion is right to nine digits."""


def normal_quantile(probability: float) -> float:
    """The value that a standard normal variable stays below with ``probability`` (0 < probability < 1)."""
    return _STANDARD_NORMAL.inv_cdf(probability)


def two_sided(confidence: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 for ``confidence`` 0.95."""
    return normal_quantile((1.0 + confidence) / 2.0)


def normal_below(value: float) -> float:
    """P(Z <= ``value``) of a standard normal variable, right to the last digits in either tail."""
    return 0.5 * math.erfc(-value / math.sqrt(2.0))


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: int) -> float:
    """The value that Student's t with ``degrees`` (>= 1) of freedom stays below with ``probability``.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4 (the distribution as a
    finite sum, inverted by bisection) and 26.7.5 (the expansion around the normal quantile).
    """
    if probability < 0.5:
        return -t_quantile(1.0 - probability, degrees)
    z = normal_quantile(probability)
    if degrees > _EXACT_UP_TO:
        return _expanded(z, degrees)
    low, high = 0.0, 1.0
    while t_below(high, degrees) < probability:
        low, high = high, 2.0 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if t_below(middle, degrees) < probability else (low, middle)
    return (low + high) / 2.0


def t_below(t: float, degrees: int) -> float:
    """P(T <= ``t``) of Student's t with ``degrees`` (>= 1) of freedom, by the source of ``t_quantile``."""
    if t < 0.0:
        return 1.0 - t_below(-t, degrees)
    if math.isinf(t):
        return 1.0
    angle = math.atan2(t, math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2 == 1
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(3 if odd else 2, degrees - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = (2.0 / math.pi) * (angle + sine * total) if odd else sine * total
    return (1.0 + inside) / 2.0


def _expanded(z: float, degrees: int) -> float:
    square = z * z
    terms = (
        z * (square + 1.0) / 4.0,
        z * ((5.0 * square + 16.0) * square + 3.0) / 96.0,
        z * (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
        z * ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0) / 92160.0,
    )
    return z + math.fsum(term / degrees ** (power + 1) for power, term in enumerate(terms))


def sign_test(first: int, second: int) -> float:
    """Exact two-sided p that ``first`` and ``second`` events are equally likely; 1.0 when there is none.

    The binomial tail is summed from its largest term downwards, so thousands of events cost little. A p below the
    smallest float is 0.0.
    """
    events, fewer = first + second, min(first, second)
    if first == second:
        return 1.0
    log_largest = math.lgamma(events + 1) - math.lgamma(fewer + 1) - math.lgamma(events - fewer + 1)
    term = 1.0
    total = 1.0
    for k in range(fewer, 0, -1):
        term *= k / (events - k + 1)
        total += term
        if term < 1e-17 * total:
            break
    return min(1.0, 2.0 * total * math.exp(log_largest - events * math.log(2.0)))
