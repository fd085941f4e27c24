"""How problems were asked and programs judged: what is kept of it, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from evalkit.base.printable import agreeing, counted
from evalkit.base.told import AskedWords
from evalkit.harnesses.facts import FROM_STORE, StoredFacts, fact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ASKED: Final[Mapping[str, Mapping[str, str]]] = {
    "prompt": {
        "chat": "asked as a chat, through the model's own chat template",
        "base": "asked as plain text: the model has no chat template",
    },
    "rendering": {
        "continued": "the chat template wrote the prompt together with the beginning of the answer",
        "split": "the chat template trims what it continues, so the beginning of the answer was put behind its prompt",
        "text": "the prompt is the problem's text alone",
    },
    "bos": {
        "one": "prompts begin with one BOS token",
        "published": "prompts begin as in the published commands, which usually means with two BOS tokens",
    },
}
_JUDGED: Final[Mapping[str, Mapping[str, str]]] = {
    "sandbox": {
        "namespaces": "programs ran walled off by the kernel's namespaces: no network, no files but their own",
        "bubblewrap": "programs ran walled off by bubblewrap: no network, no files but their own",
        "none": "programs ran without walls (--unsafe-exec)",
    },
    "find_zero": {
        "published": "HumanEval/32 (find_zero) counts as published: evalplus 0.3.1 lets every program fail it",
        "mended": "HumanEval/32 (find_zero) is judged by evalplus's check with its flaw mended: no published score is",
    },
}
"""Field and value to what they mean."""
_SHORT: Final = {"chat": "as a chat", "base": "as plain text, without a chat template"}
_COUNTS: Final = ("answers", "programs", "retried", "timeouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingFacts(StoredFacts):
    """How one model was asked."""

    prompt: str | None = fact()
    """``chat`` or ``base``."""
    rendering: str | None = fact()
    """``continued``, ``split`` or ``text``."""
    bos: str | None = fact()
    """``one`` or ``published``."""
    texts: str | None = fact()
    """Digest of the prompts' own words."""
    stops: str | None = fact()
    """Digest of all strings that end an answer."""
    answers: str | None = fact()
    """`FROM_STORE` where this run asked nothing."""

    def words(self) -> AskedWords:
        """How it reads in a report."""
        ways = {} if self.prompt is None else {"prompt": _SHORT.get(self.prompt, self.prompt)}
        known = dict(_known(self, _ASKED))
        return AskedWords((*known.values(), *self.told(*known)), ways)


@dataclass(frozen=True, slots=True)
class JudgingLimits:
    """What a program may take."""

    min_time_limit_s: float
    gt_time_factor: float
    memory_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingFacts(StoredFacts):
    """How programs were judged."""

    sandbox: str | None = fact()
    """Its name."""
    find_zero: str | None = fact()
    """``published`` or ``mended``: how HumanEval/32 is judged."""
    limits: JudgingLimits | None = fact()  # noqa: RUF009 - it makes a field
    answers: int | None = fact(counted=True)
    """Different ones that were judged."""
    programs: int | None = fact(counted=True)
    """Different ones among these."""
    retried: int | None = fact(counted=True)
    """Programs that ran out of time and were judged once more."""
    timeouts: int | None = fact()
    """Of all answers, those included that were judged by an earlier run."""
    differs: tuple[str, ...] | None = fact()
    """Where a judgement is reached otherwise than in evalplus."""
    judgements: str | None = fact("verdicts")
    """`FROM_STORE` where this run judged nothing."""

    def joined(self, earlier: Self) -> Self:
        """These with earlier ones; what was said of judging is not taken back by a look at the stored judgements."""
        # Named in full: a dataclass with slots is another class than the one that ``super()`` without words remembers.
        found = StoredFacts.joined(self, earlier)
        return replace(found, judgements=earlier.judgements) if earlier.stored() else found

    def words(self) -> tuple[str, ...]:
        """How it reads in a report."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        known = dict(_known(self, _JUDGED))
        silent = list(known)
        yield from known.values()
        if self.limits is not None:
            silent.append("limits")
            yield (
                f"a call may take {self.limits.gt_time_factor:g} times the CPU time of the problem's own solution, and "
                f"{self.limits.min_time_limit_s:g} s in any case; a program may take {self.limits.memory_mib:,} MiB"
            )
        if all(getattr(self, name) is not None for name in _COUNTS):
            silent += _COUNTS
            yield self._counted()
        yield from (f"unlike evalplus: {text}" for text in self.differs or ())
        yield from self.told(*silent, "differs")

    def _counted(self) -> str:
        answers, programs, retried, timeouts = (getattr(self, name) for name in _COUNTS)
        return (
            f"{counted(answers, 'different answer')} {agreeing(answers, 'was', 'were')} judged, "
            f"{counted(programs, 'different program')}; {retried:,} of these ran out of time and "
            f"{agreeing(retried, 'was', 'were')} judged once more, and {timeouts:,} of all answers "
            f"{agreeing(timeouts, 'counts as a timeout', 'are counted as timeouts')}"
        )


def _known(facts: StoredFacts, words: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """The fields whose values mean something that is written down, with what they mean."""
    for name, meanings in words.items():
        if (value := getattr(facts, name)) in meanings:
            yield name, meanings[value]


ASKED_BEFORE: Final = AskingFacts(answers=FROM_STORE)
