"""Which of several models is the baseline of which."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.cards.roles import words

if TYPE_CHECKING:
    from collections.abc import Sequence

_BASELINE = re.compile(r"\bbaseline\b|\boriginal\b", re.IGNORECASE)
_VERSUS = re.compile(r"\b(?:vs|versus)\b\.?\s+(?:the\s+)?([^()\[\]%]{2,80})", re.IGNORECASE)
_OVER = re.compile(
    r"\b(?:over|against|(?:compared|relative) (?:to|with))\s+(?:the\s+)?([^()\[\]%]{2,80})", re.IGNORECASE
)
"""What may have a model behind it, and other words as well: "over all tasks"."""
_PIECE = re.compile(r"[a-z0-9]+")
_NOISE = re.compile(r"[^a-z0-9.]+")


@lru_cache(maxsize=16384)
def quantized(name: str) -> bool:
    """Whether a name is that of a compressed model."""
    return bool(words.QUANTIZED.search(name))


@lru_cache(maxsize=16384)
def whole(name: str) -> bool:
    """Whether a name says that the model is not compressed."""
    return bool(words.WHOLE.search(name)) and not quantized(name)


def reference(heading: str) -> str:
    """The model that a heading says it compares with: "FP8" of "Speedup vs FP8"; empty where it names none."""
    found = _VERSUS.search(heading) or _OVER.search(heading)
    told = found[1].strip() if found else ""
    return told if found and (found.re is _VERSUS or quantized(told)) else ""


def before_reference(heading: str) -> str:
    """What a heading says before the model with which it compares."""
    return _VERSUS.sub(" ", heading)


def referred(heading: str, names: Sequence[str], usual: int | None) -> int | None:
    """The index of the model with which a heading says that it compares; None where there is no such model.

    The usual baseline where the heading names it, or calls it a baseline, or names none.
    """
    told = set(_PIECE.findall(reference(heading).lower()))
    if not told or whole(reference(heading)):
        return usual
    words_of = [set(_PIECE.findall(name.lower())) for name in names]
    if usual is not None and told <= words_of[usual]:
        return usual
    for fits in ([told == one for one in words_of], [told <= one for one in words_of]):
        if sum(fits) == 1:
            return fits.index(True)
    return None


def without_model(heading: str) -> str:
    """What a heading says besides the model: "BF16 TTFT (ms)" is of "ttft ms"."""
    return _NOISE.sub(" ", words.WHOLE.sub(" ", words.QUANTIZED.sub(" ", heading.lower()))).strip()


def bases(names: Sequence[str], blocks: Sequence[Sequence[int]], *, compared: bool) -> tuple[list[int | None], bool]:
    """By model, the index of its baseline; and whether the names say so.

    Args:
        names: What the models are called, in order.
        blocks: Models that belong together by the table's layout, in order; each has its own baseline.
        compared: Whether the table states recoveries or the like, so that there must be a baseline.
    """
    found: list[int | None] = [None] * len(names)
    sure = True
    for block in blocks:
        some, named = _bases([names[at] for at in block], compared=compared)
        sure = sure and named
        for at, base in zip(block, some, strict=True):
            found[at] = None if base is None else block[base]
    return found, sure


def _bases(names: Sequence[str], *, compared: bool) -> tuple[list[int | None], bool]:
    small = [at for at, name in enumerate(names) if quantized(name)]
    called = [at for at in small if _BASELINE.search(names[at])]
    if len(small) == len(names) and len(called) == 1:
        # "Baseline (FP8)": compressed itself, and what the others are compared with.
        small.remove(called[0])
    large = [at for at in range(len(names)) if at not in small]
    told = [at for at in large if whole(names[at])]
    if not small and told and len(told) < len(names):
        # Only some say that they are whole: the others are compared with them.
        small, large = [at for at in range(len(names)) if at not in told], told
    if small and large:
        return [_base_of(at, names, small, large) for at in range(len(names))], True
    if len(names) == 2 or (compared and len(names) > 1):
        return [None, *[0] * (len(names) - 1)], False
    return [None] * len(names), False


def _base_of(at: int, names: Sequence[str], small: Sequence[int], large: Sequence[int]) -> int | None:
    """The baseline of one model: the one of its family, else the last one before it, else the first."""
    if at not in small:
        return None
    if len(large) == 1:
        return large[0]
    family = _family(names[at])
    kin = [base for base in large if _family(names[base]) and _family(names[base]) == family]
    kin = kin or [base for base in large if _family(names[base]) and _family(names[base]) in family]
    if kin:
        return max(kin, key=lambda base: (len(_family(names[base])), base < at, base))
    before = [base for base in large if base < at]
    return before[-1] if before else large[0]


def _family(name: str) -> str:
    """A name without its owner and without what says how it is compressed."""
    own = words.WHOLE.sub(" ", words.QUANTIZED.sub(" ", name.rpartition("/")[2].lower()))
    return _NOISE.sub("", re.sub(r"\(.*?\)|\bdynamic\b|\bint\b|\bfp\b|\bblock\b", " ", own))
