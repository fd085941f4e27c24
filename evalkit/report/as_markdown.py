"""A report as ``report.md``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.report import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.report.facts import Report


_LINK = re.compile(r"\](?=[(\[:])")


def markdown(report: Report) -> str:
    """The answer, the table, and what a reader must know to believe it."""
    lines = ["# Accuracy recovery", ""]
    lines += map(_item, words.sentences(report))
    lines += ["", *_table(*words.table(report)), ""]
    lines += map(_item, words.completeness(report))
    for title, (head, body) in {
        "How answers came out": words.drift_table(report),
        "Noise floor": words.noise_table(report),
        "Published beside measured": words.published_table(report),
        "What was compared": words.weights_table(report),
    }.items():
        if body:
            lines += ["", f"## {title}", "", *_table(head, body)]
    lines += ["", *map(_item, words.differences(report))]
    return "\n".join(lines).rstrip("\n") + "\n"


def _item(text: str) -> str:
    found = _escaped(text)
    return "- " + ("\\" + found if found.startswith((">", "#", "-", "+")) else found)


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    return [_line(head), "| " + " | ".join(["---"] * len(head)) + " |", *map(_line, body)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Text that came from outside, with the characters that Markdown or HTML would act on made harmless.

    A bracket alone means nothing, so intervals can be read as they are; one before a link's address is escaped.
    """
    for mark in "\\`*<|":
        text = text.replace(mark, "\\" + mark)
    return _LINK.sub(r"\]", " ".join(text.split()))
