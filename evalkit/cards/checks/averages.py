"""Every average of an accuracy table, and every recovery of an average, with what it should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.cards.checks.conventions import INVERSE, LEFT, PLAIN, Convention
from evalkit.cards.checks.figure import Expected, Figure, FigureSpot, Ref
from evalkit.cards.checks.overall import overall_differences
from evalkit.cards.checks.scopes import Scope, chosen, mean_of, scopes
from evalkit.cards.checks.stated import NO_SCORE, UNCLEAR, recovery_unit
from evalkit.cards.checks.wholes import wholes
from evalkit.cards.figures import Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.checks.conventions import Number
    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import AccuracyTable, CardScores, Stated

INCOMPLETE = "a row of the average has no score"
OF_NOTHING = "no row is there that it could be an average of"
UNKNOWN_COLUMN = "it is not clear what the column holds: it is compared with none, and its average does not follow"
UNKNOWN_ROWS = "no choice of rows gives the printed averages"


@dataclass(frozen=True, slots=True)
class _Average:
    """An average row with what it is of."""

    at: int
    scope: Scope | None
    clear: bool
    figures: tuple[Figure | None, ...]
    """By model."""

    def follows(self, model: int) -> bool:
        """Whether a model's average is right, as far as can be said."""
        figure = self.figures[model]
        return figure is not None and (not figure.expected or figure.follows)


def average_figures(table: AccuracyTable) -> Iterator[Figure]:
    """Every average and every recovery of one. The table's doubtful averages have to be settled."""
    found: dict[int, _Average] = {}
    for at, row in enumerate(table.rows):
        if row.kind == "average":
            scope, clear = chosen(table, at)
            figures = tuple(_average(table, at, model, scope, clear=clear) for model in range(len(table.models)))
            found[at] = _Average(at, scope, clear, figures)
            yield from (figure for figure in figures if figure is not None)
    for at, row in enumerate(table.rows):
        if row.kind in {"average", "recovery"}:
            target = found.get(at) if row.kind == "average" else _above(table, at, found)
            yield from _recoveries(table, at, target)


def members(table: AccuracyTable, at: int) -> list[CardScores]:
    """The rows that an average stands for; none where that is not clear."""
    scope, clear = chosen(table, at)
    if scope is None or not clear or (scope.left_out and not table.turned):
        return []
    return [table.rows[one] for one in scope.members]


def _average(table: AccuracyTable, at: int, model: int, scope: Scope | None, *, clear: bool) -> Figure | None:
    row = table.rows[at]
    printed = row.scores[model]
    if printed is None:
        return None
    place = (row.name, table.models[model]) if not table.turned else (table.models[model], row.label)
    spot = FigureSpot(at, model)
    if scope is None or not clear:
        return Figure(
            "average", table.place, *place, printed, (), OF_NOTHING if scope is None else UNKNOWN_ROWS, own=spot
        )
    expected = scope.expected(table, model)
    left_out: tuple[str, ...] = ()
    if expected is None:
        there = tuple(one for one in scope.members if table.rows[one].scores[model] is not None)
        part = Scope(there).expected(table, model)
        expected = part if part and part.range.overlaps(printed.range) else None
    elif scope.left_out and not table.turned:
        whole = Scope(tuple(sorted((*scope.members, *scope.left_out)))).expected(table, model)
        if expected.range.overlaps(printed.range):
            left_out = tuple(table.rows[one].label for one in scope.left_out)
        expected = whole or expected
    found = (expected,) if expected is not None else ()
    lacks = UNKNOWN_COLUMN if found else INCOMPLETE
    if found and table.named and not table.turned and model not in _compared(table) and not _fits(found, printed):
        found = ()
    others = _other_columns(table, at, model, scope)
    figure = Figure("average", table.place, *place, printed, found, "" if found else lacks, own=spot, neighbours=others)
    remark = f"; it is the mean of the rows without {' and '.join(left_out)}" if left_out else ""
    return replace(figure, remark=remark, left_out=left_out)


def _compared(table: AccuracyTable) -> set[int]:
    """The models that are compared with another."""
    return {model for pair in table.pairs for model in pair}


def _fits(expected: Sequence[Expected], printed: Printed) -> bool:
    return any(one.range.overlaps(printed.range) for one in expected)


def _other_columns(table: AccuracyTable, at: int, model: int, scope: Scope) -> tuple[Ref, ...]:
    """The averages beside it and the last row above it, from which it may have been copied."""
    row = table.rows[at]
    found = [
        Ref(row.name, table.models[other], score.text)
        for other, score in enumerate(row.scores)
        if other != model and score is not None
    ]
    last = table.rows[scope.members[-1]]
    score = last.scores[model]
    return (*found, *([Ref(last.name, table.models[model], score.text)] if score else []))


# --- recoveries of averages ---------------------------------------------------------------------


def _above(table: AccuracyTable, at: int, found: dict[int, _Average]) -> _Average | None:
    """The average that a row of recoveries stands under, or the only one there is."""
    group = table.rows[at].group
    before = [one for one in found if one < at and (table.rows[one].group == group or table.turned)]
    if before:
        return found[max(before)]
    return next(iter(found.values())) if len(found) == 1 else None


def _recoveries(table: AccuracyTable, at: int, target: _Average | None) -> Iterator[Figure]:
    row = table.rows[at]
    printed = [one for one in row.stated if one.kind == "recovery"]
    everything = [one.printed for other in table.rows for one in other.stated if one.kind == "recovery"]
    unit = recovery_unit(everything)
    if row.kind == "recovery":
        yield from overall_differences(table, at, None if target is None else target.at)
    some: list[tuple[Stated, list[Expected], str]] = []
    for one in printed:
        formulas = _formulas(table, at, target)
        expected, remark = _expected(table, at, one, target, formulas)
        some.append((one, [_scaled(each, unit) for each in expected], remark))
    fits = sum(any(each.range.overlaps(one.printed.range) for each in expected) for one, expected, _ in some)
    few = (len(some) > 2 and not fits) or (len(some) > 3 and 4 * fits < len(some))
    unclear = (few and table.turned) or (target is None and row.kind == "recovery" and fits < 2 < len(some))
    for one, expected, remark in some:
        place = (row.name, one.place) if not table.turned else (table.models[one.model], _column(table, at, one))
        kept = tuple(expected) if not unclear else ()
        lacks = "" if kept else UNCLEAR if unclear else INCOMPLETE if target else NO_SCORE
        yield Figure("recovery", table.place, *place, one.printed, kept, lacks, remark)


def _column(table: AccuracyTable, at: int, one: Stated) -> str:
    row = table.rows[at]
    return one.column if row.kind == "recovery" else f"{one.kind} of {row.label}"


def _formulas(table: AccuracyTable, at: int, target: _Average | None) -> tuple[Convention, ...]:
    """The usual formula, and the others where the average is of rows in which lower is better."""
    rows = [table.rows[at]]
    if target is not None and target.scope is not None:
        rows += [table.rows[one] for one in target.scope.members]
    return (PLAIN, INVERSE, LEFT) if any(row.better == "lower" for row in rows) else (PLAIN,)


def _expected(
    table: AccuracyTable, at: int, one: Stated, target: _Average | None, formulas: Sequence[Convention]
) -> tuple[list[Expected], str]:
    """What a recovery of an average may be, and what is to be said of it where it is none of that."""
    if one.base == one.model:
        value = _exactly(100)
        return [Expected(value[0], value[1], "the baseline beside itself")], ""
    if target is None:
        return _of_no_average(table, at, one, formulas), ""
    row = table.rows[target.at]
    own = row.scores[one.base], row.scores[one.model]
    found = _of_rows(table, target.scope, one, formulas, own) if target.scope is not None and target.clear else []
    beside = _of_printed(table, target.at, one, own, formulas)
    if not found or (target.follows(one.base) and target.follows(one.model)):
        return [*found, *beside], ""
    remark = ""
    if any(each.range.overlaps(one.printed.range) for each in beside):
        remark = f"; it follows from the printed averages {beside[0].because}, so these are in question"
    return found, remark


def _of_printed(
    table: AccuracyTable,
    at: int,
    one: Stated,
    own: tuple[Printed | None, Printed | None],
    formulas: Sequence[Convention],
) -> list[Expected]:
    """The ratio of the printed averages."""
    base, cand = own
    if base is None or cand is None:
        return []
    rests = tuple(Ref(table.rows[at].name, table.models[m], s.text) for m, s in ((one.base, base), (one.model, cand)))
    uses = (FigureSpot(at, one.base), FigureSpot(at, one.model))
    words = f"{cand.text} / {base.text}"
    whole = wholes(table, table.rows[at], own)
    return _by(formulas, ((base.value, base.range), (cand.value, cand.range)), whole, words, (rests, uses))


def _of_rows(
    table: AccuracyTable,
    scope: Scope,
    one: Stated,
    formulas: Sequence[Convention],
    own: tuple[Printed | None, Printed | None] = (None, None),
) -> list[Expected]:
    """The ratio of the rows' means, and the mean of the rows' recoveries, which is in use as well."""
    sides = [scope.expected(table, model) for model in (one.base, one.model)]
    base, cand = sides
    if base is None or cand is None:
        return []
    numbers = [
        (side.value, side.range.within(average.range) if average else side.range)
        for side, average in zip((base, cand), own, strict=True)
    ]
    words = f"{float(cand.value):.4f} / {float(base.value):.4f}, means of {counted(len(scope.members), 'row')}"
    basis = ((*base.rests, *cand.rests), (*base.uses, *cand.uses))
    some = [table.rows[at].scores[model] for at in scope.members for model in (one.base, one.model)]
    whole = wholes(table, table.rows[scope.members[0]], some)
    found = _by(formulas, (numbers[0], numbers[1]), whole, words, basis)
    for formula in formulas:
        ratios = [_narrowed(table, table.rows[at], one, formula) for at in scope.members]
        full = [ratio for ratio in ratios if ratio is not None]
        if len(full) == len(ratios):
            found.append(Expected(*mean_of(full), "mean of the rows' recoveries", *basis))
    printed = [_stated_of(table.rows[at], one) for at in scope.members]
    kept = [figure for figure in printed if figure is not None]
    if len(kept) == len(printed) and _all_follow(table, scope, one, kept, formulas):
        value, bounds = mean_of([(figure.value, figure.range) for figure in kept])
        factor = 100 // recovery_unit(kept)
        found.append(Expected(value * factor, bounds.times(factor), "mean of the printed recoveries", *basis))
    return found


def _all_follow(
    table: AccuracyTable, scope: Scope, one: Stated, printed: Sequence[Printed], formulas: Sequence[Convention]
) -> bool:
    """Whether the rows' own recoveries are right: of wrong ones no mean is."""
    factor = 100 // recovery_unit(printed)
    for at, figure in zip(scope.members, printed, strict=True):
        shown = figure.range.times(factor)
        ratios = [_ratio(table, table.rows[at], one, formula, shown) for formula in formulas]
        if not any(ratio and ratio[1].overlaps(shown) for ratio in ratios):
            return False
    return True


def _of_no_average(table: AccuracyTable, at: int, one: Stated, formulas: Sequence[Convention]) -> list[Expected]:
    """A recovery without an average beside it: of all rows by any reading, or of one row."""
    found = [each for scope in scopes(table, at) for each in _of_rows(table, scope, one, formulas)]
    for other, row in enumerate(table.rows):
        base, cand = row.scores[one.base], row.scores[one.model]
        if row.kind == "task" and base is not None and cand is not None:
            found += _of_printed(table, other, one, (base, cand), formulas)
    return found


def _ratio(
    table: AccuracyTable, row: CardScores, one: Stated, formula: Convention, printed: Range | None
) -> Number | None:
    base, cand = row.scores[one.base], row.scores[one.model]
    if base is None or cand is None:
        return None
    whole = wholes(table, row, (base, cand))
    return formula.of((base.value, base.range), (cand.value, cand.range), whole, printed)


def _narrowed(table: AccuracyTable, row: CardScores, one: Stated, formula: Convention) -> Number | None:
    """A row's recovery by its scores, narrowed by the one that is printed for it where that follows."""
    printed = _stated_of(row, one)
    shown = None if printed is None else printed.range.times(100 // recovery_unit([printed]))
    found = _ratio(table, row, one, formula, shown)
    return found if found is None or shown is None else (found[0], found[1].within(shown))


def _stated_of(row: CardScores, one: Stated) -> Printed | None:
    return next((other.printed for other in row.stated if other.kind == "recovery" and other.model == one.model), None)


def _by(
    formulas: Sequence[Convention],
    sides: tuple[Number, Number],
    whole: Sequence[int],
    words: str,
    basis: tuple[tuple[Ref, ...], tuple[FigureSpot, ...]],
) -> list[Expected]:
    """What each formula makes of two scores, by every whole that they may be parts of."""
    found = []
    for formula in formulas:
        said = words if formula is PLAIN else f"{formula.name}, {words}"
        numbers = [formula.compute(*sides, one) for one in whole]
        found += [Expected(*number, said, *basis) for number in dict.fromkeys(numbers) if number is not None]
    return found


def _scaled(one: Expected, unit: int) -> Expected:
    if unit == 100:
        return one
    factor = Fraction(unit, 100)
    return Expected(one.value * factor, one.range.times(factor), one.because, one.rests, one.uses)


def _exactly(number: int) -> tuple[Fraction, Range]:
    return Fraction(number), Range(Fraction(number), Fraction(number))
