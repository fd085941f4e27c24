"""A text taken apart: tables with the words before them, sentences, and what its head says of the model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.cards.text.aligned import aligned_tables
from evalkit.cards.text.markup import html_tables
from evalkit.cards.text.pipes import is_rule, pipe_tables
from evalkit.cards.text.table import MOST_TABLES, TAG, Table, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_OF_TEXT = frozenset({"", "text", "txt", "plain", "plaintext", "md", "markdown", "console", "table"})
"""What stands behind the fence of a block that is no program."""
_HEADING = re.compile(r" {0,3}#{1,6}\s+(.{1,300})")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z*\[(])|\n")
_BASE_MODEL = re.compile(r"^base_model:[ \t]*(?:\n[ \t]*-[ \t]*)?[\"']?([\w./-]{1,200})", re.MULTILINE)
_MOST_SENTENCES = 5000


@dataclass(frozen=True, slots=True)
class Contents:
    """What a text holds."""

    tables: tuple[Table, ...]
    sentences: tuple[tuple[int, str], ...]
    """Line and plain words, outside of tables and code."""
    base_model: str = ""
    """The one that the card's head names."""
    more: int = 0
    """Tables beyond ``MOST_TABLES``, which are not read."""
    in_code: int = 0
    """Tables inside code blocks, which are not read."""


def contents(text: str) -> Contents:
    """Every table and sentence of a text of at most ``MOST_CHARACTERS``, in order."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    head = text[4 : text.find("\n---", 4)] if text.startswith("---\n") and "\n---" in text[4:] else ""
    text, in_code = _without_code(_without_comments(text))
    found, rest = html_tables(text)
    found += pipe_tables(rest)
    found += aligned_tables(_apart(rest.split("\n"), found))
    found = sorted(found, key=lambda table: table.line)[:MOST_TABLES]
    lines = rest.split("\n")
    inside = {number for table in found for number in range(table.line, table.end + 1)}
    captioned = tuple(replace(table, caption=_caption(lines, table.line - 1, inside)) for table in found)
    base = _BASE_MODEL.search(head)
    more = _more(text, len(head)) if len(found) == MOST_TABLES else 0
    return Contents(captioned, _sentences(lines, inside, head.count("\n")), base[1] if base else "", more, in_code)


def _apart(lines: list[str], found: Sequence[Table]) -> list[str]:
    """The lines with those blanked that are in tables."""
    inside = {number for table in found for number in range(table.line, table.end + 1)}
    return ["" if number in inside else line for number, line in enumerate(lines, 1)]


def _more(text: str, start: int) -> int:
    """How many tables a text has beyond those that are read, by the lines and tags that every table has."""
    rules = sum(is_rule(line) for line in text[start:].split("\n"))
    return max(rules + text.lower().count("<table") - MOST_TABLES, 0)


def _caption(lines: list[str], start: int, inside: set[int]) -> str:
    """The nearest words before a line, and the nearest heading above them."""
    words = ""
    for number in range(start - 1, max(start - 60, 0) - 1, -1):
        line = lines[number].strip()
        if number + 1 in inside:
            break
        heading = _HEADING.match(lines[number])
        if heading:
            return f"{plain(heading[1])} {words}".strip()
        words = words or plain(line)
    return words


def _sentences(lines: list[str], inside: set[int], first: int) -> tuple[tuple[int, str], ...]:
    found: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if number <= first or number in inside or not line.strip() or line.count("|") > 1:
            continue
        found += [(number, plain(part)) for part in _SENTENCE.split(TAG.sub(" ", line)) if part.strip()]
        if len(found) > _MOST_SENTENCES:
            break
    return tuple(found)


def _without_comments(text: str) -> str:
    """The text with its comments blanked, line for line, so that places stay right."""
    first, *parts = text.split("<!--")
    kept = [first]
    for part in parts:
        inside, closed, after = part.partition("-->")
        kept.append("\n" * inside.count("\n") + after if closed else part)
    return "".join(kept)


def _without_code(text: str) -> tuple[str, int]:
    """The text with closed code blocks blanked but for columns in them, and how many tables of pipes they have.

    A fence that is never closed is text: one stray fence would otherwise hide every table after it.
    """
    lines = text.split("\n")
    opened: tuple[int, str] | None = None
    hidden = 0
    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark is None:
            continue
        if opened is None:
            opened = (number, mark[1])
        elif mark[1].startswith(opened[1]) and not line[mark.end() :].strip():
            block = ["", *lines[opened[0] + 1 : number], ""]
            kept = {at for table in aligned_tables(block) for at in range(table.line - 1, table.end)}
            rules = sum(is_rule(one) for one in block)
            if rules and lines[opened[0]].strip(" `~").lower() in _OF_TEXT:
                kept |= {at for at, line in enumerate(block) if "|" in line}
            else:
                hidden += rules
            lines[opened[0] : number + 1] = [line if at in kept else "" for at, line in enumerate(block)]
            opened = None
    return "\n".join(lines), hidden
