"""Differences in a row or column of their own: what they are of, the figures have to say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from evalkit.base.printable import counted
from evalkit.cards.checks.conventions import BARE_DIFFERENCES, DIFFERENCES
from evalkit.cards.checks.figure import Expected, Figure, FigureSpot, Ref
from evalkit.cards.checks.scopes import mean_of, scopes
from evalkit.cards.checks.stated import NO_SCORE, UNCLEAR
from evalkit.cards.checks.wholes import wholes
from evalkit.cards.figures import Range
from evalkit.cards.roles import words
from evalkit.cards.roles.averages import average_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.checks.conventions import Number
    from evalkit.cards.nouns import AccuracyTable, Stated

_FORMULAS = (*DIFFERENCES, *BARE_DIFFERENCES)
_Reading: TypeAlias = "Sequence[Expected | None]"
"""What one choice of rows and formula makes of each figure."""


@dataclass(frozen=True, slots=True)
class _Differences:
    """The differences of one row, or of one column of a turned table."""

    table: AccuracyTable
    at: int
    stated: Sequence[Stated]

    def fits(self, reading: _Reading) -> int:
        """How many figures follow, those of baselines beside themselves left out."""
        return sum(
            each is not None and one.model != one.base and each.range.overlaps(one.printed.range)
            for one, each in zip(self.stated, reading, strict=True)
        )

    def readings(self, rows: Sequence[int]) -> Iterator[_Reading]:
        """By every formula: of the means of some rows, and the mean of their own differences."""
        for formula in range(len(_FORMULAS)):
            yield [self._of_means(rows, one, formula) for one in self.stated]
            if len(rows) > 1:
                yield [self._mean(rows, one, formula) for one in self.stated]

    def _of_means(self, rows: Sequence[int], one: Stated, formula: int) -> Expected | None:
        base, cand = (self._mean_of(rows, model) for model in (one.base, one.model))
        if base is None or cand is None:
            return None
        table = self.table
        scores = [table.rows[at].scores[model] for at in rows for model in (one.base, one.model)]
        number = _FORMULAS[formula].of(base, cand, wholes(table, table.rows[rows[0]], scores), one.printed.range)
        return self._expected(rows, one, number, formula)

    def _mean_of(self, rows: Sequence[int], model: int) -> Number | None:
        scores = [score for at in rows if (score := self.table.rows[at].scores[model]) is not None]
        return mean_of([(score.value, score.range) for score in scores]) if len(scores) == len(rows) else None

    def _mean(self, rows: Sequence[int], one: Stated, formula: int) -> Expected | None:
        found = []
        for at in rows:
            each = self._of_means([at], one, formula)
            if each is None:
                return None
            found.append((each.value, each.range))
        return self._expected(rows, one, mean_of(found), formula)

    def _expected(self, rows: Sequence[int], one: Stated, number: Number | None, formula: int) -> Expected | None:
        if one.base == one.model:
            return Expected(Fraction(0), Range(Fraction(0), Fraction(0)), "the baseline beside itself")
        if number is None:
            return None
        table = self.table
        spots = tuple(FigureSpot(at, model) for at in rows for model in (one.base, one.model))
        rests = tuple(
            Ref(table.rows[spot.row].name, table.models[spot.model], score.text)
            for spot in spots
            if (score := table.rows[spot.row].scores[spot.model]) is not None
        )
        of = counted(len(rows), "row") if len(rows) > 1 else table.rows[rows[0]].name
        return Expected(*number, f"{_FORMULAS[formula].name}, of {of}", rests, spots)


def overall_differences(table: AccuracyTable, at: int, average: int | None) -> Iterator[Figure]:
    """The differences of a row that has no scores of its own, by the reading that explains the most of them.

    Args:
        table: With its doubtful averages settled.
        at: The row.
        average: The row of the average that it stands under; None where there is none.
    """
    stated = [one for one in table.rows[at].stated if one.kind == "difference"]
    told = _Differences(table, at, stated)
    tasks = [one for one, row in enumerate(table.rows) if row.kind == "task"]
    single = [[one] for one in sorted(tasks, key=lambda one: (one > at, abs(one - at)))]
    several = [list(scope.members) for scope in scopes(table, at) if len(scope.members) > 1]
    named = average_in(words.DIFFERENCE.sub(" ", table.rows[at].label)) != "no"
    choices = [[average]] if average is not None else []
    choices += [*several, *single] if named else [*single, *several]
    best: _Reading = [None] * len(stated)
    most = 0
    count = sum(one.model != one.base for one in stated)
    for rows in choices:
        for reading in told.readings(rows):
            fits = told.fits(reading)
            if fits > most:
                best, most = reading, fits
        if most == count:
            break
    first = list(told.readings([average])) if average is not None and not most and count < 3 else []
    for number, one in enumerate(stated):
        expected = [best[number]] if 2 * most > count or (named and most) else [each[number] for each in first]
        kept = tuple(each for each in expected if each is not None)
        place = (table.rows[at].name, one.place) if not table.turned else (table.models[one.model], one.column)
        lacks = "" if kept else UNCLEAR if tasks else NO_SCORE
        yield Figure("difference", table.place, *place, one.printed, kept, lacks)
