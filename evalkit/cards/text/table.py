"""A table as a card has it: a rectangle of plain words."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

MOST_TABLES = 50
MOST_ROWS = 500
MOST_COLUMNS = 100
MOST_IN_CELL = 300
MOST_MARKUP = MOST_IN_CELL * 20
"""Characters of a cell that are looked at before its markup is taken off."""

TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,15})([^<>]{0,2000})>")
_RAISED = re.compile(r"<sup\b[^<>]{0,200}>[^<>]{0,200}</sup>", re.IGNORECASE)
_BROKEN_TAG = re.compile(r"</?(?:td|th|tr|b|i|strong|em)\b[^<>]{0,100}$|(?<=[\d%])\s?/(?:td|th|tr)>?$", re.IGNORECASE)
"""A tag without its closing bracket, or without its opening one, at the end of a cell."""
_IMAGE = re.compile(r"!\[[^\]\[]{0,300}\]\([^()]{0,1000}\)")
_LINK = re.compile(r"\[([^\]\[]{0,300})\]\([^()]{0,1000}\)")
_MATHS = re.compile(r"\$(\\?[^$\n]{1,60})\$")
_MATHS_WORDS = {
    r"\pm": "±",
    r"\downarrow": "↓",
    r"\uparrow": "↑",
    r"\Delta": "Δ",
    r"\%": "%",
    r"\times": "×",
    r"\mathbf": "",
    r"\textbf": "",
    "{": "",
    "}": "",
}
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_MARKED = re.compile(r"[<&\\*_~`$\[]|/t", re.IGNORECASE)
"""What any markup has in it."""
_EMPHASIS = re.compile(r"\*\*|__|~~|`")


@dataclass(frozen=True, slots=True)
class TextRow:
    """The cells of one row as plain text, spans filled in."""

    cells: tuple[str, ...]
    head: bool = False
    """Marked as a heading by the card itself."""


@dataclass(frozen=True, slots=True)
class Table:
    """A rectangle of plain text."""

    line: int
    """Where it begins in the text, counted from 1."""
    rows: tuple[TextRow, ...]
    loose: bool = False
    """Read from pipes, where an empty cell may have been lost or moved to the end of its row."""
    caption: str = ""
    """The heading and the words before it."""
    end: int = 0
    """Its last line."""
    more: int = 0
    """Rows beyond ``MOST_ROWS``, which are not kept."""


def plain(cell: str) -> str:
    """A cell's words without markup, in one line that is safe to print."""
    cell = cell[:MOST_MARKUP]
    if cell.isprintable() and not _MARKED.search(cell):
        return " ".join(cell.split())[:MOST_IN_CELL].strip()
    cell = _RAISED.sub("", cell)  # a raised 1 is a footnote, not a digit
    cell = _BROKEN_TAG.sub("", cell.strip())
    cell = TAG.sub(lambda tag: " " if tag[2].lower() in {"br", "p", "div", "li"} else "", cell)
    cell = _LINK.sub(r"\1", _IMAGE.sub("", html.unescape(cell)))
    cell = _MATHS.sub(lambda found: _said(found[1]), cell)
    cell = _ESCAPE.sub(r"\1", _EMPHASIS.sub("", cell))
    words = "".join(letter if letter.isprintable() else " " for letter in cell).split()
    kept = " ".join(words)[:MOST_IN_CELL].strip()
    # Emphasis with single marks, but not the underscores inside a metric's name.
    if len(kept) > 2 and kept[0] == kept[-1] and kept[0] in "*_":
        kept = kept[1:-1].strip()
    return kept


def _said(maths: str) -> str:
    for word, sign in _MATHS_WORDS.items():
        maths = maths.replace(word, sign)
    return maths
