"""Readings of answers and references that several metrics share."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evalkit.base.types import Json

NO_REFERENCES: Final = "no references"
NOT_TEXT: Final = "reference is not text"

_ENDINGS: Final = frozenset(string.punctuation) - {"%"}


def as_list(references: Json) -> list[Json]:
    """The references as a list: a lone one stands for a list of one, and None for no references."""
    if references is None:
        return []
    return list(references) if isinstance(references, list | tuple) else [references]


def unquote(text: str) -> str:
    """``text`` without the pair of equal quotes around it; a lone quote counts as an empty pair."""
    for quote in ('"', "'"):
        if text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text


def trim_end(text: str) -> str:
    """``text`` without ASCII punctuation and white space at its end, but never past a percent sign."""
    end = len(text)
    while end and (text[end - 1] in _ENDINGS or text[end - 1].isspace()):
        end -= 1
    return text[:end]
