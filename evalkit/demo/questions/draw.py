"""Pictures of 128 x 128 pixels: large type, strong contrast, nothing that a small model could not see."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import random

SIDE = 128
"""Width and height of every picture, in pixels."""

COLORS: dict[str, tuple[int, int, int]] = {
    "red": (225, 25, 30),
    "green": (20, 150, 50),
    "blue": (30, 70, 230),
    "yellow": (250, 215, 0),
    "orange": (250, 130, 10),
    "purple": (140, 40, 170),
    "pink": (250, 130, 190),
    "black": (15, 15, 15),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
PAPERS = ((255, 255, 255), (250, 246, 235), (238, 243, 250), (244, 244, 240))
INK = (20, 20, 25)


def canvas(rng: random.Random) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty sheet in one of the pale paper colours, and a pen for it."""
    image = Image.new("RGB", (SIDE, SIDE), rng.choice(PAPERS))
    return image, ImageDraw.Draw(image)


@lru_cache(maxsize=32)
def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own typeface, so that every machine draws the same letters."""
    return ImageFont.load_default(size=size)


def write(pen: ImageDraw.ImageDraw, where: tuple[float, float], text: str, size: int, *, anchor: str = "lm") -> None:
    """Write one line in dark ink; ``anchor`` as Pillow has it (``lm`` = left end, middle height)."""
    pen.text(where, text, font=typeface(size), fill=INK, anchor=anchor)


def shape(pen: ImageDraw.ImageDraw, name: str, center: tuple[float, float], radius: float, color: str) -> None:
    """Fill one shape of ``SHAPES``."""
    x, y = center
    fill = COLORS[color]
    if name == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    elif name == "square":
        pen.rectangle((x - radius * 0.85, y - radius * 0.85, x + radius * 0.85, y + radius * 0.85), fill=fill)
    elif name == "cross":
        arm = radius * 0.32
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=fill)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=fill)
    elif name == "star":
        pen.polygon(corners(center, radius, 5, inner=0.42), fill=fill)
    else:
        pen.polygon(corners(center, radius, 3), fill=fill)


def corners(
    center: tuple[float, float], radius: float, count: int, *, inner: float | None = None
) -> list[tuple[float, float]]:
    """Corners of a regular polygon, or of a star when ``inner`` gives the share of its inner radius."""
    steps = count if inner is None else 2 * count
    points = []
    for step in range(steps):
        reach = radius * (inner if inner is not None and step % 2 else 1.0)
        angle = 2 * math.pi * step / steps - math.pi / 2
        points.append((center[0] + reach * math.cos(angle), center[1] + reach * math.sin(angle)))
    return points


def turned(points: list[tuple[float, float]], center: tuple[float, float], angle: float) -> list[tuple[float, float]]:
    """The same points turned round a center, ``angle`` in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    moved = ((x - center[0], y - center[1]) for x, y in points)
    return [(center[0] + x * cos - y * sin, center[1] + x * sin + y * cos) for x, y in moved]


PIPS = {
    1: ((0, 0),),
    2: ((-1, -1), (1, 1)),
    3: ((-1, -1), (0, 0), (1, 1)),
    4: ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    5: ((-1, -1), (1, -1), (0, 0), (-1, 1), (1, 1)),
    6: ((-1, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (1, 1)),
}


def die(pen: ImageDraw.ImageDraw, center: tuple[float, float], half: float, face: int) -> None:
    """One die seen from above."""
    x, y = center
    pen.rounded_rectangle(
        (x - half, y - half, x + half, y + half), radius=half * 0.3, fill="white", outline=INK, width=2
    )
    dot = half * 0.2
    for column, line in PIPS[face]:
        cx, cy = x + column * half * 0.55, y + line * half * 0.55
        pen.ellipse((cx - dot, cy - dot, cx + dot, cy + dot), fill=INK)
