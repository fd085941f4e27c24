"""Sentences that state a recovery, a drop or a speedup of the card's own model, in words that leave no doubt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.cards.figures import Printed
from evalkit.cards.nouns import PrintedClaim

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import Bound

_PERCENT = r"(?P<figure>\d{1,3}(?:\.\d{1,4})?)\s?%"
_BOUND = r"(?P<bound>(?:[a-z>≥]+\s?){0,3}?)"
_ABOVE = r"(?P<bound>(?:\b(?:over|above|at least|more than|up to)|[>≥])?)"
_BELOW = r"(?P<bound>(?:less than|under|below|within|at most|only|<)?)"
_S = r"['\u2019]s"
_ANY = r"[\w'\u2019-]+\s+"
_WHOLE = r"(?:original|base(?:line)?|unquantized|uncompressed|full[- ]precision|reference|bf16|fp16)"
_RESULTS = r"(?:accurac(?:y|ies)|performance|scores?|quality)\b"
_RECOVERIES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\brecover(?:s|ing|ed)?\s+{_BOUND}{_PERCENT}",
        rf"{_ABOVE}\s?{_PERCENT}\s+(?:average\s|accuracy\s|score\s){{0,2}}recovery\b",
        rf"\brecovery (?:rate )?(?:of|is)\s+{_BOUND}{_PERCENT}",
        rf"\b(?:average|mean|overall) (?:accuracy |score )?recovery(?: rate)?\s?[:=]\s?{_BOUND}{_PERCENT}",
        rf"\b(?:retain|preserv|maintain|keep)(?:e?s|ing|e?d)?\s+{_BOUND}{_PERCENT}\s+of\s+(?:{_ANY}){{0,4}}?{_RESULTS}",
        rf"{_ABOVE}\s?{_PERCENT}\s+of\s+(?:the|its)\s+{_WHOLE}(?:{_S})?\s+(?:{_ANY}){{0,2}}?{_RESULTS}",
    )
)
_SPEEDUP = re.compile(
    r"\b(?P<bound>up to\s+)?(?P<figure>\d{1,3}\.\d{1,4})\s?(?:[x×]|times)\s+(?:\w+\s){0,2}?"
    r"(?:speed-?\s?ups?\b|faster\b|(?:higher|more) throughput\b|lower latency\b)",
    re.IGNORECASE,
)
_LOSS = r"(?:drop|loss|degradation|decrease|reduction)\b"
_POINTS = r"(?P<figure>\d{1,2}(?:\.\d{1,4})?)(?P<unit>\s?%|\s?(?:percentage |accuracy )?points?\b|\s?pp\b)"
_DROPS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\baverage (?:accuracy |score |performance )?{_LOSS} (?:of|is)\s+{_BOUND}{_POINTS}",
        rf"{_BELOW}\s?{_POINTS}\s+{_LOSS} (?:in|of) (?:the )?average (?:accuracy|score|performance)\b",
        rf"{_BELOW}\s?{_POINTS}\s+average (?:accuracy |score )?{_LOSS}",
    )
)
_OF_THE_BASELINE = (
    r"(?!(?:(?:the|its) )?(?:base|original|unquantized|uncompressed|full[- ]precision|b?f(?:p|loat)?-?(?:16|32)))"
)
_AVERAGE = re.compile(r"\baverage score of\s+(?P<figure>\d{1,3}\.\d{1,4})%?(?!\.?\d)", re.IGNORECASE)
_VAGUE = re.compile(
    r"~|≈|\b(?:about|around|approx\w*|roughly|nearly|almost|close to|near|theoretical\w*|expected?|could|should|would"
    rf"|matrix|kernels?|FLOPS?|memory|disk|size|compared (?:to|with) {_OF_THE_BASELINE}"
    rf"|(?<!less )(?<!more )(?<!greater )than {_OF_THE_BASELINE})\b",
    re.IGNORECASE,
)
"""What makes a claim one that no table here can decide."""
_UNDER = re.compile(r"\b(?:less than|under|below|within|at most)\b|<", re.IGNORECASE)
_LEAST = re.compile(r"\b(?:over|above|at least|more than|greater than|exceeding)\b|[>≥]", re.IGNORECASE)
_MOST = re.compile(r"\bup to\b", re.IGNORECASE)
_PLAIN_BOUND = re.compile(r"(?:an?|of|average|the|on|its|accuracy|[\s])*", re.IGNORECASE)


def claims(sentences: Sequence[tuple[int, str]]) -> Iterator[PrintedClaim]:
    """Every claim of a text's sentences, given with their lines."""
    for line, sentence in sentences:
        if not any(map(str.isdigit, sentence)):
            continue
        yield from _recoveries(line, sentence)
        drop = _first(_DROPS, sentence)
        if drop is not None and not _VAGUE.search(_before(drop)):
            bound: Bound = "at most" if _UNDER.search(drop["bound"]) else ""
            figure = Printed.parse(drop["figure"] + ("%" if "%" in drop["unit"] else ""))
            yield PrintedClaim(line, sentence, "drop", bound, figure)
        average = _AVERAGE.search(sentence)
        if average is not None and not _VAGUE.search(_before(average)):
            yield PrintedClaim(line, sentence, "average", "", Printed.parse(average["figure"]))
        speed = _SPEEDUP.search(sentence)
        if speed is not None and not _VAGUE.search(sentence):
            reach: Bound = "up to" if speed["bound"] else ""
            yield PrintedClaim(line, sentence, "speedup", reach, Printed.parse(speed["figure"]))


def _recoveries(line: int, sentence: str) -> Iterator[PrintedClaim]:
    found = _first(_RECOVERIES, sentence)
    if found is None or _VAGUE.search(_before(found)) or _MOST.search(found["bound"]):
        return
    least = bool(_LEAST.search(found["bound"]))
    if least or _PLAIN_BOUND.fullmatch(found["bound"]):
        bound: Bound = "at least" if least else ""
        yield PrintedClaim(line, sentence, "recovery", bound, Printed.parse(found["figure"] + "%"))


def _first(patterns: Sequence[re.Pattern[str]], sentence: str) -> re.Match[str] | None:
    return next((match for pattern in patterns if (match := pattern.search(sentence))), None)


def _before(found: re.Match[str]) -> str:
    """The words of a sentence up to the end of the claim."""
    return found.string[max(found.start() - 40, 0) : found.end()]
