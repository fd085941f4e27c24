"""What of a comment fits into the characters that it may have: findings before all else, each of them whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.base.printable import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_CHARACTERS = 65_536
"""Of a comment on GitHub."""
_FOR_THE_REST = 1_536
"""What is kept for the counts before it and the line behind it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together: some that stand whole, and items between them of which the last may be left out."""

    last: bool
    """Whether it comes into the comment only behind all that are not."""
    head: tuple[str, ...]
    items: list[str] = field(default_factory=list)
    tail: tuple[str, ...] = ()


def fitted(blocks: Sequence[Block]) -> Iterator[str]:
    """The lines of the blocks in order, as many items as there is room for, and how many are left out.

    A block with a head and a tail but no items is empty and left out; so is what has no item that fits.
    """
    filled = [block for block in blocks if block.items or not block.tail]
    room, kept = MOST_CHARACTERS - _FOR_THE_REST, [-1] * len(filled)
    for at in sorted(range(len(filled)), key=lambda at: filled[at].last):
        block = filled[at]
        frame = sum(len(line) + 1 for line in (*block.head, *block.tail))
        used, count = frame, 0
        for item in block.items:
            if used + len(item) + 1 > room:
                break
            used, count = used + len(item) + 1, count + 1
        if used > room or (block.items and not count):
            break  # what stands behind it is left out as well, so that nothing loses its title
        room, kept[at] = room - used, count
        if count < len(block.items):
            break
    for block, count in zip(filled, kept, strict=True):
        if count >= 0:
            yield from (*block.head, *block.items[:count], *block.tail)
    gone = [(block, len(block.items) - max(count, 0)) for block, count in zip(filled, kept, strict=True)]
    findings, others = (sum(count for block, count in gone if block.last is last) for last in (False, True))
    if findings or others or -1 in kept:
        what = f"{counted(findings, 'line')} of findings and {counted(others, 'other line')}"
        yield from (
            "",
            f"A comment holds {MOST_CHARACTERS:,} characters: {what} are left out. `evalkit audit` prints all.",
        )
