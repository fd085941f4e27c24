"""Tables of pipes: with a rule under their heading, without one, and with rows that were broken over lines."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.cards import figures
from evalkit.cards.text.table import MOST_COLUMNS, MOST_MARKUP, MOST_ROWS, MOST_TABLES, Table, TextRow, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_HEADER_LINES = 60
_DASHES = re.compile(r":?-+:?")
_PIPE = re.compile(r"(?<!\\)\|")


def pipe_tables(text: str) -> list[Table]:
    """Every table of pipes in a text, with a rule line or without, in order."""
    lines = text.split("\n")
    found: list[Table] = []
    taken: list[tuple[int, int]] = []
    free = 0  # the first line that no table has taken
    for number, line in enumerate(lines):
        if len(found) == MOST_TABLES:
            break
        if number < free or not is_rule(line):
            continue
        width = len(_split(line))
        heading = _heading(lines, free, number, width)
        if heading is None:
            continue
        start, header = heading
        body, free = _body(lines, number + 1, width)
        after = free
        while len(body) >= MOST_ROWS and free < len(lines) and _continues(lines[free].strip(), ""):
            free += 1
        found.append(replace(_table(start, free, header, body), more=free - after))
        taken.append((start, free))
    return sorted(found + _without_rule(lines, taken), key=lambda table: table.line)


def _table(start: int, end: int, header: Sequence[str], body: Sequence[Sequence[str]]) -> Table:
    width = max(len(header), max(map(len, body), default=0))
    rows = [TextRow(tuple(_fit(header, width)[:MOST_COLUMNS]), head=True)]
    rows += [TextRow(tuple(_fit(cells, width)[:MOST_COLUMNS])) for cells in body]
    return Table(start + 1, tuple(rows), loose=True, end=end)


def _heading(lines: list[str], free: int, rule: int, width: int) -> tuple[int, tuple[str, ...]] | None:
    """First line and cells of the heading above a rule, which may be broken over lines; None if there is none."""
    text = ""
    for start in range(rule - 1, max(free, rule - _MOST_HEADER_LINES) - 1, -1):
        if "|" not in lines[start]:
            return None
        text = f"{lines[start].strip()} {text}"
        cells = _split(text)
        if len(cells) == width:
            return start, tuple(plain(cell) for cell in cells)
        if len(cells) > width:
            return None
    return None


def _body(lines: list[str], start: int, width: int) -> tuple[list[list[str]], int]:
    """The rows from line ``start`` on, and the first line after them.

    A row that begins with a pipe stands in one line, as Markdown has it. Otherwise lines are put together until
    they have the table's width; a line that would make too many cells begins a row of its own.
    """
    rows: list[list[str]] = []
    piped = True
    open_row = ""
    number = start
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if not _continues(line, open_row) or len(rows) >= MOST_ROWS:
            break
        piped = piped and line.startswith("|")
        joined = f"{open_row} {line}" if open_row else line
        if open_row and (line.startswith("|") or len(_split(joined)) > width):
            rows.append(_split(open_row))
            joined = line
        open_row = joined
        if line.startswith("|") or len(_split(joined)) >= width:
            rows.append(_split(joined))
            open_row = ""
    else:
        number = len(lines)
    if open_row:
        rows.append(_split(open_row))
    wide = _usual_width(rows, width) if piped else width
    return [[plain(cell) for cell in _fit(row, wide)] for row in rows], number


def _usual_width(rows: list[list[str]], width: int) -> int:
    """The width that most rows have, where the heading has fewer cells than they; a page would not show the rest."""
    widths = Counter(_filled(row) for row in rows)
    usual, count = widths.most_common(1)[0] if widths else (width, 0)
    return usual if usual > width and 2 * count > len(rows) else width


def _filled(row: list[str]) -> int:
    return max((number for number, cell in enumerate(row, 1) if cell.strip()), default=0)


def _without_rule(lines: list[str], taken: list[tuple[int, int]]) -> list[Table]:
    """Runs of lines with the same number of cells and no rule: a heading without figures, and figures under it."""
    inside = {number for start, end in taken for number in range(start, end)}
    found: list[Table] = []
    start = 0
    while start < len(lines) and len(found) < MOST_TABLES:
        end = start
        while end < len(lines) and end not in inside and lines[end].count("|") >= 2 and end - start <= MOST_ROWS:
            end += 1
        table = _ruleless(lines, start, end) if end - start >= 2 else None
        if table is not None:
            found.append(table)
        start = max(end, start + 1)
    return found


def _ruleless(lines: list[str], start: int, end: int) -> Table | None:
    rows = [[plain(cell) for cell in _split(line)] for line in lines[start:end] if not is_rule(line)]
    if len(rows) < 2:
        return None
    header, *body = rows
    even = sum(len(row) == len(header) for row in body)
    if len(header) < 3 or 2 * even < len(body) or any(figures.read(cell).figure for cell in header):
        return None
    some = any(figures.read(cell).figure for row in body for cell in row[1:])
    return _table(start, end, header, body) if some else None


def _continues(line: str, open_row: str) -> bool:
    """Whether a line is part of the table: it has a pipe, and nothing but a rule ends a broken row early."""
    return "|" in line and (bool(open_row) or not is_rule(line))


def is_rule(line: str) -> bool:
    """Whether a line is ``---|---``: what stands between a heading and its rows."""
    return "-|" in line.replace(" ", "").replace(":", "") and all(
        _DASHES.fullmatch(cell.strip()) for cell in _split(line)
    )


def _split(line: str) -> list[str]:
    """The cells of a line; a pipe at either end is an edge, and an escaped pipe is text."""
    line = line.strip()[: MOST_MARKUP * 10]
    cells = _PIPE.split(line)
    if line.startswith("|"):
        cells = cells[1:]
    if len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _fit(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))][:width]
