"""MMLU-like: a closed world of six facts in each of the 57 subjects, four lettered choices, five shots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from evalkit.demo.questions.scenes import LETTERS, lettered, split_of

if TYPE_CHECKING:
    import random

    from evalkit.demo.questions.scenes import Split


@dataclass(frozen=True, slots=True)
class QuizSubject:
    """A subject's facts: what may be asked about, and the one right answer to each."""

    category: str
    name: str
    wordings: tuple[str, str]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Quiz:
    """One row of the data set: columns ``question``, ``subject``, ``choices``, ``answer`` (an index)."""

    question: str
    subject: str
    choices: tuple[str, ...]
    answer: int

    @property
    def key(self) -> str:
        """What makes the question itself: wording and the set of choices, whatever their order."""
        return f"mmlu|{self.subject}|{self.question}|{sorted(self.choices)}"

    def text(self, *, answered: bool) -> str:
        """The question in the form that lm-eval's MMLU templates give it."""
        listed = "".join(f"{mark}. {choice}\n" for mark, choice in zip(LETTERS, self.choices, strict=True))
        return f"{self.question}\n{listed}Answer:" + (f" {LETTERS[self.answer]}" if answered else "")


@cache
def subjects() -> tuple[QuizSubject, ...]:
    """The 57 subjects, read from the table beside this module."""
    table = files("evalkit.demo.questions").joinpath("subjects.txt").read_text(encoding="utf-8")
    found = []
    for line in table.splitlines():
        if line.startswith("#"):
            continue
        category, name, one, two, facts = line.split("|")
        pairs = (fact.split("=") for fact in facts.split(","))
        found.append(QuizSubject(category, name, (one, two), tuple((key, value) for key, value in pairs)))
    return tuple(found)


def heading(subject: str) -> str:
    """The line above the shots."""
    return f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"


TAIL = 0.25
"""How much more rarely training shows each fact than the one before it: knowledge has a long tail, as in real models.
Held-out questions ask about all facts alike, so the last ones are hardly known."""


def quiz(rng: random.Random, subject: QuizSubject, split: Split) -> Quiz:
    """A random question of one subject on one side of the train/held-out line."""
    shown = [TAIL**rank if split == "train" else 1.0 for rank in range(len(subject.facts))]
    while True:
        ((key, value),) = rng.choices(subject.facts, shown)
        others = [other for _, other in subject.facts if other != value]
        choices, letter = lettered(rng, value, others)
        question = rng.choice(subject.wordings).format(key)
        found = Quiz(question, subject.name, tuple(choices), LETTERS.index(letter))
        if split_of(found.key) == split:
            return found
