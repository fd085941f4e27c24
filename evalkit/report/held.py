"""How a task's exam was held and its answers judged, in words: what a harness and a checker remembered of it.

A fact that has no words here is told by its name and its value; none is left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import agreeing, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.report.facts import Row

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "method": {
        "fast": "asked the fast way: one token is generated, and the choices' log-probabilities are read beside it",
        "echo": "asked the exact way: every choice is sent behind its question, and its log-probability read back",
        "both": "asked the fast way in one part of the run and the exact way in another",
    },
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
"""Fact and value to what they mean."""

_CANARY: Final = (
    "canary questions",
    "largest difference of a log-probability",
    "largest difference with the prefix cache",
    "largest difference of the exact way from itself",
    "accepted difference",
    "answers that differ",
    "answers of the exact way that differ from itself",
)
_COUNTED: Final = ("answers", "programs", "retried", "timeouts")
_LIMITS: Final = ("gt_time_factor", "min_time_limit_s", "memory_mib")
_KNOWN: Final = dict.fromkeys(_LIMITS, True)
_NUMBERS: Final[Mapping[str, str]] = {
    "longest prompt allowed": "a prompt may have {:,} tokens",
    "asked the exact way": "questions that were answered the exact way in the end: {:,}",
    "fast replies without an answer": "fast replies that lacked an answer: {:,}",
    "truncations": "prompts that were cut: {:,}",
}
_SHORT: Final[Mapping[str, Mapping[str, str]]] = {
    "method": {"fast": "the fast way", "echo": "the exact way", "both": "partly the fast way"},
    "prompt": {"chat": "as a chat", "base": "as plain text, without a chat template"},
}
"""What has to be equal for all models, in the words of a caution."""


def sentences(row: Row) -> list[str]:
    """What a reader should know of how one task was asked and judged; what holds for all models is told once."""
    told = {label: list(_told(facts)) for label, facts in row.exams.items()}
    shared = [text for text in next(iter(told.values()), []) if all(text in found for found in told.values())]
    found = [f"every model: {text}" if len(told) > 1 else f"{next(iter(told))}: {text}" for text in shared]
    found += [f"{label}: {text}" for label, texts in told.items() for text in texts if text not in shared]
    return [*found, *_told(row.checks)]


def cautions(row: Row) -> Iterator[str]:
    """Ways of asking that differ between the models: the difference may be theirs, not the quantization's."""
    for name, words in _SHORT.items():
        ways = {label: str(facts[name]) for label, facts in row.exams.items() if name in facts}
        if len(set(ways.values())) > 1:
            told = ", ".join(f"{label} {words.get(way, way)}" for label, way in ways.items())
            yield f"{row.part.task.title}: not all models were asked alike: {told}."


def _told(facts: Mapping[str, Json]) -> Iterator[str]:
    left = dict(facts)
    for name, words in _WORDS.items():
        if isinstance(left.get(name), str) and left[name] in words:
            text = words[left.pop(name)]
            yield text + (f" (because {left.pop('reason')})" if name == "method" and "reason" in left else "")
    if all(isinstance(left.get(name), int | float) for name in _CANARY):
        yield _canary(*(left.pop(name) for name in _CANARY))
    limits = left.get("limits")
    if isinstance(limits, dict) and {key: type(value) in {int, float} for key, value in limits.items()} == _KNOWN:
        left.pop("limits")
        factor, least, memory = (limits[name] for name in _LIMITS)
        yield (
            f"a call may take {factor:g} times the CPU time of the problem's own solution, and {least:g} s in any "
            f"case; a program may take {memory:,} MiB"
        )
    if all(isinstance(left.get(name), int) for name in _COUNTED):
        answers, programs, retried, timeouts = (left.pop(name) for name in _COUNTED)
        yield (
            f"{counted(answers, 'different answer')} {agreeing(answers, 'was', 'were')} judged, "
            f"{counted(programs, 'different program')}; {retried:,} of these ran out of time and "
            f"{agreeing(retried, 'was', 'were')} judged once more, and {timeouts:,} of all answers "
            f"{agreeing(timeouts, 'counts as a timeout', 'are counted as timeouts')}"
        )
    differs = left.pop("differs") if isinstance(left.get("differs"), list) else []
    yield from (f"unlike evalplus: {text}" for text in differs)
    for name, sentence in _NUMBERS.items():
        if isinstance(left.get(name), int):
            yield sentence.format(left.pop(name))
    yield from (f"{name}: {_value(value)}" for name, value in left.items())


def _canary(*figures: float) -> str:
    questions, apart, cached, noise, allowed, flips, own = figures
    asked = f"{counted(int(questions), 'question')} {agreeing(int(questions), 'was', 'were')}"
    return (
        f"before the exam {asked} asked both ways: a log-probability differs by at most "
        f"{apart:.2g} ({allowed:.2g} is accepted; the exact way differs from itself by {noise:.2g}), and by "
        f"{cached:.2g} where the prefix cache is read; {flips:,} of the answers "
        f"{agreeing(int(flips), 'differs', 'differ')} ({own:,} of the exact way's own)"
    )


def _value(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
