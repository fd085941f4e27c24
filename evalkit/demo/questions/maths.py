"""MathVista-like: number cards, dice and coins; lettered choices or a free answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.demo.questions.draw import COLORS, INK, SIDE, canvas, die, write
from evalkit.demo.questions.scenes import Puzzle, Scene, lettered

if TYPE_CHECKING:
    import random

PROMPT = "Reason first, then end with a line 'Final Answer:' and the answer."
PLACES = {
    1: ((64, 64),),
    2: ((34, 64), (94, 64)),
    3: ((34, 34), (94, 34), (64, 94)),
    4: ((34, 34), (94, 34), (34, 94), (94, 94)),
}


def scene(rng: random.Random, level: int) -> Scene:
    """Cards, dice or coins; more of them, and larger numbers, with ``level`` 0 to 3."""
    return rng.choice((_cards, _dice, _coins))(rng, level)


def _cards(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    numbers = rng.sample(range(1, 20 + 25 * level), rng.randint(2, min(4, 2 + level)))
    for (x, y), number in zip(PLACES[len(numbers)], numbers, strict=True):
        pen.rounded_rectangle((x - 24, y - 27, x + 24, y + 27), radius=6, fill="white", outline=INK, width=2)
        write(pen, (x, y), str(number), 28, anchor="mm")
    seen = ", ".join(map(str, numbers))
    total = sum(numbers)
    asked = [
        ("What is the sum of the numbers?", _adding(numbers), total),
        ("What is the largest number?", f"{seen}.", max(numbers)),
        ("What is the smallest number?", f"{seen}.", min(numbers)),
    ]
    if len(numbers) == 2:
        asked.append(
            (
                "What is the difference of the numbers?",
                f"{max(numbers)} - {min(numbers)} = {abs(numbers[0] - numbers[1])}.",
                abs(numbers[0] - numbers[1]),
            )
        )
    return _scene(rng, image, f"cards {numbers}", asked)


def _adding(numbers: list[int]) -> str:
    """Every partial sum: a step at a time is what a small model can follow."""
    total, said = numbers[0], []
    for number in numbers[1:]:
        said.append(f"{total} + {number} = {total + number}.")
        total += number
    return " ".join(said)


def _dice(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    faces = [rng.randint(1, 6) for _ in range(rng.randint(2, min(4, 2 + level)))]
    for (x, y), face in zip(PLACES[len(faces)], faces, strict=True):
        die(pen, (x + rng.uniform(-3, 3), y + rng.uniform(-3, 3)), 25, face)
    seen = ", ".join(map(str, faces))
    asked = [
        ("What do the dice show in all?", _adding(faces), sum(faces)),
        ("What is the highest die?", f"{seen}.", max(faces)),
        ("What is the lowest die?", f"{seen}.", min(faces)),
    ]
    return _scene(rng, image, f"dice {faces}", asked)


def _coins(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    one, two = rng.sample(list(COLORS), 2)
    spots = rng.sample(range(9), rng.randint(2, min(9, 5 + 2 * level)))
    first = rng.randint(1, len(spots) - 1)
    for place, spot in enumerate(spots):
        x = SIDE * (spot % 3 * 2 + 1) / 6 + rng.uniform(-3, 3)
        y = SIDE * (spot // 3 * 2 + 1) / 6 + rng.uniform(-3, 3)
        pen.ellipse((x - 15, y - 15, x + 15, y + 15), fill=COLORS[one if place < first else two], outline=INK, width=2)
    others = len(spots) - first
    asked = [
        (f"How many {one} coins are there?", f"I count {first}.", first),
        (f"How many {two} coins are there?", f"I count {others}.", others),
        ("How many coins are there in all?", f"{first} + {others} = {len(spots)}.", len(spots)),
    ]
    return _scene(rng, image, f"coins {one} {two} {sorted(spots[:first])} {sorted(spots[first:])}", asked)


def _scene(rng: random.Random, image: object, content: str, asked: list[tuple[str, str, int]]) -> Scene:
    rng.shuffle(asked)
    return Scene((image,), tuple(_question(rng, content, *triple) for triple in asked))  # type: ignore[arg-type]


def _question(rng: random.Random, content: str, text: str, reason: str, number: int) -> Puzzle:
    if rng.random() < 0.5:
        query = f"Hint: Give the number.\nQuestion: {text}"
        row = {"query": query, "choices": None, "answer": str(number), "question_type": "free_form"}
        return Puzzle(
            f"mathvista|{content}|{text}", (0, f"{query}\n{PROMPT}"), f"{reason}\nFinal Answer: {number}", row
        )
    near = [str(other) for other in range(max(0, number - 4), number + 5) if other != number]
    choices, letter = lettered(rng, str(number), near)
    listed = "\n".join(f"({mark}) {choice}" for mark, choice in zip("ABCD", choices, strict=True))
    query = f"Hint: Give the letter.\nQuestion: {text}\nChoices:\n{listed}"
    row = {"query": query, "choices": choices, "answer": str(number), "question_type": "multi_choice"}
    key = f"mathvista|{content}|{text}|{sorted(choices)}"
    return Puzzle(key, (0, f"{query}\n{PROMPT}"), f"{reason}\nFinal Answer: {letter}", row)
