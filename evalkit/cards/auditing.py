"""A card becomes an `Audit`: what does not follow, what could not be checked, and which differences are noise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.base.printable import agreeing, counted
from evalkit.cards.causes import INVERSE, Repair, mistake, repair
from evalkit.cards.checks.claims import claim_figures
from evalkit.cards.checks.costs import Saving, reductions, savings
from evalkit.cards.checks.counts import Count, impossible, possible
from evalkit.cards.checks.figure import AuditFinding, Figure, FigureSpot, Ref, doubt, judge
from evalkit.cards.checks.noise import Noise, noise
from evalkit.cards.checks.prices import Price, pricing
from evalkit.cards.checks.scopes import settled
from evalkit.cards.checks.speedups import speedup_figures
from evalkit.cards.checks.stated import UNCLEAR
from evalkit.cards.checks.tables import table_figures
from evalkit.cards.nouns import Unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import AccuracyTable, Card, SpeedTable

ALONE = "no other figure of the card rests on it"
_SAME_AT_LEAST = 3


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that a card's figures say about each other."""

    checked: int
    """How many figures others determine."""
    findings: tuple[AuditFinding, ...]
    """What does not follow: what is wrong first, then what is off in its last digit; the largest first."""
    doubts: tuple[AuditFinding, ...]
    """What is no error of arithmetic and should be asked after."""
    unchecked: tuple[Unchecked, ...]
    """Every other figure of a comparison, with the reason."""
    repairs: tuple[Repair, ...]
    noise: tuple[Noise, ...]
    counts: tuple[Count, ...]
    prices: tuple[Price, ...]
    savings: tuple[Saving, ...]
    notices: tuple[str, ...]


def audit(card: Card) -> Audit:
    """Recompute every figure of a card that others determine, and name those that could not be."""
    tables = [settled(table) for table in card.accuracy]
    by_table = [list(table_figures(table)) for table in tables]
    priced = pricing(card.costs)
    figures = [figure for some in by_table for figure in some]
    figures += [figure for table in card.costs for figure in reductions(table)]
    figures += [*priced.figures, *(figure for table in card.speeds for figure in speedup_figures(table))]
    figures += claim_figures(card)
    determined = [figure for figure in figures if figure.expected]
    wrong = _swapped([finding for figure in determined if (finding := judge(figure, _cause(figure)))], determined)
    return Audit(
        checked=len(determined) + len(priced.clashes),
        findings=tuple(sorted(_by_size([*wrong, *priced.clashes]), key=lambda one: one.severity == "last digit")),
        doubts=tuple(_doubts(tables, figures)),
        unchecked=(*_unchecked(figures), *_alone(tables, by_table), *_untimed(card.speeds), *card.unchecked),
        repairs=tuple(_repairs(tables, by_table)),
        noise=tuple(one for table in tables for one in noise(table)),
        counts=tuple(one for table in tables for one in possible(table)),
        prices=priced.prices,
        savings=tuple(one for table in card.costs for one in savings(table)),
        notices=(*card.notices, *_conventions(figures)),
    )


def _cause(figure: Figure) -> str:
    return "" if not figure.expected or figure.follows else mistake(figure)


def _swapped(wrong: Sequence[AuditFinding], figures: Sequence[Figure]) -> list[AuditFinding]:
    """The findings; where every recovery of a column is the inverse ratio, the two columns changed places."""
    columns = Counter((one.table, one.column) for one in figures if one.kind == "recovery")
    inverse = Counter((one.table, one.column) for one in wrong if one.cause == INVERSE)
    whole = {column for column, count in inverse.items() if 2 <= count >= columns[column] - 1}
    return [
        replace(one, cause=f"{INVERSE}, as in every row: the two columns changed places")
        if one.cause == INVERSE and (one.table, one.column) in whole
        else one
        for one in wrong
    ]


def _by_size(findings: Sequence[AuditFinding]) -> list[AuditFinding]:
    """The largest first, by how far the printed figure lies outside of what rounding allows."""

    def beyond(one: AuditFinding) -> float:
        try:
            gap = abs(float(one.printed.rstrip("%x").replace(",", "")) - float(one.right.rstrip("%x").replace(",", "")))
        except ValueError:
            return 0.0
        return -gap / (one.tolerance or 1.0)

    return sorted(findings, key=beyond)


def _unchecked(figures: Sequence[Figure]) -> Iterator[Unchecked]:
    for one in figures:
        if not one.expected:
            yield Unchecked(one.table, one.row, one.column, one.printed.text, one.lacks)


def _alone(tables: Sequence[AccuracyTable], by_table: Sequence[Sequence[Figure]]) -> Iterator[Unchecked]:
    """Scores that no checked figure rests on."""
    for table, figures in zip(tables, by_table, strict=True):
        used = {spot for figure in figures for one in figure.expected for spot in one.uses}
        seen = used | {figure.own for figure in figures if figure.own is not None}
        for at, row in enumerate(table.rows):
            for model, score in enumerate(row.scores):
                if score is None or FigureSpot(at, model) in seen:
                    continue
                name = (row.name, table.models[model]) if not table.turned else (table.models[model], row.label)
                yield Unchecked(table.place, *name, score.text, ALONE)


def _untimed(tables: Sequence[SpeedTable]) -> Iterator[Unchecked]:
    """Times, rates and sizes of a table that states no speedup and no compression."""
    for table in tables:
        if any(row.speedups for row in table.rows):
            continue
        for row in table.rows:
            for measure, figure in zip(table.measures, row.measured, strict=True):
                if figure is not None:
                    yield Unchecked(table.place, row.name, measure, figure.text, ALONE)


def _doubts(tables: Sequence[AccuracyTable], figures: Sequence[Figure]) -> Iterator[AuditFinding]:
    """What is no error of arithmetic: columns that follow from nothing, impossible counts, identical columns."""
    unclear = Counter((one.table, one.column) for one in figures if one.lacks == UNCLEAR)
    for (table, column), count in unclear.items():
        figures_of = counted(count, "figure")
        because = f"none of the usual formulas gives {agreeing(count, 'it', 'them')} from the columns beside"
        yield doubt("unclear", (table, "all rows", column), figures_of, because)
    for one in tables:
        yield from impossible(one)
        yield from _identical(one)


def _identical(table: AccuracyTable) -> Iterator[AuditFinding]:
    """Two candidates of one table whose scores are the same to the last digit."""
    pairs_of = table.pairs
    tasks = [row for row in table.rows if row.kind == "task"]
    for at, (base, one) in enumerate(pairs_of):
        for other in [model for own, model in pairs_of[at + 1 :] if own == base]:
            pairs = [
                (row, row.scores[one], row.scores[other]) for row in tasks if row.scores[one] and row.scores[other]
            ]
            same = [(row, a) for row, a, b in pairs if a and b and a.text == b.text]
            if len(same) >= _SAME_AT_LEAST and len(same) == len(pairs):
                refs = [Ref(row.name, table.models[other], score.text) for row, score in same]
                because = (
                    f"all {len(same)} scores are those of {table.models[one]}, to the last digit: one may be copied"
                )
                yield doubt("identical", (table.place, table.models[other], "scores"), "", because, refs)


def _repairs(tables: Sequence[AccuracyTable], by_table: Sequence[Sequence[Figure]]) -> Iterator[Repair]:
    for table, figures in zip(tables, by_table, strict=True):
        found = repair(table, [one for one in figures if one.expected and not one.follows])
        if found is not None:
            yield found


def _conventions(figures: Sequence[Figure]) -> Iterator[str]:
    """The formulas other than the usual one, and how many figures are by each."""
    count = Counter((one.table, one.convention) for one in figures if one.convention and one.follows)
    for (table, convention), number in count.items():
        yield f"{table}: {counted(number, 'recovery', 'recoveries')} {agreeing(number, 'is', 'are')} {convention}"
