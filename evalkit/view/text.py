"""Text from outside as a page may show it: nothing hidden, nothing that turns its surroundings around."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

SHOWN: Final = 20_000
"""Characters of one text that a page shows; the whole of it has an address of its own."""
_COMPARED = 600
"""Words, after equal beginnings and ends, that are compared one by one: the time grows with their square."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, marks of direction, invisible signs and halves of signs; joiners stay, scripts need them."""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text."""

    text: str
    differs: bool


def visible(text: str) -> str:
    """The text with every sign that would act unseen written out, such as ``⟨U+202E⟩``."""
    return _HIDDEN.sub(lambda sign: f"⟨U+{ord(sign[0]):04X}⟩", text)


def pieces(own: str, other: str | None) -> list[Piece]:
    """``own``, word by word, with what ``other`` does not have marked; nothing is marked where there is no other."""
    own, whole = own[:SHOWN], own
    if other is None or whole == other:
        return [Piece(own, differs=False)] if own else []
    ours, theirs = _WORDS.findall(own), _WORDS.findall(other[:SHOWN])
    head = _common(ours, theirs)
    tail = _common(ours[head:][::-1], theirs[head:][::-1])
    middle, against = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    marked = [(word, False) for word in ours[:head]]
    if max(len(middle), len(against)) <= _COMPARED:
        for what, start, end, _, _ in SequenceMatcher(None, middle, against, autojunk=False).get_opcodes():
            marked += [(word, what != "equal") for word in middle[start:end]]
    else:
        marked += [(word, True) for word in middle]
    marked += [(word, False) for word in ours[len(ours) - tail :]]
    return _joined(marked)


def _common(one: list[str], other: list[str]) -> int:
    """How many words two lists begin with alike."""
    for count, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return count
    return min(len(one), len(other))


def _joined(marked: list[tuple[str, bool]]) -> list[Piece]:
    found: list[Piece] = []
    words: list[str] = []
    for at, (word, differs) in enumerate(marked):
        words.append(word)
        if at + 1 == len(marked) or marked[at + 1][1] != differs:
            found.append(Piece("".join(words), differs))
            words = []
    return found
