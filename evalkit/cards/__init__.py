"""Published cards: their tables, the arithmetic in them, and what of it follows. Text in, findings out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.cards.auditing import Audit, audit
    from evalkit.cards.checks.costs import Saving
    from evalkit.cards.checks.figure import AuditFinding
    from evalkit.cards.checks.noise import Noise
    from evalkit.cards.checks.prices import Price
    from evalkit.cards.nouns import Card
    from evalkit.cards.output import AuditReport, as_lines, as_markdown, as_object
    from evalkit.cards.reading import card
    from evalkit.cards.shipped import (
        Beside,
        PublishedRow,
        PublishedTable,
        Standing,
        beside,
        card_of,
        outside,
        published,
        table_of,
    )
    from evalkit.cards.siblings import Across, together
    from evalkit.cards.text import MOST_CHARACTERS

__all__ = [
    "MOST_CHARACTERS",
    "Across",
    "Audit",
    "AuditFinding",
    "AuditReport",
    "Beside",
    "Card",
    "Noise",
    "Price",
    "PublishedRow",
    "PublishedTable",
    "Saving",
    "Standing",
    "as_lines",
    "as_markdown",
    "as_object",
    "audit",
    "beside",
    "card",
    "card_of",
    "outside",
    "published",
    "table_of",
    "together",
]

_MODULES = {
    **dict.fromkeys(("Audit", "audit"), "auditing"),
    "Saving": "checks.costs",
    "AuditFinding": "checks.figure",
    "Noise": "checks.noise",
    "Price": "checks.prices",
    "Card": "nouns",
    **dict.fromkeys(("AuditReport", "as_lines", "as_markdown", "as_object"), "output"),
    "card": "reading",
    **dict.fromkeys(("Beside", "PublishedRow", "PublishedTable", "Standing"), "shipped"),
    **dict.fromkeys(("beside", "card_of", "outside", "published", "table_of"), "shipped"),
    **dict.fromkeys(("Across", "together"), "siblings"),
    "MOST_CHARACTERS": "text",
}
"""Where each name is, imported when it is first asked for: a run knows a published figure, and audits no card."""


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'evalkit.cards' has no attribute '{name}'")
    found = globals()[name] = getattr(import_module(f"evalkit.cards.{_MODULES[name]}"), name)
    return found
