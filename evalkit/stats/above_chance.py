"""The recovery of an average of scores from which chance is taken away, part by part.

A part's score s of questions with k options is worth (s - c) / (1 - c) with c = 1 / k, and 0 where s is below c; the
average is a weighted mean of that. While no part is clipped this is a straight line in the parts' scores, whose
intervals then combine. Where a part is within its error of chance it is not, and there is no interval.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.interval import DIFFERENCE, interval
from evalkit.stats.quantiles import two_sided
from evalkit.stats.recovery import RecoveryInterval
from evalkit.stats.totals import Grouping, pair_totals

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMED = 3


@dataclass(frozen=True, slots=True)
class ChancePart:
    """Paired scores of one part of such an average."""

    name: str
    first: Sequence[float]
    """The baseline's, from 0 to 1."""
    second: Sequence[float]
    """The candidate's, of the same answers."""
    groups: Grouping
    chance: float
    """What guessing scores; 0 where nothing can be guessed."""
    weight: float
    """In the average; those of all parts add up to 1."""
    answers: str = ""
    """Parts with the same word here are metrics of the same answers, and no independent parts."""


def above_chance(score: float, chance: float) -> float:
    """What a score is worth above chance, from 0 to 1; one below chance is worth 0."""
    return max(0.0, (score - chance) / (1.0 - chance))


def recovery_above_chance(parts: Sequence[ChancePart], confidence: float = 0.95) -> RecoveryInterval:
    """The candidate's average over the baseline's, in percent.

    With the average X of the baseline and the difference D of the two averages it is 1 + D / X. The intervals of the
    parts' differences, which are independent, combine side by side as those of `average_recovery` do (Zou and Donner
    2008, "MOVER"); what the chance in X adds comes from the delta method. Metrics of the same answers are taken to move
    together in full, which can only make the interval wider.
    """
    n = sum(len(part.first) for part in parts)
    base, cand = (
        math.fsum(part.weight * above_chance(math.fsum(side) / len(side), part.chance) for part, side in sides)
        for sides in ([(part, part.first) for part in parts], [(part, part.second) for part in parts])
    )
    if base <= 0.0:
        return RecoveryInterval(None, None, None, None, n, n, "the baseline is not above chance")
    ratio = cand / base
    if near := _near_chance(parts, confidence):
        some = ", ".join(near[:_NAMED]) + (f" and {len(near) - _NAMED} more" if len(near) > _NAMED else "")
        why = f"no interval: scores within their error of chance, below which they count as 0: {some}"
        return RecoveryInterval(100.0 * ratio, None, None, None, n, n, why)
    below, above, added = _distances(parts, ratio, confidence)
    drift = max(0.0, added) * two_sided(confidence) ** 2
    low = max(0.0, ratio - math.sqrt(below + drift) / base)
    high = ratio + math.sqrt(above + drift) / base
    return RecoveryInterval(100.0 * ratio, 100.0 * low, 100.0 * high, "combined", n, n)


def _near_chance(parts: Sequence[ChancePart], confidence: float) -> list[str]:
    """Parts of which either model's score may be clipped: it is not more than its error above chance."""
    found = []
    for part in parts:
        totals = pair_totals(part.first, part.second, part.groups)
        sides = ((totals.x, totals.covariance.x), (totals.y, totals.covariance.y))
        if part.chance and any(
            mean - two_sided(confidence) * math.sqrt(max(0.0, v)) <= part.chance for mean, v in sides
        ):
            found.append(part.name)
    return found


def _distances(parts: Sequence[ChancePart], ratio: float, confidence: float) -> tuple[float, float, float]:
    """Squared distances to both ends of the difference, and what the ratio's variance has beyond the difference's."""
    below: defaultdict[str | int, float] = defaultdict(float)
    above: defaultdict[str | int, float] = defaultdict(float)
    errors: tuple[defaultdict[str | int, float], ...] = (defaultdict(float), defaultdict(float))
    for at, part in enumerate(parts):
        key, scale = part.answers or at, part.weight / (1.0 - part.chance)
        totals = pair_totals(part.first, part.second, part.groups)
        changes = [two - one for one, two in zip(part.first, part.second, strict=True)]
        moved = pair_totals([1.0] * len(changes), changes, part.groups)
        ends = interval(moved, DIFFERENCE, confidence)
        if ends is not None:
            below[key] += scale * (moved.y - ends.low)
            above[key] += scale * (ends.high - moved.y)
        for found, of in zip(errors, (ratio, 1.0), strict=True):
            found[key] += scale * math.sqrt(max(0.0, totals.covariance.of_difference(of)))
    low, high, wide, plain = (math.fsum(one**2 for one in found.values()) for found in (below, above, *errors))
    return low, high, wide - plain
