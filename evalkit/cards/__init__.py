"""Published cards: their tables, the arithmetic in them, and what of it follows. Text in, findings out."""

from __future__ import annotations

from evalkit.cards.arithmetic import Finding
from evalkit.cards.audit import Audit, audit
from evalkit.cards.costs import Saving
from evalkit.cards.noise import Noise
from evalkit.cards.prices import Price
from evalkit.cards.published import Card
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
from evalkit.cards.tables import MOST_CHARACTERS

__all__ = [
    "MOST_CHARACTERS",
    "Audit",
    "Beside",
    "Card",
    "Finding",
    "Noise",
    "Price",
    "PublishedRow",
    "PublishedTable",
    "Saving",
    "Standing",
    "audit",
    "beside",
    "card",
    "card_of",
    "outside",
    "published",
    "table_of",
]
