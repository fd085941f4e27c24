"""Every recovery and every average of a card's accuracy tables, with what it should be.

A printed decimal stands for all numbers that round to it. A figure does not follow only when no unrounded inputs
could give it, so rounding is never reported as an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.cards.figures import Range, mean, mean_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from evalkit.cards.figures import Printed
    from evalkit.cards.published import AccuracyRow, AccuracyTable

_OVERALL = re.compile(r"\b(?:overall|total|all|grand|macro)\b", re.IGNORECASE)
_LOWER_IS_BETTER = re.compile(r"↓|\blower\b|\bperplexity\b|\bppl\b|\b[wc]er\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a figure is computed to be."""

    value: Fraction
    """From the inputs as printed."""
    range: Range
    """From all unrounded inputs that round to them."""
    because: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed figure that others determine."""

    table: str
    row: str
    column: str
    printed: Printed
    expected: tuple[Expected, ...]
    """By each reading that is in use; the first is the usual one. Empty when the card lacks an input."""
    lacks: str = ""
    """Which input is missing."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure that does not follow from the others. ``low`` to ``high`` is what the unrounded inputs allow."""

    table: str
    row: str
    column: str
    printed: str
    right: str
    low: float
    high: float
    tolerance: float
    """How far the printed figure may lie from ``right`` by rounding alone, of inputs and of itself."""
    because: str


def judge(figure: Figure) -> Finding | None:
    """The finding, or None when some unrounded inputs give the figure (or when an input is missing)."""
    if not figure.expected or any(one.range.overlaps(figure.printed.range) for one in figure.expected):
        return None
    usual = figure.expected[0]
    reach = max(usual.value - usual.range.low, usual.range.high - usual.value) + figure.printed.half_unit
    unit = "%" if figure.printed.percent else ""
    return Finding(
        table=figure.table,
        row=figure.row,
        column=figure.column,
        printed=figure.printed.text,
        right=f"{float(usual.value):.{figure.printed.decimals}f}{unit}",
        low=float(usual.range.low),
        high=float(usual.range.high),
        tolerance=float(reach),
        because=usual.because + figure.remark,
    )


def accuracy_figures(table: AccuracyTable) -> Iterator[Figure]:
    """Every figure of an accuracy table that other figures determine."""
    scale = _scale(table)
    for row in table.rows:
        if row.kind == "task":
            yield from _recoveries(table, row, scale)
            continue
        scopes = _scopes(table, row)
        if row.kind == "average":
            yield from _averages(table, row, scopes)
            printed = row.recoveries
        else:
            printed = row.scores[1:]
        for candidate, figure in enumerate(printed, 1):
            if figure is not None:
                yield _average_recovery(table, row, candidate, figure, scopes, scale)


def group_rows(table: AccuracyTable, row: AccuracyRow) -> list[AccuracyRow]:
    """The task rows that an average stands for, by its usual reading."""
    return _scopes(table, row)[0]


def _scale(table: AccuracyTable) -> int:
    """100 where recoveries are percentages, 1 where they are plain ratios."""
    printed = [figure for row in table.rows for figure in row.recoveries if figure]
    printed += [figure for row in table.rows if row.kind == "recovery" for figure in row.scores if figure]
    return 1 if printed and all(not figure.percent and figure.value < 3 for figure in printed) else 100


def _scopes(table: AccuracyTable, row: AccuracyRow) -> list[list[AccuracyRow]]:
    """Which rows an average may be of: its group; for an overall average all tasks, or the other averages."""
    tasks = [other for other in table.rows if other.kind == "task"]
    own = [other for other in tasks if other.group == row.group]
    before = [other for other in table.rows[: table.rows.index(row)] if other.group == row.group]
    second = row.kind == "average" and any(other.kind == "average" for other in before)
    if own and not second and not _OVERALL.search(row.label):
        return [own]
    groups = {other.group for other in tasks}
    averages = [other for other in table.rows if other.kind == "average" and other is not row and other.group in groups]
    wider = [tasks, averages] if len(averages) > 1 else [tasks]
    return [own, *wider] if own and second else wider


def _recoveries(table: AccuracyTable, row: AccuracyRow, scale: int) -> Iterator[Figure]:
    for candidate, printed in enumerate(row.recoveries, 1):
        if printed is None:
            continue
        base, cand = row.scores[0], row.scores[candidate]
        expected = []
        if base and cand:
            expected = _ratio((cand.value, cand.range), (base.value, base.range), scale, f"{cand.text} / {base.text}")
            if _LOWER_IS_BETTER.search(row.label):
                expected += _ratio((base.value, base.range), (cand.value, cand.range), scale, "inverse")
        lacks = "" if expected else "a score is missing, or the baseline rounds to 0"
        yield Figure(table.place, row.name, _recovery_name(table, candidate), printed, tuple(expected), lacks)


def _averages(table: AccuracyTable, row: AccuracyRow, scopes: list[list[AccuracyRow]]) -> Iterator[Figure]:
    for model, printed in enumerate(row.scores):
        if printed is None:
            continue
        expected = []
        for scope in scopes:
            scores = _complete([other.scores[model] for other in scope])
            if scores:
                because = f"mean of {counted(len(scores), 'row')}"
                expected.append(Expected(mean([one.value for one in scores]), _mean_range(scores), because))
        lacks = "" if expected else "a row of the average has no score"
        yield Figure(table.place, row.name, table.models[model], printed, tuple(expected), lacks)


def _average_recovery(
    table: AccuracyTable,
    row: AccuracyRow,
    candidate: int,
    printed: Printed,
    scopes: list[list[AccuracyRow]],
    scale: int,
) -> Figure:
    """The recovery of an average: the ratio of the averages; the mean of the rows' recoveries is in use as well."""
    average = _average_beside(table, row)
    own = (average.scores[0], average.scores[candidate]) if average else (None, None)
    expected: list[Expected] = []
    also: list[Expected] = []
    for scope in scopes:
        base = _complete([other.scores[0] for other in scope])
        cand = _complete([other.scores[candidate] for other in scope])
        if base and cand:
            top, bottom = _narrowed(cand, own[1]), _narrowed(base, own[0])
            because = f"{float(top[0]):.4f} / {float(bottom[0]):.4f}, means of {counted(len(base), 'row')}"
            expected += _ratio(top, bottom, scale, because)
        recoveries = _complete([other.recoveries[candidate - 1] for other in scope])
        if recoveries:
            also.append(
                Expected(mean([one.value for one in recoveries]), _mean_range(recoveries), "mean of recoveries")
            )
    printed_only = []
    if own[0] and own[1]:
        words = f"{own[1].text} / {own[0].text}"
        printed_only = _ratio((own[1].value, own[1].range), (own[0].value, own[0].range), scale, words)
    remark = ""
    if expected and any(one.range.overlaps(printed.range) for one in printed_only):
        remark = f"; it follows from the printed averages {printed_only[0].because}, so these are in question"
    found = tuple(expected + also) if expected else tuple(printed_only + also)
    lacks = "" if found else "a row of the average has no score"
    return Figure(table.place, row.name, _recovery_name(table, candidate), printed, found, lacks, remark)


def _average_beside(table: AccuracyTable, row: AccuracyRow) -> AccuracyRow | None:
    """The row itself, or the average that a recovery row stands under."""
    if row.kind == "average":
        return row
    before = table.rows[: table.rows.index(row)]
    return next((other for other in reversed(before) if other.kind == "average" and other.group == row.group), None)


def _ratio(top: tuple[Fraction, Range], bottom: tuple[Fraction, Range], scale: int, because: str) -> list[Expected]:
    """One expectation, or none when the divisor may be 0."""
    ratio = top[1].over(bottom[1])
    return [Expected(scale * top[0] / bottom[0], ratio.times(scale), because)] if ratio else []


def _narrowed(scores: Sequence[Printed], average: Printed | None) -> tuple[Fraction, Range]:
    """Mean and range of scores, narrowed by the average that is printed for them where it follows."""
    found = _mean_range(scores)
    return mean([one.value for one in scores]), found.within(average.range) if average else found


def _mean_range(scores: Sequence[Printed]) -> Range:
    return mean_range([one.range for one in scores])


def _complete(scores: Sequence[Printed | None]) -> list[Printed]:
    """All scores, or none when one is missing."""
    there = [one for one in scores if one is not None]
    return there if len(there) == len(scores) else []


def _recovery_name(table: AccuracyTable, candidate: int) -> str:
    return f"recovery of {table.models[candidate]}"
