"""A stated figure with its row, and the figure of an audit that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.checks.conventions import INVERSE, PLAIN, Convention, Item
from evalkit.cards.checks.figure import Expected, Figure, FigureSpot, Ref
from evalkit.cards.figures import Printed, Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.checks.figure import Kind
    from evalkit.cards.nouns import AccuracyTable, CardScores, Stated


@dataclass(frozen=True, slots=True)
class StatedFigure:
    """A stated figure with its row."""

    at: int
    row: CardScores
    one: Stated

    @property
    def scores(self) -> tuple[Printed | None, Printed | None]:
        """Baseline's and candidate's."""
        return self.row.scores[self.one.base], self.row.scores[self.one.model]


def item_of(table: AccuracyTable, entry: StatedFigure, formulas: Sequence[Convention], unit: int) -> Item:
    """The figure of one entry with what each formula makes of its scores; ``unit`` is 100 for percentages, else 1."""
    return Item(entry.one.printed, tuple(_expected(table, entry, formula, unit) for formula in formulas))


def _expected(table: AccuracyTable, entry: StatedFigure, formula: Convention, unit: int) -> Expected | None:
    base, cand = entry.scores
    if entry.one.base == entry.one.model and entry.one.kind != "aside":
        itself = Fraction(0 if entry.one.kind == "difference" else unit)
        return Expected(itself, Range(itself, itself), "the baseline beside itself")
    if base is None or cand is None:
        return None
    whole = 100 if max(base.value, cand.value) > Fraction(3, 2) or base.percent else 1
    found = formula.compute((base.value, base.range), (cand.value, cand.range), whole)
    if found is None:
        return None
    factor = Fraction(unit, 100)
    words = {PLAIN.name: f"{cand.text} / {base.text}", INVERSE.name: f"{base.text} / {cand.text}"}
    rests = (
        Ref(entry.row.name, table.models[entry.one.base], base.text),
        Ref(entry.row.name, table.models[entry.one.model], cand.text),
    )
    uses = (FigureSpot(entry.at, entry.one.base), FigureSpot(entry.at, entry.one.model))
    because = words.get(formula.name, f"{formula.name} of {base.text} and {cand.text}")
    return Expected(found[0] * factor, found[1].times(factor), because, rests, uses)


def figure_of(
    table: AccuracyTable, entry: StatedFigure, item: Item, order: Sequence[int], lacks: str, convention: str = ""
) -> Figure:
    """The figure of one entry by the conventions in ``order``; unchecked where none of them can be computed."""
    expected = tuple(one for number in order if (one := item.expected[number]) is not None)
    kind: Kind = (
        "recovery" if entry.one.kind == "recovery" else "speedup" if entry.one.kind == "speedup" else "difference"
    )
    found = placed(kind, table, entry, entry.one.place, item.printed)
    found = replace(found, expected=expected, lacks="" if expected else lacks)
    inverse = item.expected[1] if kind == "recovery" and len(item.expected) > 1 else None
    others = (replace(inverse, because="the inverse ratio"),) if inverse and 1 not in order else ()
    return replace(found, convention=convention, others=others, neighbours=_neighbours(table, entry))


def placed(kind: Kind, table: AccuracyTable, entry: StatedFigure, column: str, printed: Printed) -> Figure:
    """A figure with its place, of which nothing is expected yet."""
    own = FigureSpot(entry.at, entry.one.model) if kind == "runs" else None
    row, place = (entry.row.name, column) if not table.turned else (table.models[entry.one.model], _turned(entry))
    return Figure(kind, table.place, row, place, printed, (), own=own)


def _turned(entry: StatedFigure) -> str:
    return f"{entry.one.kind} of {entry.row.label}" if entry.one.kind != "aside" else f"beside {entry.row.label}"


def _neighbours(table: AccuracyTable, entry: StatedFigure) -> tuple[Ref, ...]:
    """The figures of the same kind in the rows above and below, and of the row's other models."""
    rows = [(at, table.rows[at]) for at in (entry.at - 1, entry.at + 1) if 0 <= at < len(table.rows)]
    found = [
        Ref(row.name, other.place, other.printed.text)
        for _, row in rows
        for other in row.stated
        if other.kind == entry.one.kind and other.model == entry.one.model
    ]
    found += [
        Ref(entry.row.name, other.place, other.printed.text)
        for other in entry.row.stated
        if other.kind == entry.one.kind and other.model != entry.one.model
    ]
    return tuple(found)
