"""How a model's likelihoods were asked for: what is kept of it, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from evalkit.base.printable import agreeing, counted
from evalkit.base.told import AskedWords
from evalkit.harnesses.facts import FROM_STORE, StoredFacts, fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.harnesses.lm_eval.canary import Canary

_BOTH: Final = "both"
_METHOD: Final = {
    "fast": "asked the fast way: one token is generated, and the choices' log-probabilities are read beside it",
    "echo": "asked the exact way: every choice is sent behind its question, and its log-probability read back",
    _BOTH: "asked the fast way in one part of the run and the exact way in another",
}
_SHORT: Final = {"fast": "the fast way", "echo": "the exact way", _BOTH: "partly the fast way"}
_NUMBERS: Final[Mapping[str, str]] = {
    "longest_prompt": "a prompt may have {:,} tokens",
    "asked_exactly": "questions that were answered the exact way in the end: {:,}",
    "unanswered_fast": "fast replies that lacked an answer: {:,}",
    "cut": "prompts that were cut: {:,}",
}
_CANARY: Final = ("questions", "difference", "cached", "noise", "tolerance", "flips", "own_flips")


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodFacts(StoredFacts):
    """How one model was asked."""

    method: str | None = fact()
    """``fast``, ``echo``, or ``both`` where servers of one run were asked in different ways."""
    reason: str | None = fact()
    """Why the fast way is refused."""
    tokenizer: str | None = fact()
    """Where it is from."""
    begins_with_bos: bool | None = fact("begins with BOS")
    beginning: str | None = fact("BOS")
    """How prompts begin, where that is not as the tokenizer begins them."""
    longest_prompt: int | None = fact("longest prompt allowed")
    """In tokens."""
    questions: float | None = fact("canary questions")
    """Asked both ways before the others; the following figures are of these (`Canary`)."""
    difference: float | None = fact("largest difference of a log-probability")
    cached: float | None = fact("largest difference with the prefix cache")
    noise: float | None = fact("largest difference of the exact way from itself")
    tolerance: float | None = fact("accepted difference")
    flips: float | None = fact("answers that differ")
    own_flips: float | None = fact("answers of the exact way that differ from itself")
    unsalted: str | None = fact("the prefix cache could not be left out")
    """Why."""
    asked_exactly: int | None = fact("asked the exact way", counted=True)
    unanswered_fast: int | None = fact("fast replies without an answer", counted=True)
    cut: int | None = fact("truncations", counted=True)
    answers: str | None = fact()
    """`FROM_STORE` where this run asked nothing."""

    def joined(self, earlier: Self) -> Self:
        """These with earlier ones; two methods are both."""
        # Named in full: a dataclass with slots is another class than the one that ``super()`` without words remembers.
        found = StoredFacts.joined(self, earlier)
        return replace(found, method=_BOTH) if earlier.method not in {None, self.method} else found

    def compared(self, canary: Canary) -> LikelihoodFacts:
        """With the figures of a rehearsal."""
        return replace(
            self,
            questions=canary.questions,
            difference=canary.difference,
            cached=canary.cached,
            noise=canary.noise,
            tolerance=canary.tolerance,
            flips=canary.flips,
            own_flips=canary.own_flips,
        )

    def words(self) -> AskedWords:
        """How it reads in a report."""
        ways = {} if self.method is None else {"method": _SHORT.get(self.method, self.method)}
        return AskedWords(tuple(self._sentences()), ways)

    def _sentences(self) -> Iterator[str]:
        silent: list[str] = []
        if self.method in _METHOD:
            silent += ["method", "reason"]
            yield _METHOD[self.method] + (f" (because {self.reason})" if self.reason is not None else "")
        if all(getattr(self, name) is not None for name in _CANARY):
            silent += _CANARY
            yield self._rehearsal()
        for name, sentence in _NUMBERS.items():
            if (value := getattr(self, name)) is not None:
                silent.append(name)
                yield sentence.format(value)
        yield from self.told(*silent)

    def _rehearsal(self) -> str:
        questions, difference, cached, noise, tolerance, flips, own = (getattr(self, name) for name in _CANARY)
        asked = f"{counted(int(questions), 'question')} {agreeing(int(questions), 'was', 'were')}"
        return (
            f"before the exam {asked} asked both ways: a log-probability differs by at most "
            f"{difference:.2g} ({tolerance:.2g} is accepted; the exact way differs from itself by {noise:.2g}), and by "
            f"{cached:.2g} where the prefix cache is read; {flips:,} of the answers "
            f"{agreeing(int(flips), 'differs', 'differ')} ({own:,} of the exact way's own)"
        )


ASKED_BEFORE: Final = LikelihoodFacts(answers=FROM_STORE)
