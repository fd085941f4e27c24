"""What scores are parts of: 100 where they are percentages, 1 where they are shares. A score alone rarely tells."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.cards.sizes import size_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import AccuracyTable, CardScores

_MOST_SHARE = 1.5
"""What an error rate as a share may reach: more words may be wrong than there are."""
_FEW = 2
"""Decimals that percentages are printed with; shares have more, or nobody could tell them apart."""


def wholes(table: AccuracyTable, row: CardScores, scores: Iterable[Printed | None]) -> tuple[int, ...]:
    """What scores of a row are parts of, and where nothing tells, the other whole as well, behind the likelier one.

    A table has one unit for scores and one for error rates: beside 1.80 % a word error rate of 0.90 is in percent.
    What has more decimals than the percentages is a share: so is 0.0490 beside 71.40.
    """
    some = [score for score in scores if score is not None]
    if not some or any(_in_percent(row, score) for score in some):
        return (100,)
    decimals = max(score.decimals for score in some)
    others = () if table.metrics else row.scores
    beside = [score for score in others if score and not score.exact and _in_percent(row, score)]
    if beside and decimals <= max(score.decimals for score in beside):
        return (100,)
    places, many = _percentages(table, errors=row.better == "lower")
    if many and decimals <= places:
        return (100,)
    return (1, 100) if decimals <= max(places, _FEW) else (1,)


def _in_percent(row: CardScores, score: Printed) -> bool:
    """Whether a score can be no share; what is counted is read in percent."""
    return score.percent or score.exact or score.near > (_MOST_SHARE if row.better == "lower" else 1 + stats.ROUNDING)


@lru_cache(maxsize=256)
def _percentages(table: AccuracyTable, *, errors: bool) -> tuple[int, bool]:
    """How many decimals the percentages among the error rates, or among the scores, have at most (-1: there are none).

    And whether they are half of them or more. Of scores those of known benchmarks tell: a rating of 7.9 is no
    percentage.
    """
    alike = [row for row in table.rows if row.kind == "task" and (row.better == "lower") == errors]
    known = [] if errors else [row for row in alike if size_of(row.label, row.category) or any(row.sizes)]
    printed = [(row, score) for row in known or alike for score in row.scores if score and not score.exact]
    told = [score for row, score in printed if _in_percent(row, score)]
    return max((score.decimals for score in told), default=-1), 2 * len(told) >= max(len(printed), 1)
