"""Text from outside as a page may show it: nothing hidden, nothing cut silently, and what differs marked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rapidfuzz.distance import LCSseq

from evalkit.base.printable import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN: Final = 20_000
"""Characters of one text that a page shows."""
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, marks of direction, invisible signs and halves of signs. Joiners stay: scripts and emoji need them."""
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text."""

    text: str
    differs: bool


def visible(text: str) -> str:
    """The text with every sign that would act unseen written out, such as ``⟨U+202E⟩``."""
    return _HIDDEN.sub(lambda sign: f"⟨U+{ord(sign[0]):04X}⟩", text)


def cut(text: str, most: int = SHOWN) -> tuple[str, str]:
    """The beginning of a text, and a note of how much is left out; the note is empty when nothing is."""
    if len(text) <= most:
        return text, ""
    return text[:most], f"… {counted(len(text) - most, 'more character')}"


def pieces(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Two texts, word by word, with what is not in their longest common row of words marked on either side."""
    words = [_WORDS.findall(text) for text in (one, other)]
    # One alignment for both sides: two would choose differently among equally long rows.
    steps = LCSseq.opcodes(*words)
    first = [(word, step.tag != "equal") for step in steps for word in words[0][step.src_start : step.src_end]]
    second = [(word, step.tag != "equal") for step in steps for word in words[1][step.dest_start : step.dest_end]]
    return list(_joined(_bridged(first))), list(_joined(_bridged(second)))


def _bridged(marked: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Space alone between two marked words counts as marked: a replaced sentence is one stretch, not a picket fence."""
    found = list(marked)
    for at in range(1, len(found) - 1):
        if found[at][0].isspace() and found[at - 1][1] and found[at + 1][1]:
            found[at] = (found[at][0], True)
    return found


def _joined(marked: Iterable[tuple[str, bool]]) -> Iterator[Piece]:
    words: list[str] = []
    state = False
    for word, differs in marked:
        if differs != state and words:
            yield Piece("".join(words), state)
            words = []
        state = differs
        words.append(word)
    if words:
        yield Piece("".join(words), state)
