"""The one cell whose other value makes every figure of a table follow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from evalkit.cards.checks.counts import counts
from evalkit.cards.checks.figure import FigureSpot, Ref
from evalkit.cards.checks.tables import table_figures
from evalkit.cards.figures import Printed, Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.checks.figure import Figure
    from evalkit.cards.nouns import AccuracyTable, CardScores

_Key: TypeAlias = tuple[str, str, str]
_MOST_FINDINGS = 8
_MOST_CELLS = 12
"""Scores that are tried."""
_MOST_SCORES = 400
"""Scores of a table in which one is looked for."""
_MOST_VALUES = 6
_MOST_STEPS = 200
"""Values that are looked at for one that is a count of right answers."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A score that explains findings."""

    table: str
    row: str
    column: str
    printed: str
    value: str
    """With which all figures follow that rest on the score."""
    count: int | None
    """Of right answers, where the benchmark's size is known and the value is one."""
    n: int | None
    explains: int
    """How many findings it explains."""
    swapped: tuple[Ref, ...] = ()
    """Two scores of a row that changed places, instead of one that is wrong."""


def repair(table: AccuracyTable, wrong: Sequence[Figure]) -> Repair | None:
    """The only score whose change makes all wrong figures follow; None where there is none, or several.

    Where one figure alone is wrong, the score is one that no count of right answers gives, and the new one is.
    """
    if not 1 <= len(wrong) <= _MOST_FINDINGS or len(table.rows) * len(table.models) > _MOST_SCORES:
        return None
    spots = list(dict.fromkeys(spot for figure in wrong for one in figure.expected for spot in one.uses))
    spots += [figure.own for figure in wrong if figure.own is not None and figure.own not in spots]
    # A score that explains them all takes part in all of them, as itself or as what they rest on.
    shared = [spot for spot in spots if all(_takes_part(spot, figure) for figure in wrong)]
    if len(wrong) == 1:
        # One figure follows if any of several scores is changed: only a score that cannot be is worth a word.
        shared = [spot for spot in shared if _cannot_be(table, spot)]
    before = frozenset(_failing(table))
    found = [one for spot in shared[:_MOST_CELLS] if (one := _changed(table, spot, wrong, before)) is not None]
    if len(found) == 1:
        return found[0]
    return _swapped(table, wrong, before) if not found and len(wrong) > 1 else None


def _takes_part(spot: FigureSpot, figure: Figure) -> bool:
    return figure.own == spot or any(spot in one.uses for one in figure.expected)


def _changed(table: AccuracyTable, spot: FigureSpot, wrong: Sequence[Figure], before: frozenset[_Key]) -> Repair | None:
    row = table.rows[spot.row]
    printed = row.scores[spot.model]
    if printed is None or printed.exact:
        return None
    for value in _values(table, spot, printed, wrong):
        if len(wrong) == 1 and not _is_count(table, row, spot.model, value):
            continue
        if _explains(_with(table, spot, value), before, len(wrong)):
            tally = counts(table, row, spot.model, value)
            count = tally.possible[0] if tally and len(tally.possible) == 1 else None
            name = (row.name, table.models[spot.model])
            name = name if not table.turned else (name[1], row.label)
            n = tally.n if tally and count is not None else None
            return Repair(table.place, *name, printed.text, value.text, count, n, len(wrong))
    return None


def _failing(table: AccuracyTable) -> Iterator[_Key]:
    return ((one.row, one.column, one.printed.text) for one in table_figures(table) if one.expected and not one.follows)


def _explains(table: AccuracyTable, before: frozenset[_Key], wrong: int) -> bool:
    """Whether a changed table fails where it did before, but for the wrong figures, and nowhere else."""
    after: set[_Key] = set()
    for key in _failing(table):
        after.add(key)
        if key not in before or len(after) > len(before) - wrong:
            return False
    return len(after) == len(before) - wrong


def _with(table: AccuracyTable, spot: FigureSpot, value: Printed) -> AccuracyTable:
    row = table.rows[spot.row]
    scores = (*row.scores[: spot.model], value, *row.scores[spot.model + 1 :])
    rows = (*table.rows[: spot.row], replace(row, scores=scores), *table.rows[spot.row + 1 :])
    return replace(table, rows=rows)


def _values(table: AccuracyTable, spot: FigureSpot, printed: Printed, wrong: Sequence[Figure]) -> Iterator[Printed]:
    """Values by which the wrong figures would follow, those that are counts of right answers first."""
    ranges = [bounds for figure in wrong if (bounds := _needed(table, spot, figure)) is not None]
    if not ranges:
        return
    low, high = max(one.low for one in ranges), min(one.high for one in ranges)
    if low > high or high <= 0:
        return
    unit = 2 * printed.half_unit
    first = -(-low // unit)
    some = [first + step for step in range(int(min((high - low) // unit + 1, _MOST_STEPS)))]
    some = some or [round((low + high) / 2 / unit)]
    values = [printed.with_value(unit * step) for step in some]
    middle = (low + high) / 2
    row = table.rows[spot.row]
    ranked = sorted(values, key=lambda one: (not _is_count(table, row, spot.model, one), abs(one.value - middle)))
    yield from ranked[:_MOST_VALUES]


def _cannot_be(table: AccuracyTable, spot: FigureSpot) -> bool:
    """Whether no count of right answers gives a score."""
    row = table.rows[spot.row]
    score = row.scores[spot.model]
    found = counts(table, row, spot.model, score) if score is not None else None
    return found is not None and not found.seeds


def _is_count(table: AccuracyTable, row: CardScores, model: int, value: Printed) -> bool:
    found = counts(table, row, model, value)
    return found is not None and bool(found.possible)


def _needed(table: AccuracyTable, spot: FigureSpot, figure: Figure) -> Range | None:
    """Between which values a score has to lie for one wrong figure to follow; None where that is not simple.

    Means are taken as plain: of a weighted one the value is only near, and `_explains` tells whether it is enough.
    """
    printed = table.rows[spot.row].scores[spot.model]
    if printed is None:
        return None
    usual = figure.expected[0]
    if figure.own == spot:
        return Range(usual.range.low - printed.half_unit, usual.range.high + printed.half_unit)
    if figure.kind == "average":
        share = Fraction(1, max(len(usual.uses), 1))
        gap = figure.printed.range
        slack = usual.range.high - usual.value
        return Range(
            printed.value + (gap.low - usual.value - slack) / share,
            printed.value + (gap.high - usual.value + slack) / share,
        )
    return _by_ratio(table, spot, figure, printed)


def _by_ratio(table: AccuracyTable, spot: FigureSpot, figure: Figure, printed: Printed) -> Range | None:
    """For a ratio of two scores, or of two means in which the score is one of several."""
    usual = figure.expected[0]
    if usual.value <= 0 or not usual.uses:
        return None
    models = list(dict.fromkeys(one.model for one in usual.uses))
    if len(models) != 2 or spot not in usual.uses:
        return None
    same = [table.rows[one.row].scores[one.model] for one in usual.uses if one.model == spot.model]
    other = [table.rows[one.row].scores[one.model] for one in usual.uses if one.model != spot.model]
    if not all(same) or not all(other):
        return None
    total = sum((one.value for one in same if one), Fraction(0))
    factors = [end / usual.value for end in (figure.printed.range.low, figure.printed.range.high)]
    if models[0] == spot.model:  # the divisor comes first
        if min(factors) <= 0:
            return None
        factors = [1 / factor for factor in reversed(factors)]
    slack = printed.half_unit * (len(same) + len(other))
    return Range(total * factors[0] - total + printed.value - slack, total * factors[1] - total + printed.value + slack)


def _swapped(table: AccuracyTable, wrong: Sequence[Figure], before: frozenset[_Key]) -> Repair | None:
    """Two scores of one row that changed places."""
    rows = {spot.row for figure in wrong for one in figure.expected for spot in one.uses}
    for at in sorted(rows)[:_MOST_CELLS]:
        row = table.rows[at]
        for base, model in table.pairs:
            one, other = row.scores[base], row.scores[model]
            if one is None or other is None or one.value == other.value:
                continue
            moved = _with(_with(table, FigureSpot(at, base), other), FigureSpot(at, model), one)
            if _explains(moved, before, len(wrong)):
                refs = (Ref(row.name, table.models[base], one.text), Ref(row.name, table.models[model], other.text))
                return Repair(
                    table.place, row.name, table.models[model], other.text, one.text, None, None, len(wrong), refs
                )
    return None
