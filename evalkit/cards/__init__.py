"""Published cards: their tables, the arithmetic in them, and what of it follows. Text in, findings out."""

from __future__ import annotations

from evalkit.cards.audit import Audit, audit
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
