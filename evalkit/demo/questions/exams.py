"""MMMU-like: one or two pictures inside the question or among the choices, lettered or open."""

from __future__ import annotations

import ast
import math
import re
from typing import TYPE_CHECKING

from evalkit.demo.questions.draw import COLORS, INK, SHAPES, SIDE, canvas, corners, shape, turned, write
from evalkit.demo.questions.scenes import LETTERS, Puzzle, Scene, lettered

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from PIL import Image

    from evalkit.base.types import Json
    from evalkit.demo.questions.scenes import Part

PROMPT = "Say what you see, then end with a line 'Final Answer:' and the letter or the answer."
POLYGONS = {
    3: "triangle",
    4: "square",
    5: "pentagon",
    6: "hexagon",
    7: "heptagon",
    8: "octagon",
    9: "nonagon",
    10: "decagon",
}


def scene(rng: random.Random, level: int) -> Scene:
    """One exam sheet of one of six subjects; more and smaller things with ``level`` 0 to 3."""
    return rng.choice((_dish, _gauge, _polygon, _flag, _two_dishes, _pick_shape))(rng, level)


def parts(row: Mapping[str, Json]) -> tuple[Part, ...]:
    """The user's turn of a row as the published protocol builds it: pictures where their placeholders stand."""
    text = row["question"]
    if row["question_type"] == "multiple-choice":
        text += "".join(
            f"\n{mark}. {choice}" for mark, choice in zip(LETTERS, ast.literal_eval(row["options"]), strict=False)
        )
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


def _ask(content: str, subject: str, question: str, reason: str, choices: list[str] | None, answer: str) -> Puzzle:
    row = {
        "question": question,
        "options": repr(choices or []),
        "answer": answer,
        "question_type": "multiple-choice" if choices else "open",
        "subfield": subject,
    }
    key = f"mmmu|{content}|{question}|{sorted(choices or [])}"
    return Puzzle(key, parts(row), f"{reason}\nFinal Answer: {answer}", row)


def _dots(rng: random.Random, spots: list[int]) -> Image.Image:
    image, pen = canvas(rng)
    pen.ellipse((2, 2, SIDE - 2, SIDE - 2), fill=(250, 250, 225), outline=INK, width=3)
    color = COLORS[rng.choice(("red", "blue", "green", "purple", "black"))]
    for spot in spots:
        x, y = 64 + (spot % 4 - 1.5) * 24 + rng.uniform(-3, 3), 64 + (spot // 4 - 1.5) * 24 + rng.uniform(-3, 3)
        size = rng.uniform(5, 9)
        pen.ellipse((x - size, y - size, x + size, y + size), fill=color)
    return image


def _spots(rng: random.Random, count: int) -> list[int]:
    """Places on the dish's grid of four by four, its corners excepted."""
    return sorted(rng.sample([spot for spot in range(16) if spot not in {0, 3, 12, 15}], count))


def _dish(rng: random.Random, level: int) -> Scene:
    spots = _spots(rng, rng.randint(1, 5 + 2 * level))
    count = len(spots)
    wording = ("Biology", "How many colonies are in <image 1>?")
    asked = _number(rng, f"dish {spots}", wording, f"I count {count}.", count)
    return Scene((_dots(rng, spots),), (asked,))


def _number(
    rng: random.Random, content: str, asked: tuple[str, str], reason: str, number: int, step: int = 1
) -> Puzzle:
    if rng.random() < 0.15:
        return _ask(content, *asked, reason, None, str(number))
    near = [str(other) for other in range(max(0, number - 4 * step), number + 5 * step, step) if other != number]
    choices, letter = lettered(rng, str(number), near)
    return _ask(content, *asked, reason, choices, letter)


def _gauge(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    step = (10, 5, 5, 2)[level]
    number = step * rng.randint(0, 100 // step)
    reach = 56
    pen.arc((64 - reach, 88 - reach, 64 + reach, 88 + reach), 180, 360, fill=INK, width=3)
    for mark in range(11):
        cos, sin = math.cos(math.pi * (1 - mark / 10)), -math.sin(math.pi * (1 - mark / 10))
        start = reach - (12 if mark % 5 == 0 else 7)
        pen.line((64 + start * cos, 88 + start * sin, 64 + reach * cos, 88 + reach * sin), fill=INK, width=2)
    angle = math.pi * (1 - number / 100)
    color = COLORS[rng.choice(("red", "blue", "green"))]
    pen.line((64, 88, 64 + 50 * math.cos(angle), 88 - 50 * math.sin(angle)), fill=color, width=4)
    pen.ellipse((58, 82, 70, 94), fill=INK)
    for where, label in (((10, 104), "0"), ((64, 20), "50"), ((112, 104), "100")):
        write(pen, where, label, 15, anchor="mm")
    asked = _number(
        rng, f"gauge {number}", ("Physics", "Read the gauge in <image 1>."), f"It reads {number}.", number, step
    )
    return Scene((image,), (asked,))


def _polygon(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    sides, name = rng.choice(list(POLYGONS.items()))
    color = rng.choice(list(COLORS))
    center = (64 + rng.uniform(-6, 6), 64 + rng.uniform(-6, 6))
    points = corners(center, rng.uniform(40 - 6 * level, 56), sides)
    if level:
        points = turned(points, center, rng.uniform(0, 2 * math.pi))
    pen.polygon(points, fill=COLORS[color], outline=INK)
    content = f"polygon {sides} {color}"
    if rng.random() < 0.5:
        wording = ("Math", "How many sides has <image 1>?")
        return Scene((image,), (_number(rng, content, wording, f"A {name} has {sides}.", sides),))
    choices, letter = lettered(rng, name, [other for other in POLYGONS.values() if other != name])
    return Scene(
        (image,), (_ask(content, "Math", "Name the figure in <image 1>.", f"It is a {name}.", choices, letter),)
    )


def _flag(rng: random.Random, level: int) -> Scene:
    image, pen = canvas(rng)
    count = 3 + rng.randint(0, level)
    colors = rng.sample(list(COLORS), count)
    for place, color in enumerate(colors):
        pen.rectangle((8, 16 + place * 96 / count, SIDE - 8, 16 + (place + 1) * 96 / count), fill=COLORS[color])
    pen.rectangle((8, 16, SIDE - 8, 112), outline=INK, width=2)
    place = rng.randrange(count)
    choices, letter = lettered(rng, colors[place], [other for other in COLORS if other != colors[place]])
    question = f"In <image 1>, which color is stripe {place + 1} from the top?"
    return Scene((image,), (_ask(f"flag {colors}", "Geography", question, f"It is {colors[place]}.", choices, letter),))


def _two_dishes(rng: random.Random, level: int) -> Scene:
    one = rng.randint(1, 6 + level)
    two = one + rng.choice((1, 1, 2, 3))
    if rng.random() < 0.5:
        one, two = two, one
    spots = [_spots(rng, count) for count in (one, two)]
    more = "1" if one > two else "2"
    choices = ["dish 1", "dish 2", "both the same"]
    rng.shuffle(choices)
    letter = LETTERS[choices.index(f"dish {more}")]
    content = f"dishes {spots}"
    asked = _ask(
        content,
        "Biology",
        "Dish 1: <image 1> Dish 2: <image 2> Which has more colonies?",
        f"Dish 1 has {one}, dish 2 has {two}. It is dish {more}.",
        choices,
        letter,
    )
    return Scene(tuple(_dots(rng, some) for some in spots), (asked,))


def _pick_shape(rng: random.Random, level: int) -> Scene:
    names = rng.sample(SHAPES, 2)
    colors = [rng.choice(list(COLORS)) for _ in names]
    images = []
    for name, color in zip(names, colors, strict=True):
        image, pen = canvas(rng)
        drift = 12 + 8 * level
        center = (64 + rng.uniform(-drift, drift), 64 + rng.uniform(-drift, drift))
        shape(pen, name, center, rng.uniform(32 - 8 * level, 48 - 9 * level), color)
        images.append(image)
    right = rng.randrange(2)
    reason = f"A is a {names[0]}, B is a {names[1]}."
    content = f"pick {names} {colors}"
    asked = _ask(
        content, "Art", f"Which picture shows a {names[right]}?", reason, ["<image 1>", "<image 2>"], LETTERS[right]
    )
    return Scene(tuple(images), (asked,))
