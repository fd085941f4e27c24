"""A table as headings and rows: several heading rows as one, short headings put over their columns, sections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.cards.figures import Cell, is_missing, reader, same_units, speaks_commas
from evalkit.cards.roles import words
from evalkit.cards.roles.pairs import taken_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalkit.cards.text import Table, TextRow

_MOST_HEADINGS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One row under the headings."""

    cells: tuple[Cell, ...]
    section: str
    """The title above it; empty where there is none."""
    sections: int
    """How many titles stand above it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One heading for each column, and the rows under them."""

    place: str
    head: tuple[str, ...]
    tops: tuple[str, ...]
    """The uppermost of several heading rows, by column; empty where there is one row."""
    lines: tuple[Line, ...]
    caption: str = ""
    loose: bool = False

    def column(self, at: int) -> list[Cell]:
        """The cells of one column."""
        return [line.cells[at] for line in self.lines]

    def is_numeric(self, at: int) -> bool:
        """Whether a column holds figures rather than words."""
        cells = [cell for cell in self.column(at) if cell.text and not is_missing(cell.text)]
        figures = sum(cell.figure is not None or cell.unread for cell in cells)
        return any(cell.figure for cell in cells) and 2 * figures >= len(cells)


def sheets(table: Table, place: str) -> Iterator[Sheet]:
    """The tables that one table holds: a row of headings in its midst begins another."""
    cells = reader(commas=speaks_commas(cell for row in table.rows for cell in row.cells))
    rows = list(table.rows)
    while rows:
        heads, rows = _headed(rows, cells)
        body: list[TextRow] = []
        while rows and not (body and _is_heading_again(rows[0], heads, cells)):
            body.append(rows.pop(0))
        if not body:
            return
        width = len(body[0].cells)
        joined = [" ".join(dict.fromkeys(part for part in column if part)) for column in zip(*heads, strict=True)]
        tops = list(heads[0]) if len(heads) > 1 else [""] * width
        shift = _shift(joined or [""] * width, body, cells)
        if shift:
            joined, tops = ["", *joined[:-1]], ["", *tops[:-1]]
        lines = tuple(_lines(body, cells))
        if lines:
            whole = Sheet(place, tuple(joined or [""] * width), tuple(tops), lines, table.caption, table.loose)
            yield from (taken_apart(part, cells) for part in _beside(whole))


def _beside(sheet: Sheet) -> Iterator[Sheet]:
    """The sheet, or its two halves where the same headings stand beside themselves."""
    head = sheet.head
    half = next(
        (at for at in (len(head) // 2, len(head) // 2 + 1) if head[at:] and head[at:] == head[: len(head) - at]), 0
    )
    if half < 3 or not head[0]:
        yield sheet
        return
    for part in (slice(0, len(head) - half), slice(half, len(head))):
        lines = tuple(replace(line, cells=line.cells[part]) for line in sheet.lines)
        kept = tuple(line for line in lines if any(cell.text for cell in line.cells))
        yield replace(sheet, head=head[part], tops=sheet.tops[part], lines=kept)


def _headed(rows: list[TextRow], cells: Callable[[str], Cell]) -> tuple[list[tuple[str, ...]], list[TextRow]]:
    """The heading rows, and what stands under them.

    A title over the headings is left out; one under them belongs to the rows.
    """
    heads: list[tuple[str, ...]] = []
    for number, row in enumerate(rows):
        title = is_title(row.cells) and len(row.cells) > 1
        figures = any(cells(cell).figure or cells(cell).unread for cell in row.cells[1:])
        if len(heads) == _MOST_HEADINGS or (not row.head and (figures or (title and heads) or _has_gaps(row, heads))):
            return heads, rows[number:]
        if not title and any(row.cells):
            heads.append(row.cells)
    return heads, []


def _has_gaps(row: TextRow, heads: list[tuple[str, ...]]) -> bool:
    """Whether a row without figures says that they are missing, so that it is no heading."""
    return bool(heads) and any(is_missing(cell) for cell in row.cells)


def _is_heading_again(row: TextRow, heads: list[tuple[str, ...]], cells: Callable[[str], Cell]) -> bool:
    if any(cells(cell).figure or cells(cell).unread for cell in row.cells):
        return False
    filled = {cell for cell in row.cells if cell and not is_missing(cell)}
    if len(filled) < 3 or (heads and len(filled) * 2 < len([cell for cell in row.cells if cell])):
        return False
    above = {cell for head in heads for cell in head if cell}
    speaks = any(words.is_recovery(cell) or words.SPEEDUP.search(cell) for cell in filled)
    return row.head or speaks or 2 * len(filled & above) >= len(filled)


def _shift(head: Sequence[str], body: Sequence[TextRow], cells: Callable[[str], Cell]) -> bool:
    """Whether the headings begin one column too far left: the last column has figures and no heading.

    The rows then have a category that the heading row has no cell for.
    """
    if len(head) < 3 or head[-1] or not head[0]:
        return False
    rows = [row.cells for row in body if not is_title(row.cells)]
    last = [cells(row[-1]) for row in rows]
    second = [cells(row[1]) for row in rows]
    figures = sum(cell.figure is not None or cell.unread for cell in last)
    wordy = sum(bool(cell.text) and cell.figure is None and not is_missing(cell.text) for cell in second)
    return bool(rows) and 2 * figures >= len(rows) and 2 * wordy >= len(rows)


def is_title(cells: Sequence[str]) -> bool:
    """Whether a row begins with its only text, and has nothing that says "missing" beside it."""
    filled = {cell for cell in cells if cell}
    return bool(cells[0]) and len(filled) == 1 and not any(is_missing(cell) for cell in filled)


def _lines(body: Sequence[TextRow], cells: Callable[[str], Cell]) -> Iterator[Line]:
    section, sections = "", 0
    alike = same_units(cells(cell) for row in body for cell in row.cells)
    for row in body:
        read = tuple(alike(cells(cell)) for cell in row.cells)
        if not any(cell.text for cell in read):
            continue
        if is_title(row.cells) and len(row.cells) > 1 and read[0].figure is None:
            section, sections = read[0].text, sections + 1
            continue
        yield Line(read, section, sections)
