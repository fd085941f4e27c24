"""Whom a sentence speaks of: only one about the card's own model can contradict its tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.cards.roles import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.nouns import Card

_WORD = re.compile(r"[^\W_][\w'\u2019.+-]*[^\W_]|[^\W_]")
_PIECE = re.compile(r"[^\W_]+")
_OTHERS = re.compile(
    r"\b(?:papers?|authors?|earlier|previous(?:ly)?|former|prior|others?|another|elsewhere|reported|reports"
    r"|train\w*|fine-?tun\w*|pre-?train\w*|speculative|drafts?|compil\w*|attention|raters?|stars|internal\w*|own"
    r"|next|last year|blog|competitors?|target\w*|goals?|require\w*|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
"""Words of another model, technique, time or measurement."""
_OF_THE_BASELINE = re.compile(
    r"^\W*(?:(?:the|our|this)\s+)?(?:original|unquantized|uncompressed|baseline|reference|teacher|base)\b(?![-_./])",
    re.IGNORECASE,
)
_PLAIN = re.compile(
    r"(?:a|about|above|accuracies|accuracy|achieved|achieves|across|after|all|also|an|and|as|at|"
    r"average|below|both|but|by|compared|decoding|delivers|despite|each|evaluated|evaluation|"
    r"evaluations|even|for|from|gives|has|have|here|i|in|inference|is|it|its|keeps|latency|less|"
    r"maintains|mean|median|model|models|more|most|no|not|note|of|on|only|our|over|overall|"
    r"performance|preserves|quality|quantization|quantized|compressed|reaches|recovered|recoveries|"
    r"recovers|recovery|result|results|retains|score|scores|scoring|shows|speed|speedup|still|than|"
    r"that|the|there|these|they|this|those|throughput|to|under|up|using|versus|via|we|weights|"
    r"when|where|while|with|within|without|yes)",
    re.IGNORECASE,
)
"""Words with which a sentence may begin, and which name nobody."""


def is_of_another(card: Card, sentence: str) -> bool:
    """Whether a sentence names a model, benchmark, technique, hardware or year that is not the tables' own."""
    if _OTHERS.search(sentence) or _OF_THE_BASELINE.search(sentence):
        return True
    known = set(_known(card))
    for word in _WORD.findall(words.WHOLE.sub(" ", sentence)):
        named = any(letter.isupper() for letter in word) or (word[0].isalpha() and any(map(str.isdigit, word)))
        pieces = {piece.lower() for piece in _PIECE.findall(word)}
        if named and not _PLAIN.fullmatch(word) and not pieces <= known:
            return True
    return False


def _known(card: Card) -> Iterator[str]:
    """The words of the tables' models, of their averages, and of the settings of what was timed."""
    names = [name for table in card.accuracy for name in table.models]
    names += [row.name for table in card.accuracy for row in table.rows if row.kind == "average"]
    names += [row.name for table in card.speeds for row in table.rows]
    names += [row.name for table in card.costs for row in table.rows]
    for name in names:
        yield from (piece.lower() for piece in _PIECE.findall(name))
