"""How far the sums of clusters lie from 0, such that a lower sum anywhere never makes them lie further above it.

For the test of mean(z) = 0 against a mean above 0, each cluster has the sum z of its samples. The statistic is

    T = max over s of sum psi(s z),        sqrt(2 T) being compared with a normal quantile.

With psi(u) = sqrt(1 + 2 u) - 1 it is Pearson's chi-square between what was seen and the nearest weights of the clusters
that have mean 0 (Cressie and Read 1984; Baggerly 1998): of k lost clusters, of which d were to be expected,
2 T = (d - k)^2 / d, the score test. It so knows that a few losses were a few by chance. Large sums above 0 are another
matter: one of them must not stand for many. So psi bends at ``_BEND`` and rises no more from 1 on (as the influence of
one observation is bounded in Catoni 2012).

psi increases. Whatever lowers a sum, lowers sum psi(s z) for every s, and T with it: that one more loss never raises
the low end of an interval follows from this, however large the clusters are and however the losses fall. A statistic
that divides by an estimated variance has no such property: a loss in a new cluster can make the others look small.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEND = 0.4
"""Where psi leaves Pearson's curve. Chosen by ``tests/calibration``: at 0.3 intervals cover more than 95 %, at 0.5 less
where few large clusters carry the variance."""
_SLOPE = 1.0 / math.sqrt(1.0 + 2.0 * _BEND)
_HEIGHT = math.sqrt(1.0 + 2.0 * _BEND) - 1.0
_TOP = _HEIGHT + _SLOPE * (1.0 - _BEND) / 2.0
"""What psi rises to."""


def errors_above(sums: Sequence[tuple[float, int]]) -> float:
    """How many standard errors the clusters' sums lie above 0; 0 where they do not.

    It does not change when all sums are multiplied by a number above 0. Where no sum is below 0 each above it adds the
    most that one can.

    Args:
        sums: Each distinct sum and how many clusters have it.
    """
    lowest = min(value for value, _ in sums)
    if lowest >= 0.0:
        return math.sqrt(2.0 * _TOP * sum(count for value, count in sums if value > 0.0))
    # Scaled so that the lowest reaches the end of Pearson's curve at 1.
    scaled = [(-0.5 * value / lowest, count) for value, count in sums]
    at = _steepness(scaled)
    return math.sqrt(max(0.0, 2.0 * math.fsum(count * _psi(at * value) for value, count in scaled)))


def _psi(u: float) -> float:
    if u <= _BEND:
        return math.sqrt(max(0.0, 1.0 + 2.0 * u)) - 1.0
    beyond = min(u, 1.0) - _BEND
    return _HEIGHT + _SLOPE * (beyond - beyond * beyond / (2.0 * (1.0 - _BEND)))


def _steepness(values: list[tuple[float, int]]) -> float:
    """Where between 0 and 1 sum psi(s v) is largest, the lowest v being -1/2: Newton's method inside a bracket."""
    low, high = 0.0, 1.0
    at = 0.5
    for _ in range(60):
        rise, fall = _slopes(values, at)
        low, high = (at, high) if rise > 0.0 else (low, at)
        newton = at + rise / fall if fall > 0.0 else high
        following = newton if low < newton < high else (low + high) / 2.0
        if abs(following - at) <= 1e-9 * high:  # T is flat there: its own error is about the square
            return following
        at = following
    return at


def _slopes(values: list[tuple[float, int]], at: float) -> tuple[float, float]:
    """First derivative of sum psi(at v) by ``at``, and the second with its sign turned."""
    first = second = 0.0
    for value, count in values:
        u = at * value
        if u <= _BEND:
            root = 1.0 / math.sqrt(1.0 + 2.0 * u)
            first += count * value * root
            second += count * value * value * root**3
        elif u < 1.0:
            first += count * value * _SLOPE * (1.0 - u) / (1.0 - _BEND)
            second += count * value * value * _SLOPE / (1.0 - _BEND)
    return first, second
