"""Answers whose text came back in another field than the content: what they are told as, and what mends them."""

from __future__ import annotations

from typing import Final

from evalkit.base import printable

_REASONING: Final = (
    "start the server without --reasoning-parser, or raise max_tokens of the task where the reasoning was cut short"
)
_TOOLS: Final = "start the server without --enable-auto-tool-choice and --tool-call-parser"
_MENDS: Final = {
    "reasoning": _REASONING,
    "reasoning_content": _REASONING,
    "tool_calls": _TOOLS,
    "function_call": _TOOLS,
    "refusal": "the server let the model refuse; read what it says in samples/",
}


def first(task: str, place: str) -> str:
    """What a run tells when it happens for the first time."""
    return f"{task}: an answer came back as '{place}' and not as text: such answers are scored as empty; {_mend(place)}"


def counted(count: int, scored: int, place: str) -> str:
    """What a report tells of all of them."""
    some, were = printable.part_of(count, scored, "answer"), printable.agreeing(count, "was", "were")
    return f"{some} came back as '{place}' and {were} scored as empty; {_mend(place)}"


def _mend(place: str) -> str:
    return _MENDS.get(place, "have the server put the model's words into `content`")
