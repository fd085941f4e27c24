"""HTML tables, spans filled in, and with what hand-written HTML gets wrong: tags left out, doubled and broken."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest

from evalkit.cards.text.table import MOST_COLUMNS, MOST_ROWS, MOST_TABLES, TAG, Table, TextRow, plain

_SPAN = re.compile(r"\b(colspan|rowspan)\s{0,3}=\s{0,3}[\"']?\s{0,3}(\d{1,4})", re.IGNORECASE)
_STRUCTURE = frozenset({"thead", "tbody", "tfoot", "tr", "td", "th"})


@dataclass(slots=True)
class _MarkupCell:
    """One cell while it is read."""

    across: int
    down: int
    head: bool
    after_open: bool
    """Whether the cell before it was never closed: an empty one may be its closing tag without the slash."""
    parts: list[str] = field(default_factory=list)


def html_tables(text: str) -> tuple[list[Table], str]:
    """Every ``<table>`` element, one inside another and one that is never closed included; and the text without them.

    A table inside a cell is one of its own, and no part of that cell. Every line of the text stays where it is.
    """
    found: list[Table] = []
    open_tables: list[_Span] = []
    outermost = _Span(0)
    for tag in TAG.finditer(text):
        if tag[2].lower() != "table":
            continue
        if not tag[1]:
            open_tables.append(_Span(tag.start()))
        elif open_tables and len(found) < MOST_TABLES:
            _close(text, tag.end(), open_tables, outermost, found)
    while open_tables and len(found) < MOST_TABLES:
        _close(text, _end_of_open(text, open_tables[-1].begun), open_tables, outermost, found)
    return [table for table in found if any(any(row.cells) for row in table.rows)], outermost.without(text, len(text))


@dataclass(slots=True)
class _Span:
    """A table while it is read, with the places of those inside it."""

    begun: int
    inside: list[tuple[int, int]] = field(default_factory=list)

    def without(self, text: str, end: int) -> str:
        """Its text up to ``end``, with the tables inside it blanked line for line."""
        kept, after = [], self.begun
        for start, stop in self.inside:
            kept += [text[after:start], "\n" * text.count("\n", start, stop)]
            after = max(stop, after)
        return "".join(kept) + text[after:end]


def _close(text: str, end: int, open_tables: list[_Span], outermost: _Span, found: list[Table]) -> None:
    """Read the table that was opened last; it ends at ``end``."""
    span = open_tables.pop()
    around = open_tables[-1] if open_tables else outermost
    around.inside.append((span.begun, end))
    line = text.count("\n", 0, span.begun) + 1
    own = span.without(text, end)
    more = max(own.lower().count("<tr") - MOST_ROWS, 0)
    rows = _grid(_mended(_cells(own)))
    found.append(Table(line, rows, end=line + text.count("\n", span.begun, end), more=more))


def _end_of_open(text: str, begun: int) -> int:
    """Where a table ends that has no closing tag: with the line of its last row's or cell's tag."""
    last = max((tag.end() for tag in TAG.finditer(text, begun) if tag[2].lower() in _STRUCTURE), default=len(text))
    end = text.find("\n", last)
    return len(text) if end < 0 else end


def _cells(element: str) -> list[list[_MarkupCell]]:
    """Rows of cells with their spans; closing tags may be left out, as HTML allows, and the tag of a row as well."""
    rows: list[list[_MarkupCell]] = []
    heading, in_row, last = False, False, 0
    cell: _MarkupCell | None = None
    for tag in TAG.finditer(element):
        name, closing = tag[2].lower(), bool(tag[1])
        if cell is not None:
            cell.parts.append(element[last : tag.start()])
        last = tag.end()
        if name not in _STRUCTURE and name != "table":
            if cell is not None:
                cell.parts.append(tag[0])
            continue
        heading = name == "thead" and not closing if name in {"thead", "tbody", "tfoot"} else heading
        left_open, cell = cell is not None and not closing, None
        begins = name in {"td", "th"} and not closing
        if name == "tr" or (begins and not in_row):
            in_row = not closing and len(rows) < MOST_ROWS
            if in_row:
                rows.append([])
        if begins and in_row:
            cell = _MarkupCell(*_spans(tag[3]), heading or name == "th", left_open and bool(rows[-1]))
            rows[-1].append(cell)
    return rows


def _spans(attributes: str) -> tuple[int, int]:
    """How many columns and rows a cell fills."""
    told = {key.lower(): int(size) for key, size in _SPAN.findall(attributes)}
    return min(max(told.get("colspan", 1), 1), MOST_COLUMNS), min(max(told.get("rowspan", 1), 1), MOST_ROWS)


def _mended(rows: list[list[_MarkupCell]]) -> list[list[_MarkupCell]]:
    """Rows without the empty cells that a ``<td>`` written for ``</td>`` makes.

    They are told by the width: only in a row that is wider than most, and only after a cell that was never closed.
    """
    reach = _reaches(rows)
    widths = Counter(reach)
    usual = widths.most_common(1)[0][0] if widths else 0
    mended = []
    for row, width in zip(rows, reach, strict=True):
        kept = list(row)
        for cell in row:
            if width > usual and cell.after_open and not plain("".join(cell.parts)):
                kept.remove(cell)
                width -= cell.across  # noqa: PLW2901 - the row becomes narrower by this cell
        mended.append(kept)
    return mended


def _reaches(rows: list[list[_MarkupCell]]) -> list[int]:
    """How many columns each row fills, with what hangs into it from above."""
    found: list[int] = []
    hanging: list[tuple[int, int]] = []  # rows still to fill, columns
    for row in rows:
        found.append(sum(cell.across for cell in row) + sum(across for _, across in hanging))
        hanging = [(left - 1, across) for left, across in hanging if left > 1]
        hanging += [(cell.down - 1, cell.across) for cell in row if cell.down > 1]
    return found


def _grid(rows: list[list[_MarkupCell]]) -> tuple[TextRow, ...]:
    """A rectangle in which every spanned place repeats its cell."""
    hanging: dict[int, tuple[int, str]] = {}  # column -> rows still to fill, text
    filled: list[tuple[list[str], bool]] = []
    for row in rows:
        texts: dict[int, str] = {column: text for column, (_, text) in hanging.items()}
        hanging = {column: (left - 1, text) for column, (left, text) in hanging.items() if left > 1}
        column = 0
        for cell in row:
            text = plain("".join(cell.parts))
            while column in texts:
                column += 1
            for place in range(column, min(column + cell.across, MOST_COLUMNS)):
                texts[place] = text
                if cell.down > 1:
                    hanging[place] = (cell.down - 1, text)
            column += cell.across
        if row:
            cells = [texts.get(place, "") for place in range(max(texts, default=-1) + 1)]
            filled.append((cells, all(cell.head for cell in row)))
    columns = list(zip_longest(*(cells for cells, _ in filled), fillvalue=""))
    return tuple(TextRow(cells, head) for cells, (_, head) in zip(zip(*columns, strict=True), filled, strict=True))
