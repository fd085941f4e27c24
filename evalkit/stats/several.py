"""Several rows tested at once: the p of each, and which of them stand when all are held together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.stats.interval import RATIO, p_below
from evalkit.stats.quantiles import normal_below
from evalkit.stats.recovery import average_recovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.stats.totals import PairTotals

ONE_SIDED = 0.025
"""Chance that a row whose true recovery is the threshold lies wholly below it by a 95 % interval."""

_FARTHEST = 8.0
"""Standard errors: a p below 1e-15 is as good as 0."""


def p_of_loss(tasks: Sequence[PairTotals], threshold: float, weights: Sequence[float] = ()) -> float:
    """One-sided p of a row against a recovery of ``threshold`` percent: small when the row has lost more.

    It belongs to the row's interval: the interval of confidence 1 - 2 p is the one that ends at the threshold. One
    task is tested by its own statistic; the interval of an average is combined from ends, so its p is searched.
    ``weights`` are the tasks' in the average; without them each counts alike.
    """
    if len(tasks) == 1:
        return p_below(tasks[0], threshold / 100.0, RATIO)
    near, far = 0.0, _FARTHEST
    for _ in range(30):
        middle = (near + far) / 2.0
        high = average_recovery(tasks, 1.0 - 2.0 * normal_below(-middle), weights).high
        near, far = (middle, far) if high is not None and high < threshold else (near, middle)
    return normal_below(-near)


def holm(found: Sequence[float], family: int, level: float = ONE_SIDED) -> list[bool]:
    """Which rows stand, in the order of ``found``, when the chance of any false one among ``family`` is ``level``.

    Holm (1979): the smallest p has to be at most level / family, the next one level / (family - 1), and so on; the
    first that is not ends the list. It holds however the rows depend on each other, so an average may be one of them.

    Args:
        found: The p of rows; rows that were tested and are not named have a larger one.
        family: How many rows were tested.
        level: Chance of any false one.
    """
    stand = [False] * len(found)
    for place, at in enumerate(sorted(range(len(found)), key=found.__getitem__)):
        # A row alone is judged by its interval, whose end and p may differ in the last digit.
        if found[at] * (1.0 - 1e-6) > level / (family - place):
            break
        stand[at] = True
    return stand
