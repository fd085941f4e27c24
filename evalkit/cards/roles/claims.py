"""Sentences that state a recovery or a speedup of the card's own model, in words that leave no doubt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.cards.figures import Printed
from evalkit.cards.nouns import PrintedClaim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PERCENT = r"(?P<figure>\d{1,3}(?:\.\d{1,4})?)\s?%"
_RECOVERIES = (
    re.compile(rf"\brecover(?:s|ing|ed)?\s+(?P<bound>(?:[a-z>≥]+\s?){{0,3}}?){_PERCENT}", re.IGNORECASE),
    re.compile(
        rf"\b(?P<bound>(?:over|above|at least|more than|up to|>|≥)?)\s?{_PERCENT}\s+"
        r"(?:average\s|accuracy\s|score\s){0,2}recovery\b",
        re.IGNORECASE,
    ),
    re.compile(rf"\brecovery (?:rate )?(?:of|is)\s+(?P<bound>(?:[a-z>≥]+\s?){{0,3}}?){_PERCENT}", re.IGNORECASE),
)
_SPEEDUP = re.compile(
    r"\b(?P<bound>up to)\s+(?P<figure>\d{1,3}\.\d{1,4})\s?[x×]\s+(?:\w+\s){0,2}?(?:speed-?\s?ups?|faster)",
    re.IGNORECASE,
)
_OF_THE_BASELINE = r"(?!the (?:base|original|unquantized|bf16|fp16))"
_AVERAGE = re.compile(r"\baverage score of\s+(?P<figure>\d{1,3}\.\d{1,4})%?(?!\.?\d)", re.IGNORECASE)
_VAGUE = re.compile(
    r"~|≈|\b(?:about|around|approx\w*|roughly|nearly|almost|close to|near|theoretical\w*|expected?|could|should|would"
    rf"|matrix|kernels?|FLOPS?|memory|disk|size|compared (?:to|with) {_OF_THE_BASELINE}|than {_OF_THE_BASELINE})\b",
    re.IGNORECASE,
)
"""What makes a claim one that no table here can decide."""
_LEAST = re.compile(r"\b(?:over|above|at least|more than|greater than|exceeding)\b|[>≥]", re.IGNORECASE)
_MOST = re.compile(r"\bup to\b", re.IGNORECASE)
_PLAIN_BOUND = re.compile(r"(?:an?|of|average|the|on|its|accuracy|[\s])*", re.IGNORECASE)


def claims(sentences: Sequence[tuple[int, str]]) -> Iterator[PrintedClaim]:
    """Every claim of a text's sentences, given with their lines."""
    for line, sentence in sentences:
        found = next((match for pattern in _RECOVERIES if (match := pattern.search(sentence))), None)
        if found is not None and not _VAGUE.search(_before(found)):
            bound = found["bound"]
            if _MOST.search(bound):
                continue
            if _LEAST.search(bound) or _PLAIN_BOUND.fullmatch(bound):
                kind = "at least" if _LEAST.search(bound) else ""
                yield PrintedClaim(
                    line, sentence, "recovery", "at least" if kind else "", Printed.parse(found["figure"] + "%")
                )
        average = _AVERAGE.search(sentence)
        if average is not None and not _VAGUE.search(_before(average)):
            yield PrintedClaim(line, sentence, "average", "", Printed.parse(average["figure"]))
        speed = _SPEEDUP.search(sentence)
        if speed is not None and not _VAGUE.search(sentence):
            yield PrintedClaim(line, sentence, "speedup", "up to", Printed.parse(speed["figure"]))


def _before(found: re.Match[str]) -> str:
    """The words of a sentence up to the claim's figure."""
    return found.string[max(found.start() - 40, 0) : found.end()]
