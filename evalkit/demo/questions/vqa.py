"""VQAv2-like: coloured shapes on a sheet, short answers, ten people who do not always agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.demo.questions.draw import COLORS, SHAPES, SIDE, canvas, shape
from evalkit.demo.questions.scenes import Puzzle, Scene

if TYPE_CHECKING:
    import random

PROMPT = "Answer with one word or number."
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


PLACES = ("top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right")


def scene(rng: random.Random, level: int) -> Scene:
    """Two to four large shapes in the corners, or three to eight small ones on a grid (``level`` 0 to 3)."""
    image, pen = canvas(rng)
    if level < 2:
        cells, count, reach = (0, 2, 6, 8), 2 + rng.randint(0, 1 + level), (18, 25)
    else:
        cells, count, reach = tuple(range(9)), rng.randint(3, 2 + 2 * level), (11, 17)
    things = {cell: (rng.choice(SHAPES), rng.choice(list(COLORS))) for cell in sorted(rng.sample(cells, count))}
    width = SIDE / 4 if level < 2 else SIDE / 3
    for cell, (name, color) in things.items():
        x, y = (SIDE / 2 + (at - 1) * width + rng.uniform(-4, 4) for at in (cell % 3, cell // 3))
        shape(pen, name, (x, y), rng.uniform(*reach), color)
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
        (f"What color is the {PLACES[cell]} shape?", color),
        (f"What shape is at the {PLACES[cell]}?", name),
        ("How many shapes are there?", str(len(things))),
        (f"How many things are {color}?", str(colors.count(color))),
    ]
    if shapes.count(name) == 1:
        asked.append((f"What color is the {name}?", color))
    if colors.count(color) == 1:
        asked.append((f"What shape is {color}?", name))
    counted = rng.choice(SHAPES) if rng.random() < 0.3 else rng.choice(shapes)
    asked.append((f"How many {counted}{'es' if counted == 'cross' else 's'} are there?", str(shapes.count(counted))))
    maybe = rng.choice(list(COLORS)) if rng.random() < 0.5 else color
    asked.append((f"Is there a {maybe} {name}?", "yes" if (name, maybe) in things.values() else "no"))
    return asked + _beside(rng, things)


def _beside(rng: random.Random, things: dict[int, tuple[str, str]]) -> list[tuple[str, str]]:
    """One question about the neighbour on the right of a shape that occurs once."""
    pairs = [(one, two) for one in things for two in things if two == one + 1 and two % 3]
    pairs = [pair for pair in pairs if list(things.values()).count(things[pair[0]]) == 1]
    if not pairs:
        return []
    one, two = rng.choice(pairs)
    return [(f"What is right of the {things[one][1]} {things[one][0]}?", things[two][0])]


def _question(rng: random.Random, content: str, text: str, answer: str) -> Puzzle:
    row = {"question": text, "answers": human_answers(rng, answer), "multiple_choice_answer": answer}
    return Puzzle(f"vqav2|{content}|{text}", (0, f"{text}\n{PROMPT}"), answer, row)


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
