"""The tables of a card's text: pipe tables, pipe tables whose rows were broken over lines, and HTML tables.

The text is not trusted. Nothing in it is executed or followed, every expression is linear, and sizes are bounded.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from itertools import zip_longest

MOST_CHARACTERS = 1_000_000
MOST_TABLES = 50
MOST_ROWS = 500
MOST_COLUMNS = 100
_MOST_IN_CELL = 300
_MOST_HEADER_LINES = 60

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_DASHES = re.compile(r":?-+:?")
_PIPE = re.compile(r"(?<!\\)\|")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})([^<>]{0,2000})>")
_SPAN = re.compile(r"\b(colspan|rowspan)\s{0,3}=\s{0,3}[\"']?\s{0,3}(\d{1,4})", re.IGNORECASE)
_RAISED = re.compile(r"<sup\b[^<>]{0,200}>[^<>]{0,200}</sup>", re.IGNORECASE)
_IMAGE = re.compile(r"!\[[^\]\[]{0,300}\]\([^()]{0,1000}\)")
_LINK = re.compile(r"\[([^\]\[]{0,300})\]\([^()]{0,1000}\)")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"\*\*|__|~~|`")


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row as plain text, spans filled in."""

    cells: tuple[str, ...]
    head: bool = False
    """Marked as a heading by the card itself."""


@dataclass(frozen=True, slots=True)
class Table:
    """A rectangle of plain text."""

    line: int
    """Where it begins in the text, counted from 1."""
    rows: tuple[Row, ...]
    loose: bool = False
    """Read from pipes, where an empty cell may have been lost or moved to the end of its row."""


def tables(text: str) -> list[Table]:
    """Every table of a text of at most ``MOST_CHARACTERS``, in order."""
    text = _without_comments(text.replace("\r\n", "\n").replace("\r", "\n"))
    found, rest = _html_tables(text)
    found += _pipe_tables(rest)
    return sorted(found, key=lambda table: table.line)[:MOST_TABLES]


def plain(cell: str) -> str:
    """A cell's words without markup, in one line that is safe to print."""
    cell = _RAISED.sub("", cell[: _MOST_IN_CELL * 20])  # a raised 1 is a footnote, not a digit
    cell = _TAG.sub(lambda tag: " " if tag[2].lower() in {"br", "p", "div", "li"} else "", cell)
    cell = _LINK.sub(r"\1", _IMAGE.sub("", html.unescape(cell)))
    cell = _ESCAPE.sub(r"\1", _EMPHASIS.sub("", cell))
    words = "".join(letter if letter.isprintable() else " " for letter in cell).split()
    kept = " ".join(words)[:_MOST_IN_CELL].strip()
    # Emphasis with single marks, but not the underscores inside a metric's name.
    if len(kept) > 2 and kept[0] == kept[-1] and kept[0] in "*_":
        kept = kept[1:-1].strip()
    return kept


def _without_comments(text: str) -> str:
    """The text with comments and closed code blocks blanked, line for line, so that places stay right.

    A fence that is never closed is text: one stray fence would otherwise hide every table after it.
    """
    parts = text.split("<!--")
    text = parts[0]
    kept = [text]
    for part in parts[1:]:
        inside, closed, after = part.partition("-->")
        kept.append("\n" * inside.count("\n") + after if closed else part)
    lines = "".join(kept).split("\n")
    opened: tuple[int, str] | None = None
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark is None:
            continue
        if opened is None:
            opened = (number, mark[1])
        elif mark[1].startswith(opened[1]) and not line[mark.end() :].strip():
            lines[opened[0] : number + 1] = [""] * (number + 1 - opened[0])
            opened = None
    return "\n".join(lines)


# --- pipes --------------------------------------------------------------------------------------


def _pipe_tables(text: str) -> list[Table]:
    """Tables that have a ``---|---`` line under their heading."""
    lines = text.split("\n")
    found: list[Table] = []
    free = 0  # the first line that no table has taken
    for number, line in enumerate(lines):
        if len(found) == MOST_TABLES:
            break
        if number < free or not _is_rule(line):
            continue
        width = len(_split(line))
        heading = _heading(lines, free, number, width)
        if heading is None:
            continue
        start, header = heading
        body, free = _body(lines, number + 1, width)
        rows = (Row(header[:MOST_COLUMNS], head=True), *(Row(cells[:MOST_COLUMNS]) for cells in body))
        found.append(Table(start + 1, rows, loose=True))
    return found


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


def _body(lines: list[str], start: int, width: int) -> tuple[list[tuple[str, ...]], int]:
    """The rows from line ``start`` on, and the first line after them.

    A row that begins with a pipe stands in one line, as Markdown has it. Otherwise lines are put together until
    they have the table's width; a line that would make too many cells begins a row of its own.
    """
    rows: list[list[str]] = []
    open_row = ""
    number = start
    for number in range(start, len(lines)):
        line = lines[number].strip()
        if not _continues(line, open_row) or len(rows) >= MOST_ROWS:
            break
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
    return [tuple(plain(cell) for cell in _fit(row, width)) for row in rows], number


def _continues(line: str, open_row: str) -> bool:
    """Whether a line is part of the table: it has a pipe, and nothing but a rule ends a broken row early."""
    return "|" in line and (bool(open_row) or not _is_rule(line))


def _is_rule(line: str) -> bool:
    """Whether a line is ``---|---``: what stands between a heading and its rows."""
    return "-|" in line.replace(" ", "").replace(":", "") and all(
        _DASHES.fullmatch(cell.strip()) for cell in _split(line)
    )


def _split(line: str) -> list[str]:
    """The cells of a line; a pipe at either end is an edge, and an escaped pipe is text."""
    line = line.strip()[: _MOST_IN_CELL * 20 * 10]
    cells = _PIPE.split(line)
    if line.startswith("|"):
        cells = cells[1:]
    if len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _fit(cells: list[str], width: int) -> list[str]:
    return (cells + [""] * (width - len(cells)))[:width]


# --- HTML ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cell:
    """One cell while it is read."""

    across: int
    down: int
    head: bool
    parts: list[str] = field(default_factory=list)


def _html_tables(text: str) -> tuple[list[Table], str]:
    """The outermost ``<table>`` elements, and the text with them blanked."""
    found, kept, depth, begun, after = [], [], 0, 0, 0
    for tag in _TAG.finditer(text):
        if tag[2].lower() != "table":
            continue
        depth += -1 if tag[1] else 1
        if depth == 1 and not tag[1]:
            begun = tag.start()
        elif depth == 0:
            inside = text[begun : tag.end()]
            found.append(Table(text.count("\n", 0, begun) + 1, _grid(_cells(inside))))
            kept += [text[after:begun], "\n" * inside.count("\n")]
            after = tag.end()
            if len(found) >= MOST_TABLES:
                break
        depth = max(depth, 0)
    return [table for table in found if table.rows], "".join(kept) + text[after:]


def _cells(element: str) -> list[list[_Cell]]:
    """Rows of cells with their spans; closing tags may be left out, as HTML allows."""
    rows: list[list[_Cell]] = []
    heading, depth, last = False, 0, 0
    cell: _Cell | None = None
    for tag in _TAG.finditer(element):
        name, closing = tag[2].lower(), bool(tag[1])
        if cell is not None:
            cell.parts.append(element[last : tag.start()])
        last = tag.end()
        if name == "table":
            depth += -1 if closing else 1
        elif depth > 1 or name not in {"thead", "tbody", "tfoot", "tr", "td", "th"}:
            if cell is not None:
                cell.parts.append(tag[0])
            continue
        elif name in {"thead", "tbody", "tfoot"}:
            heading = name == "thead" and not closing
        elif name == "tr" and not closing and len(rows) < MOST_ROWS:
            rows.append([])
        cell = None
        if name in {"td", "th"} and not closing and rows and depth == 1:
            spans = {key.lower(): int(size) for key, size in _SPAN.findall(tag[3])}
            cell = _Cell(
                min(max(spans.get("colspan", 1), 1), MOST_COLUMNS),
                min(max(spans.get("rowspan", 1), 1), MOST_ROWS),
                heading or name == "th",
            )
            rows[-1].append(cell)
    return rows


def _grid(rows: list[list[_Cell]]) -> tuple[Row, ...]:
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
    return tuple(Row(cells, head) for cells, (_, head) in zip(zip(*columns, strict=True), filled, strict=True))
