"""How answers came out, apart from what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.base.types import Answer


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one answer came out, but for how long it took: that alone is another number for every answer."""

    truncated: bool
    empty: bool
    unparsed: bool
    elsewhere: bool
    """Whether its text stood in another field than the content."""
    tokens: int | None
    """Length of the answer; None when the server did not say."""


shared = lru_cache(maxsize=32_768)(Behaviour)
"""One by its fields. Hundreds of thousands of answers share few of them, and objects of their own would be the largest
part of what a report has in memory."""


def of(answer: Answer, *, unparsed: bool) -> Behaviour:
    """That of an answer; ``unparsed`` is whether the headline metric found nothing to read."""
    return shared(
        answer.finish_reason == "length",
        not (answer.text or "").strip(),
        unparsed,
        answer.astray is not None,
        answer.completion_tokens,
    )
