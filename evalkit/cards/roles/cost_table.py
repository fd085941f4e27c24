"""What a table of cost means: hardware, model, and by use case what was measured and what a dollar buys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from evalkit.base.printable import agreeing, counted
from evalkit.cards.figures import Cell, Printed
from evalkit.cards.nouns import CostRow, CostTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.roles.sheet import Sheet
    from evalkit.stats.cost import Stream

_PER_DOLLAR = re.compile(r"\bqueries per dollar\b|\bqpd\b", re.IGNORECASE)
_RATIO = re.compile(r"\bcost (?:reduction|ratio|saving)", re.IGNORECASE)
_LATENCY = re.compile(r"\blatency\b", re.IGNORECASE)
_MILLISECONDS = re.compile(r"\(\s?ms\s?\)|\bmilliseconds\b", re.IGNORECASE)
_RATE = re.compile(r"\bqps\b|\bqueries per second\b|\bthroughput\b", re.IGNORECASE)
_HARDWARE = re.compile(r"\b(?:hardware|gpus?|device|machine)\b", re.IGNORECASE)
_MODEL = re.compile(r"\bmodels?\b", re.IGNORECASE)


class _CostColumns(NamedTuple):
    hardware: int | None
    model: int | None
    ratio: int | None
    pairs: list[tuple[int | None, int]]
    """Column of what was measured and column of queries per dollar, by use case."""


def is_cost_table(head: Sequence[str]) -> bool:
    """Whether a heading speaks of queries per dollar."""
    return any(_PER_DOLLAR.search(name) for name in head)


def cost_table(sheet: Sheet, notices: list[str]) -> CostTable:
    """The table under a heading for which `is_cost_table` holds.

    Rows of pipes may have lost their first empty cell to the end of the row; they are put right, and ``notices``
    says so.
    """
    head = sheet.head
    columns = _columns(head)
    rows: list[CostRow] = []
    hardware, moved = "", 0
    for line in sheet.lines:
        cells = line.cells
        if sheet.loose and _is_moved(cells, columns):
            cells = _put_right(cells, columns)
            moved += 1
        per_dollar = tuple(cells[at].figure for _, at in columns.pairs)
        if not any(per_dollar):
            continue
        if columns.hardware is not None:
            hardware = cells[columns.hardware].text or hardware
        measured = tuple(None if at is None else _seconds(cells[at], head[at]) for at, _ in columns.pairs)
        model = "" if columns.model is None else cells[columns.model].text
        ratio = None if columns.ratio is None else cells[columns.ratio].figure
        rows.append(CostRow(hardware, model, ratio, measured, per_dollar))
    if moved:
        ends = agreeing(moved, "ends with its", "end with their")
        notices.append(f"{sheet.place}: {counted(moved, 'row')} {ends} empty cell; read as without a cost reduction")
    uses = tuple(_use(head[at], number) for number, (_, at) in enumerate(columns.pairs, 1))
    return CostTable(sheet.place, _stream(head, columns), uses, tuple(rows))


def _columns(head: Sequence[str]) -> _CostColumns:
    def first(pattern: re.Pattern[str]) -> int | None:
        return next((column for column, name in enumerate(head) if pattern.search(name)), None)

    pairs: list[tuple[int | None, int]] = []
    measured: int | None = None
    for column, name in enumerate(head):
        if _PER_DOLLAR.search(name):
            pairs.append((measured, column))
            measured = None
        elif _LATENCY.search(name) or _RATE.search(name):
            measured = column
    return _CostColumns(first(_HARDWARE), first(_MODEL), first(_RATIO), pairs)


def _stream(head: Sequence[str], columns: _CostColumns) -> Stream | None:
    names = [head[at] for at, _ in columns.pairs if at is not None]
    if names and all(_LATENCY.search(name) for name in names):
        return "single-stream"
    return "multi-stream" if names and all(_RATE.search(name) for name in names) else None


def _use(name: str, number: int) -> str:
    return " ".join(_PER_DOLLAR.sub("", name).split()) or f"use case {number}"


def _seconds(cell: Cell, name: str) -> Printed | None:
    """What was measured; milliseconds become seconds with three decimals more."""
    found = cell.figure
    if found is None or not (_LATENCY.search(name) and _MILLISECONDS.search(name)):
        return found
    return Printed(found.text, found.value / 1000, found.decimals + 3)


def _is_moved(cells: Sequence[Cell], columns: _CostColumns) -> bool:
    """Whether a row's empty cost reduction stands at its end.

    As they stand, its queries per dollar would all be below the latency or rate beside them; moved by one place
    they are all above, as they must be: a dollar buys more than one second. With a single use case nothing is
    left to stand below, and it is whole numbers that tell queries from seconds.
    """
    if columns.ratio is None or cells[-1].text or not cells[columns.ratio].text:
        return False
    moved = _put_right(cells, columns)
    if _dearer(moved, columns) is not False:
        return False
    per_dollar = [moved[at].figure for _, at in columns.pairs]
    whole = len(columns.pairs) == 1 and all(figure is None or figure.decimals == 0 for figure in per_dollar)
    return _dearer(cells, columns) is True or whole


def _put_right(cells: Sequence[Cell], columns: _CostColumns) -> tuple[Cell, ...]:
    at = columns.ratio or 0
    return (*cells[:at], Cell(""), *cells[at:-1])


def _dearer(cells: Sequence[Cell], columns: _CostColumns) -> bool | None:
    """Whether every "queries per dollar" is below what stands before it; None where they disagree."""
    pairs = [(cells[at].figure, cells[dollar].figure) for at, dollar in columns.pairs if at is not None]
    below = {dollar.value < found.value for found, dollar in pairs if found and dollar}
    return below.pop() if len(below) == 1 else None
