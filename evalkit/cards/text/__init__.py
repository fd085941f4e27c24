"""A card's text: its tables as rectangles of plain words, the words before each, and its sentences.

The text is not trusted. Nothing in it is executed or followed, every expression is linear, and sizes are bounded.
"""

from __future__ import annotations

from evalkit.cards.text.contents import Contents, contents
from evalkit.cards.text.table import MOST_ROWS, MOST_TABLES, Table, TextRow

MOST_CHARACTERS = 1_000_000

__all__ = ["MOST_CHARACTERS", "MOST_ROWS", "MOST_TABLES", "Contents", "Table", "TextRow", "contents"]
