"""Tables without pipes: cells parted by tabs, or by blanks that make columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.cards import figures
from evalkit.cards.text.table import MOST_COLUMNS, MOST_ROWS, MOST_TABLES, Table, TextRow, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = re.compile(r"\t| {2,}")
_RULE = re.compile(r"[\s=\u2500-\u257f-]+")
_MOST_LENGTH = 2000


def aligned_tables(lines: Sequence[str]) -> list[Table]:
    """Every table of lines that have as many cells each: a heading without figures, and rows that have some.

    Columns parted by blanks have to stand under each other, in at least two rows; anything less is taken for words.
    """
    found: list[Table] = []
    start = 0
    while start < len(lines) and len(found) < MOST_TABLES:
        width = len(_cells(lines[start]))
        if width < 3 or _figures(_cells(lines[start])[1:]):
            start += 1
            continue
        body, end = _body(lines, start + 1, width)
        if len(body) > 1 and all(_figures(row[1:]) for row in body) and _stand_under(lines, start, end):
            rows = [TextRow(tuple(map(plain, _cells(lines[start])))[:MOST_COLUMNS], head=True)]
            rows += [TextRow(tuple(map(plain, row))[:MOST_COLUMNS]) for row in body]
            after = end
            while len(body) >= MOST_ROWS and end < len(lines) and len(_cells(lines[end])) == width:
                end += 1
            found.append(Table(start + 1, tuple(rows), end=end, more=end - after))
        start = max(end, start + 1)
    return found


def _body(lines: Sequence[str], start: int, width: int) -> tuple[list[list[str]], int]:
    """The rows that have a width, without rules between them, and the first line after them."""
    rows: list[list[str]] = []
    number = start
    while number < len(lines) and len(rows) < MOST_ROWS:
        line = lines[number]
        if not (line.strip() and _RULE.fullmatch(line)):
            cells = _cells(line)
            if len(cells) != width:
                break
            rows.append(cells)
        number += 1
    return rows, number


def _cells(line: str) -> list[str]:
    if "|" in line or len(line) > _MOST_LENGTH or not line.strip() or _RULE.fullmatch(line):
        return []
    if "\t" in line.strip():
        return [cell.strip() for cell in line.strip("\n").split("\t")]
    return _GAP.split(line.strip())


def _figures(cells: Sequence[str]) -> bool:
    return any(figures.read(plain(cell)).figure for cell in cells)


def _stand_under(lines: Sequence[str], start: int, end: int) -> bool:
    """Whether each column begins or ends at one place in all lines; cells parted by tabs need not."""
    rows = [line.expandtabs(1) for line in lines[start:end] if _cells(line)]
    if any("\t" in line.strip() for line in lines[start:end]):
        return all("\t" in line.strip() for line in lines[start:end] if _cells(line))
    spans = [[(cell.start(), cell.end()) for cell in re.finditer(r"\S+(?: \S+)*", row)] for row in rows]
    return all(
        len({begin for begin, _ in column}) == 1 or len({stop for _, stop in column}) == 1
        for column in zip(*spans, strict=True)
    )
