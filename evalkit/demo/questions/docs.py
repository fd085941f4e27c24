"""DocVQA-like: a small paper with a heading and labelled lines, several questions on one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from evalkit.demo.questions.draw import INK, SIDE, canvas, typeface, write
from evalkit.demo.questions.scenes import Puzzle, Scene

if TYPE_CHECKING:
    import random

PROMPT = "Answer with words from the page."
KINDS = ("Receipt", "Invoice", "Memo", "Ticket", "Letter", "Order")
CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Paris", "Delhi", "Tokyo", "Quito", "Bonn", "Perth", "Milan", "Dakar")
NAMES = ("Anna", "Boris", "Clara", "David", "Emma", "Felix", "Grace", "Hugo", "Irene", "Jonas", "Karl", "Laura")
ITEMS = ("lamp", "chair", "piano", "bread", "shoes", "clock", "tent", "bike", "radio", "spoon", "vase", "mirror")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LABELS = ("City", "Name", "Item", "Date", "Total", "Room", "Code", "Phone", "Firm", "Street")
SYLLABLES = ("ka", "lo", "mi", "ru", "ten", "bar", "vo", "sil", "den", "pa", "gor", "fe", "lin", "mus", "tra", "zo")
SIGNS = "ABCDEFHKLMNPRTUVXY2345679"


WORDS = {"City": CITIES, "Name": NAMES, "Item": ITEMS}


def value(rng: random.Random, label: str) -> str:
    """What may stand after a label: a word of a short list, a number, a code, an invented name."""
    if label in WORDS:
        return rng.choice(WORDS[label])
    if label in {"Firm", "Street"}:
        return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 3))).capitalize()
    return {
        "Date": f"{rng.randint(1, 28)} {rng.choice(MONTHS)}",
        "Total": f"${rng.randint(10, 99)}",
        "Room": str(rng.randint(100, 999)),
        "Code": "".join(rng.choice(SIGNS) for _ in range(4)),
        "Phone": "".join(rng.choice("0123456789") for _ in range(6)),
    }[label]


def scene(rng: random.Random, level: int) -> Scene:
    """A heading and two to six lines; smaller type and fainter ink on the harder papers (``level`` 0 to 3)."""
    image, pen = canvas(rng)
    kind = rng.choice(KINDS)
    labels = rng.sample(LABELS, rng.randint(2, 3 + level))
    fields = {label: value(rng, label) for label in labels}
    step = 100 / max(4, len(labels))
    size = {0: 17, 1: 16, 2: rng.choice((14, 16)), 3: rng.choice((12, 13, 14))}[level]
    write(pen, (SIDE / 2, 12), kind.upper(), 16, anchor="mm")
    pen.line((6, 22, SIDE - 6, 22), fill=INK, width=2)
    left = rng.randint(3, 12 if level > 1 else 6)
    for place, (label, text) in enumerate(fields.items()):
        y = 26 + (place + 0.5) * step + rng.uniform(-2, 2) * (level > 0)
        ink = (rng.randint(60, 140),) * 3 if level == 3 else INK
        pen.text((left, y), f"{label}: {text}", font=typeface(size), fill=ink, anchor="lm")
    if level == 3:
        image = image.rotate(rng.uniform(-3, 3), Image.Resampling.BILINEAR, fillcolor=image.getpixel((1, 1)))
    content = repr((kind, tuple(fields.items())))
    asked = [
        ("What kind of paper is this?", kind),
        *((f"What is the {label.lower()}?", text) for label, text in fields.items()),
    ]
    rng.shuffle(asked)
    return Scene((image,), tuple(_question(content, text, answer) for text, answer in asked))


def _question(content: str, text: str, answer: str) -> Puzzle:
    # The heading is asked for by where it stands, the rest by its label.
    kinds = ["layout" if answer in KINDS else "form"]
    row = {"question": text, "question_types": kinds, "answers": sorted({answer, answer.lstrip("$")})}
    return Puzzle(f"docvqa|{content}|{text}", (0, f"{text}\n{PROMPT}"), answer, row)
