"""Text drills: copying, looking up, adding, and matching a choice with its letter, many times in one row.

A small model learns to choose a letter only after it has learned to look one up; these rows teach that densely.
A drill is a list of pieces with a flag: whether the piece is to be learned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from evalkit.demo.questions.charts import LABELS
from evalkit.demo.questions.docs import CITIES, ITEMS, NAMES
from evalkit.demo.questions.draw import COLORS, SHAPES
from evalkit.demo.questions.mmlu import Quiz, heading, quiz, subjects
from evalkit.demo.questions.scenes import LETTERS, lettered

if TYPE_CHECKING:
    import random

    from evalkit.demo.questions.mmlu import QuizSubject

Drill: TypeAlias = list[tuple[str, bool]]

WORDS = (*LABELS, *CITIES, *NAMES, *ITEMS, *COLORS, *SHAPES)


def drill(rng: random.Random) -> Drill:
    """One row of one of the five drills."""
    return rng.choice((_look_up, _letters, _letters, _adding, _facts, _facts))(rng)


def exam(rng: random.Random, easy: float) -> Drill:
    """A heading and as many answered questions as a row may hold; ``easy`` = share that names its own answer."""
    subject = rng.choice(subjects())
    pieces: Drill = [(heading(subject.name), False)]
    for _ in range(8):
        asked = easy_quiz(rng, subject) if rng.random() < easy else quiz(rng, subject, "train")
        pieces += [(asked.text(answered=False), False), (f" {LETTERS[asked.answer]}", True), ("\n\n", False)]
    return pieces


def easy_quiz(rng: random.Random, subject: QuizSubject) -> Quiz:
    """A question that names its own answer: what a model can learn before it knows any fact."""
    values = [value for _, value in subject.facts]
    choices, _ = lettered(rng, values[0], values[1:])
    place = rng.randrange(4)
    return Quiz(
        rng.choice(("Find {}.", "Which option is {}?")).format(choices[place]), subject.name, tuple(choices), place
    )


def _look_up(rng: random.Random) -> Drill:
    words = rng.sample(WORDS, rng.randint(4, 8))
    table = {word: str(rng.randint(1, 60)) for word in words}
    pieces: Drill = [(", ".join(f"{word} {number}" for word, number in table.items()) + ".", False)]
    for _ in range(12):
        word = rng.choice(words)
        pieces += [(f"\n{word}", False), (f" {table[word]}", True)]
    return pieces


def _letters(rng: random.Random) -> Drill:
    pieces: Drill = []
    for _ in range(5):
        if rng.random() < 0.4:
            choices = [str(number) for number in rng.sample(range(31), 4)]
        elif rng.random() < 0.5:
            choices = rng.sample(WORDS, 4)
        else:
            choices = rng.sample([value for _, value in rng.choice(subjects()).facts], 4)
        form = rng.choice(("{}. {}\n", "({}) {}\n"))
        pieces.append(
            ("".join(form.format(mark, choice) for mark, choice in zip(LETTERS, choices, strict=True)), False)
        )
        for place in rng.sample(range(4), 3):
            pieces += [(f"It is {choices[place]}.\nFinal Answer:", False), (f" {LETTERS[place]}", True), ("\n", False)]
        place = rng.randrange(4)
        pieces += [(f"{LETTERS[place]} is", False), (f" {choices[place]}", True), ("\n\n", False)]
    return pieces


def _adding(rng: random.Random) -> Drill:
    pieces: Drill = []
    for _ in range(10):
        a, b = rng.randint(0, 60), rng.randint(0, 30)
        kind = rng.random()
        if kind < 0.6:
            pieces += [(f"{a} + {b} =", False), (f" {a + b}", True), (".\n", False)]
        elif kind < 0.8:
            pieces += [(f"{max(a, b)} - {min(a, b)} =", False), (f" {abs(a - b)}", True), (".\n", False)]
        else:
            numbers = rng.sample(range(1, 31), 3)
            shown = ", ".join(map(str, numbers))
            pieces += [
                (f"{shown}. Largest", False),
                (f" {max(numbers)}", True),
                (", smallest", False),
                (f" {min(numbers)}", True),
                (".\n", False),
            ]
    return pieces


def _facts(rng: random.Random) -> Drill:
    pieces: Drill = []
    for _ in range(9):
        asked = quiz(rng, rng.choice(subjects()), "train")
        value = asked.choices[asked.answer]
        if rng.random() < 0.5:
            pieces += [(f"{asked.question}\nReply:", False), (f" {value}", True), ("\n\n", False)]
        else:
            text = asked.text(answered=False).removesuffix("Answer:")
            pieces += [
                (f"{text}Reply:", False),
                (f" {value}", True),
                ("\nAnswer:", False),
                (f" {LETTERS[asked.answer]}", True),
                ("\n\n", False),
            ]
    return pieces
