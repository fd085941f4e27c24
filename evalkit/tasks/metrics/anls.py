"""ANLS: how near an answer is to the nearest reference, by edit distance (DocVQA).

Source: Biten et al., "Scene Text Visual Question Answering" (2019), equation 1, and for dialect ``official``
the benchmark's evaluation program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from evalkit.base.types import Score
from evalkit.tasks.metrics.text import NO_REFERENCES, NOT_TEXT, trim_end

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json


def anls(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """One minus the edit distance to the nearest reference, per character of the longer of the two.

    The published metric (dialects ``neuralmagic`` and ``mistral``) ignores case, runs of white space and
    punctuation at the end, and keeps every partial credit. Dialect ``official`` keeps end punctuation,
    divides by the length of the longer text as it was given, and counts a similarity under 0.5 as 0.
    """
    official = dialect == "official"
    read = _folded(answer) if official else trim_end(_folded(answer))
    parsed = read or None
    if not references:
        return Score(0.0, parsed, NO_REFERENCES)
    if not all(isinstance(reference, str) for reference in references):
        return Score(0.0, parsed, NOT_TEXT, left_out=True)
    if official:
        best = max(_official_similarity(answer, reference) for reference in references)
        return Score(best if best >= 0.5 else 0.0, parsed)
    return Score(max(_similarity(read, trim_end(_folded(reference))) for reference in references), parsed)


def nearest(answer: str, references: list[str], dialect: Dialect) -> str:
    """The reference that an answer is nearest to, however far it is; the empty text where there are none."""
    if dialect == "official":
        return max(references, key=lambda one: _official_similarity(answer, one), default="")
    read = trim_end(_folded(answer))
    return max(references, key=lambda one: _similarity(read, trim_end(_folded(one))), default="")


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _similarity(one: str, other: str) -> float:
    longest = max(len(one), len(other))
    return 1 - Levenshtein.distance(one, other) / longest if longest else 1.0


def _official_similarity(answer: str, reference: str) -> float:
    """As ``_similarity``, but per character of the upper-case texts with all their white space."""
    longest = max(len(answer.upper()), len(reference.upper()))
    return 1 - Levenshtein.distance(_folded(answer), _folded(reference)) / longest if longest else 1.0
