"""VQAv2-like: coloured shapes on a sheet, short answers, ten people who do not always agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.demo.train.draw import COLORS, SHAPES, SIDE, canvas, shape
from evalkit.demo.train.scenes import Question, Scene

if TYPE_CHECKING:
    import random

PROMPT = "Answer with one word or number."
CORNERS = ("top left", "top right", "bottom left", "bottom right")
NEAR = {
    "red": "maroon",
    "green": "dark green",
    "blue": "navy",
    "yellow": "gold",
    "orange": "amber",
    "purple": "violet",
    "pink": "rose",
    "black": "dark",
    "circle": "ball",
    "square": "box",
    "triangle": "pyramid",
    "star": "badge",
    "cross": "plus",
    "yes": "no",
    "no": "yes",
}


def scene(rng: random.Random, level: int) -> Scene:
    """Two to four shapes, one in each quarter of the sheet (``level`` 0 to 2)."""
    image, pen = canvas(rng)
    cells = sorted(rng.sample(range(4), min(4, 2 + rng.randint(0, level))))
    things = {cell: (rng.choice(SHAPES), rng.choice(list(COLORS))) for cell in cells}
    for cell, (name, color) in things.items():
        center = (SIDE * (0.25 + 0.5 * (cell % 2)) + rng.uniform(-5, 5), SIDE * (0.25 + 0.5 * (cell // 2)) + rng.uniform(-5, 5))
        shape(pen, name, center, rng.uniform(18, 26), color)
    content = repr(sorted(things.items()))
    asked = _questions(rng, things)
    rng.shuffle(asked)
    return Scene((image,), tuple(_question(rng, content, text, answer) for text, answer in asked))


def _questions(rng: random.Random, things: dict[int, tuple[str, str]]) -> list[tuple[str, str]]:
    shapes = [name for name, _ in things.values()]
    colors = [color for _, color in things.values()]
    cell = rng.choice(list(things))
    name, color = things[cell]
    asked = [
        (f"What color is the {CORNERS[cell]} shape?", color),
        (f"What shape is at the {CORNERS[cell]}?", name),
        ("How many shapes are there?", str(len(things))),
    ]
    if shapes.count(name) == 1:
        asked.append((f"What color is the {name}?", color))
    if colors.count(color) == 1:
        asked.append((f"What shape is {color}?", name))
    counted = rng.choice(SHAPES) if rng.random() < 0.3 else rng.choice(shapes)
    asked.append((f"How many {counted}{'es' if counted == 'cross' else 's'} are there?", str(shapes.count(counted))))
    maybe = rng.choice(list(COLORS)) if rng.random() < 0.5 else color
    asked.append((f"Is there a {maybe} {name}?", "yes" if (name, maybe) in things.values() else "no"))
    return asked


def _question(rng: random.Random, content: str, text: str, answer: str) -> Question:
    row = {"question": text, "answers": human_answers(rng, answer), "multiple_choice_answer": answer}
    return Question(f"vqav2|{content}|{text}", (0, f"{text}\n{PROMPT}"), answer, row)


def human_answers(rng: random.Random, answer: str) -> list[dict[str, object]]:
    """Ten answers of which six to ten agree, in the data set's own columns."""
    other = str(int(answer) + rng.choice((-1, 1))) if answer.isdigit() else NEAR[answer]
    words = [other] * rng.randint(0, 4)
    words += [answer] * (10 - len(words))
    rng.shuffle(words)
    sure = ("yes", "yes", "yes", "maybe", "no")
    return [
        {"answer": word, "answer_confidence": rng.choice(sure), "answer_id": place}
        for place, word in enumerate(words, 1)
    ]
