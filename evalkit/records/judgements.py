"""Under which key the store keeps what a checker said of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.identity import digest

if TYPE_CHECKING:
    from evalkit.base.types import Answer, Sample

READS_REASONING: Final = " with reasoning"
"""How the identity of a checker ends that reads what a reasoning parser has cut off, too."""


def judgement_key(checker: str, sample: Sample, answer: Answer) -> str:
    """Key of a judgement: the checker with its problems and limits, the problem, and what it reads of the answer."""
    read = answer.whole if checker.endswith(READS_REASONING) else answer.text
    return digest([checker, sample.references, read])
