"""A stated figure with its row, and the figure of an audit that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.checks.conventions import INVERSE, PLAIN, Convention, Item
from evalkit.cards.checks.figure import Expected, Figure, FigureSpot, Ref
from evalkit.cards.checks.wholes import wholes
from evalkit.cards.figures import Printed, Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.checks.figure import Kind
    from evalkit.cards.nouns import AccuracyTable, CardScores, Stated

_TURNED = {PLAIN: INVERSE, INVERSE: PLAIN}
"""Each ratio with its inverse, which is the mistake where the other one is right."""


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
    one, (base, cand) = entry.one, entry.scores
    if one.base == one.model and one.kind != "aside":
        itself = Fraction(0 if one.kind == "difference" else unit)
        expected = Expected(itself, Range(itself, itself), "the baseline beside itself")
        return Item(one.printed, tuple(formulas), (expected,) * len(formulas))
    if base is None or cand is None:
        return Item(one.printed, tuple(formulas), (None,) * len(formulas))
    whole = wholes(table, entry.row, (base, cand))
    printed = one.printed.range.times(Fraction(100, unit))
    rests = (
        Ref(entry.row.name, table.models[one.base], base.text),
        Ref(entry.row.name, table.models[one.model], cand.text),
    )
    uses = (FigureSpot(entry.at, one.base), FigureSpot(entry.at, one.model))
    found: list[Expected | None] = []
    for formula in formulas:
        number = formula.of((base.value, base.range), (cand.value, cand.range), whole, printed)
        if number is None:
            found.append(None)
            continue
        value, bounds = number if unit == 100 else (number[0] * unit / 100, number[1].times(Fraction(unit, 100)))
        found.append(Expected(value, bounds, _because(formula, base, cand), rests, uses))
    return Item(one.printed, tuple(formulas), tuple(found))


def _because(formula: Convention, base: Printed, cand: Printed) -> str:
    if formula is PLAIN:
        return f"{cand.text} / {base.text}"
    return f"{base.text} / {cand.text}" if formula is INVERSE else f"{formula.name} of {base.text} and {cand.text}"


def figure_of(
    table: AccuracyTable, entry: StatedFigure, item: Item, order: Sequence[int], lacks: str, convention: str = ""
) -> Figure:
    """The figure of one entry by the conventions in ``order``; unchecked where none of them can be computed."""
    expected = tuple(one for number in order if (one := item.expected[number]) is not None)
    kind: Kind = (
        "recovery" if entry.one.kind == "recovery" else "speedup" if entry.one.kind == "speedup" else "difference"
    )
    found = placed(kind, table, entry, entry.one.place, item.printed)
    used = [item.formulas[number] for number in order]
    turned = _TURNED.get(used[0]) if kind == "recovery" and used else None
    inverse = item.by(turned) if turned is not None and turned not in used else None
    others = (replace(inverse, because="the inverse ratio"),) if inverse else ()
    lacks, neighbours = "" if expected else lacks, _neighbours(table, entry)
    return replace(found, expected=expected, lacks=lacks, convention=convention, others=others, neighbours=neighbours)


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
