"""ChartQA-like: bars with a label and a printed value, questions answered in a sentence and a last line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.demo.questions.draw import COLORS, INK, canvas, write
from evalkit.demo.questions.scenes import Puzzle, Scene

if TYPE_CHECKING:
    import random

PROMPT = "Explain briefly, then end with a line 'Final Answer:' and the answer."
LABELS = ("Oak", "Fir", "Elm", "Ash", "Tea", "Rye", "Cod", "Fig", "Bus", "Car", "Van", "Jet")


def scene(rng: random.Random, level: int) -> Scene:
    """Three to six bars (``level`` 0 to 3)."""
    image, pen = canvas(rng)
    count = 3 + rng.randint(0, level)
    values = dict(zip(rng.sample(LABELS, count), rng.sample(range(1, 31), count), strict=True))
    step = 124 / count
    color = COLORS[rng.choice(list(COLORS))]
    pen.line((42, 2, 42, 126), fill=INK, width=2)
    for place, (label, number) in enumerate(values.items()):
        y = 2 + step * (place + 0.5)
        write(pen, (3, y), label, 17)
        end = 43 + number * 1.8
        pen.rectangle((43, y - step * 0.3, end, y + step * 0.3), fill=color)
        write(pen, (end + 4, y), str(number), 17)
    asked = _questions(rng, values)
    rng.shuffle(asked)
    content = repr(tuple(values.items()))
    return Scene((image,), tuple(_question(rng, content, *triple) for triple in asked))


def _questions(rng: random.Random, values: dict[str, int]) -> list[tuple[str, str, str]]:
    one, two = rng.sample(list(values), 2)
    a, b = values[one], values[two]
    every = ", ".join(f"{label} {number}" for label, number in values.items())
    low, high = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    bound = rng.randint(4, 26)
    above = [label for label, number in values.items() if number > bound]
    more = one if a > b else two
    return [
        (f"What is the value of {one}?", f"{one} {a}.", str(a)),
        (f"What is the value of {two}?", f"{two} {b}.", str(b)),
        ("Which bar is the largest?", f"{every}.", high),
        ("Which bar is the smallest?", f"{every}.", low),
        (f"Which is larger, {one} or {two}?", f"{one} {a}, {two} {b}.", more),
        (f"What is the sum of {one} and {two}?", f"{one} {a}, {two} {b}.", str(a + b)),
        (
            f"How many bars are above {bound}?",
            f"{every}. Above {bound}: {', '.join(above) or 'none'}.",
            str(len(above)),
        ),
    ]


def _question(rng: random.Random, content: str, text: str, reason: str, answer: str) -> Puzzle:
    row = {"question": text, "answer": answer, "type": rng.choice(("human_test", "augmented_test"))}
    return Puzzle(f"chartqa|{content}|{text}", (0, f"{text}\n{PROMPT}"), f"{reason}\nFinal Answer: {answer}", row)
