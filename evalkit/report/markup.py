"""Text from outside in Markdown: what is written is what is read, whatever it holds."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ACTS = re.compile(
    r"[\\`*<|~$]|&(?=#?\w+;)"
    # An underscore inside a word is no emphasis: names of metrics stay readable.
    r"|(?<![^\W_])_|_(?![^\W_])"
    # A bracket alone means nothing; before an address or a definition it does.
    r"|\](?=[(\[:])|!(?=\[)"
    # What GitHub and the Hub make links of by themselves, and whom they would call.
    r"|:(?=//)|(?<=\bwww)\.|@(?=\w)",
    re.IGNORECASE,
)
_STARTS = re.compile(r"(?P<number>\d{1,9})(?=[.)](?:\s|$))|(?=[>#+=-])")
"""What begins a list, a heading or a rule."""


def escaped(text: str) -> str:
    """One line of text that Markdown and the HTML inside it do not act on.

    Characters that change the direction of text, or cannot be seen, become U+FFFD: a bidi mark in a model's name
    must not turn the rest of a row around.
    """
    found = _inline(text)
    begins = _STARTS.match(found)
    return f"{found[: begins.end()]}\\{found[begins.end() :]}" if begins else found


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table; cells are escaped."""
    return [row(head), row(["---"] * len(head), plain=True), *(row(cells) for cells in body)]


def row(cells: Sequence[str], *, plain: bool = False) -> str:
    """One line of a table; cells are escaped unless they are ``plain``."""
    return "| " + " | ".join(cells if plain else map(_inline, cells)) + " |"


def code(lines: Sequence[str], language: str = "") -> list[str]:
    """Lines as a block of code, with a fence that none of them can close."""
    shown = ["".join(_seen(character) for character in line.replace("\n", "\\n")) for line in lines]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + language, *shown, fence]


def _inline(text: str) -> str:
    """Text inside a line, where nothing that only begins one has a meaning."""
    plain = " ".join("".join(_seen(character) for character in text).split())
    return _ACTS.sub(lambda match: "\\" + match[0], plain)


def _seen(character: str) -> str:
    """A character, or a sign for one that has no business in a line."""
    if character in "\t\n\r":
        return " "
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"}
    return "\N{REPLACEMENT CHARACTER}" if hidden else character
