"""MMMU-like: one or two pictures inside the question or among the choices, lettered or open."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING

from evalkit.demo.train.draw import COLORS, INK, SHAPES, SIDE, canvas, corners, shape, write
from evalkit.demo.train.scenes import LETTERS, Question, Scene, lettered

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from PIL import Image

    from evalkit.demo.train.scenes import Part
    from evalkit.types import Json

PROMPT = "Say what you see, then end with a line 'Final Answer:' and the letter or the answer."
POLYGONS = {3: "triangle", 4: "square", 5: "pentagon", 6: "hexagon", 8: "octagon"}
STRIPES = ("top", "middle", "bottom")


def scene(rng: random.Random, level: int) -> Scene:
    """One exam sheet of one of six subjects; larger counts with ``level`` 0 to 2."""
    return rng.choice((_dish, _gauge, _polygon, _flag, _two_dishes, _pick_shape))(rng, level)


def parts(row: Mapping[str, Json]) -> tuple[Part, ...]:
    """The user's turn of a row as the published protocol builds it: pictures where their placeholders stand."""
    text = row["question"]
    if row["question_type"] == "multiple-choice":
        text += "".join(f"\n{mark}. {choice}" for mark, choice in zip(LETTERS, ast.literal_eval(row["options"]), strict=False))
    pieces: list[Part] = []
    for piece in re.split(r"(<image \d+>)", text):
        found = re.fullmatch(r"<image (\d+)>", piece)
        if found:
            pieces.append(int(found[1]) - 1)
        elif piece.strip():
            pieces.append(piece)
    if isinstance(pieces[-1], str):
        pieces[-1] += f"\n{PROMPT}"
    else:
        pieces.append(PROMPT)
    return tuple(pieces)


def _ask(content: str, subject: str, question: str, reason: str, choices: list[str] | None, answer: str) -> Question:
    row = {
        "question": question,
        "options": repr(choices or []),
        "answer": answer,
        "question_type": "multiple-choice" if choices else "open",
        "subfield": subject,
    }
    key = f"mmmu|{content}|{question}|{sorted(choices or [])}"
    return Question(key, parts(row), f"{reason}\nFinal Answer: {answer}", row)


def _dots(rng: random.Random, spots: list[int]) -> Image.Image:
    image, pen = canvas(rng)
    pen.ellipse((2, 2, SIDE - 2, SIDE - 2), fill=(250, 250, 225), outline=INK, width=3)
    color = COLORS[rng.choice(("red", "blue", "green", "purple", "black"))]
    for spot in spots:
        x, y = 64 + (spot % 3 - 1) * 29 + rng.uniform(-3, 3), 64 + (spot // 3 - 1) * 29 + rng.uniform(-3, 3)
        pen.ellipse((x - 10, y - 10, x + 10, y + 10), fill=color)
    return image


def _dish(rng: random.Random, level: int) -> Scene:
    spots = sorted(rng.sample(range(9), rng.randint(1, 5 + 2 * level)))
    count = len(spots)
    wording = ("Biology", "How many colonies are in <image 1>?")
    asked = _number(rng, f"dish {spots}", wording, f"I count {count}.", count)
    return Scene((_dots(rng, spots),), (asked,))


def _number(rng: random.Random, content: str, asked: tuple[str, str], reason: str, number: int) -> Question:
    if rng.random() < 0.15:
        return _ask(content, *asked, reason, None, str(number))
    choices, letter = lettered(rng, str(number), [str(other) for other in range(11) if other != number])
    return _ask(content, *asked, reason, choices, letter)


def _gauge(rng: random.Random, level: int) -> Scene:
    del level
    image, pen = canvas(rng)
    number = rng.randint(0, 10)
    middle, reach = (64, 88), 56
    pen.arc((64 - reach, 88 - reach, 64 + reach, 88 + reach), 180, 360, fill=INK, width=3)
    for mark in range(11):
        angle = math.pi * (1 - mark / 10)
        cos, sin = math.cos(angle), -math.sin(angle)
        start = reach - (12 if mark % 5 == 0 else 7)
        pen.line((64 + start * cos, 88 + start * sin, 64 + reach * cos, 88 + reach * sin), fill=INK, width=2)
    angle = math.pi * (1 - number / 10)
    tip = (64 + 50 * math.cos(angle), 88 - 50 * math.sin(angle))
    pen.line((*middle, *tip), fill=COLORS[rng.choice(("red", "blue", "green"))], width=5)
    pen.ellipse((57, 81, 71, 95), fill=INK)
    for where, label in (((10, 104), "0"), ((64, 20), "5"), ((114, 104), "10")):
        write(pen, where, label, 16, anchor="mm")
    asked = _number(rng, f"gauge {number}", ("Physics", "Read the gauge in <image 1>."), f"It reads {number}.", number)
    return Scene((image,), (asked,))


def _polygon(rng: random.Random, level: int) -> Scene:
    del level
    image, pen = canvas(rng)
    sides, name = rng.choice(list(POLYGONS.items()))
    color = rng.choice(list(COLORS))
    pen.polygon(corners((64 + rng.uniform(-6, 6), 64 + rng.uniform(-6, 6)), rng.uniform(40, 56), sides), fill=COLORS[color], outline=INK)
    content = f"polygon {sides} {color}"
    if rng.random() < 0.5:
        return Scene((image,), (_number(rng, content, ("Math", "How many sides has <image 1>?"), f"A {name} has {sides}.", sides),))
    choices, letter = lettered(rng, name, [other for other in POLYGONS.values() if other != name])
    return Scene((image,), (_ask(content, "Math", "Name the figure in <image 1>.", f"It is a {name}.", choices, letter),))


def _flag(rng: random.Random, level: int) -> Scene:
    del level
    image, pen = canvas(rng)
    colors = rng.sample(list(COLORS), 3)
    for place, color in enumerate(colors):
        pen.rectangle((8, 16 + place * 32, SIDE - 8, 48 + place * 32), fill=COLORS[color])
    pen.rectangle((8, 16, SIDE - 8, 112), outline=INK, width=2)
    place = rng.randrange(3)
    choices, letter = lettered(rng, colors[place], [other for other in COLORS if other != colors[place]])
    question = f"Which color is the {STRIPES[place]} stripe of <image 1>?"
    return Scene((image,), (_ask(f"flag {colors}", "Geography", question, f"It is {colors[place]}.", choices, letter),))


def _two_dishes(rng: random.Random, level: int) -> Scene:
    one, two = rng.sample(range(1, 6 + 2 * level), 2)
    spots = [sorted(rng.sample(range(9), count)) for count in (one, two)]
    more = "1" if one > two else "2"
    choices = ["dish 1", "dish 2", "both the same"]
    rng.shuffle(choices)
    letter = LETTERS[choices.index(f"dish {more}")]
    content = f"dishes {spots}"
    asked = _ask(content, "Biology", "Dish 1: <image 1> Dish 2: <image 2> Which has more colonies?", f"Dish 1 has {one}, dish 2 has {two}. It is dish {more}.", choices, letter)
    return Scene(tuple(_dots(rng, some) for some in spots), (asked,))


def _pick_shape(rng: random.Random, level: int) -> Scene:
    del level
    names = rng.sample(SHAPES, 2)
    colors = [rng.choice(list(COLORS)) for _ in names]
    images = []
    for name, color in zip(names, colors, strict=True):
        image, pen = canvas(rng)
        shape(pen, name, (64 + rng.uniform(-12, 12), 64 + rng.uniform(-12, 12)), rng.uniform(32, 48), color)
        images.append(image)
    right = rng.randrange(2)
    reason = f"<1> is a {names[0]}, <2> is a {names[1]}.".replace("<1>", "A").replace("<2>", "B")
    content = f"pick {names} {colors}"
    asked = _ask(content, "Art", f"Which picture shows a {names[right]}?", reason, ["<image 1>", "<image 2>"], LETTERS[right])
    return Scene(tuple(images), (asked,))
