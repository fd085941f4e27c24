"""How an lm-eval task was asked and scored: what is kept of it, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.harnesses.facts import FROM_STORE, StoredFacts, fact

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFacts(StoredFacts):
    """How one model was asked to go on with plain prompts."""

    asked: str | None = fact()
    tokenizer: str | None = fact()
    """Where it is from."""
    beginning: str | None = fact("BOS")
    """How prompts begin."""
    answers: str | None = fact()
    """`FROM_STORE` where this run asked nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringFacts(StoredFacts):
    """How answers were scored."""

    release: str | None = fact("lm-eval")
    answers: int | None = fact(counted=True)
    """Answers scored."""
    raised: int | None = fact(counted=True)
    """Answers at which lm-eval's scoring raised an error."""
    timeouts: int | None = fact()
    """Answers whose scoring ran out of time."""
    limit_s: float | None = fact("seconds allowed")
    judgements: str | None = fact()
    """`FROM_STORE` where this run scored nothing."""

    def words(self) -> Iterator[str]:
        """How it reads in a report."""
        silent = ["release", "answers", "limit_s"]
        if self.release is not None:
            yield f"scored by lm-eval {self.release}'s own code, in a process of its own"
        if not self.raised:
            silent.append("raised")
        if not self.timeouts:
            silent.append("timeouts")
        yield from self.told(*silent)


SCORED_BEFORE: Final = ScoringFacts(judgements=FROM_STORE)
