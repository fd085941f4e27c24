"""A line of history as the coordinates of a drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.report import point_scores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.records.history import Point, RunLine
    from evalkit.report import PrintedScores

WIDTH: Final = 720
HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 16, 30
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


@dataclass(frozen=True, slots=True)
class Dot:
    """One run in the drawing."""

    point: Point
    x: float
    y: float | None
    """None when the recovery is undefined."""
    low: float | None
    high: float | None
    noise: tuple[float, float] | None
    """Ends of the interval were the same questions asked again, the lower one first; None where noise is not known."""
    mark: int | None
    """Number of the change that lies before this run."""
    scores: PrintedScores
    """Both scores as they are printed."""


@dataclass(frozen=True, slots=True)
class ChartTick:
    """A value on the left, and how high it is."""

    text: str
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything that the drawing needs."""

    line: RunLine
    dots: tuple[Dot, ...]
    ticks: tuple[ChartTick, ...]
    path: str
    """The line through the recoveries, as SVG writes it."""
    full: float | None
    """Where 100 % is, when it is within the drawing."""
    asked: float | None
    """Where the recovery lies that the last run asked for."""
    dates: tuple[tuple[float, str], ...]
    noisy: bool
    """Whether noise is known of any run."""
    width: int = WIDTH
    height: int = HEIGHT


def chart(line: RunLine) -> Chart:
    """The drawing of one line; runs stand at equal distances, in the order of time."""
    low, high, step = _scale(line)

    def y_of(percent: float | None) -> float | None:
        if percent is None:
            return None
        return round(HEIGHT - _BOTTOM - (percent - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM), 1)

    count = len(line.points)
    gap = (WIDTH - _LEFT - _RIGHT) / count
    dots, marks = [], 0
    for at, point in enumerate(line.points):
        marks += bool(point.changed)
        ends = point.interval or (None, None)
        x = round(_LEFT + gap * (at + 0.5), 1)
        mark = marks if point.changed else None
        noise = tuple(y for end in point.repeated or () if math.isfinite(end) and (y := y_of(end)) is not None)
        band = (noise[0], noise[1]) if len(noise) == 2 else None
        dots.append(Dot(point, x, y_of(point.percent), y_of(ends[0]), y_of(ends[1]), band, mark, point_scores(point)))
    ticks = tuple(ChartTick(f"{value:g}", y) for value in _values(low, high, step) if (y := y_of(value)) is not None)
    dates = {0, count // 2, count - 1} if count > 4 else {0, count - 1}
    return Chart(
        line,
        tuple(dots),
        ticks,
        _path(dots),
        y_of(100.0) if low <= 100.0 <= high else None,
        y_of(line.points[-1].min_recovery),
        tuple((dots[at].x, line.points[at].began[:10]) for at in sorted(dates)),
        any(dot.noise for dot in dots),
    )


def _scale(line: RunLine) -> tuple[float, float, float]:
    """Round ends of the axis, and the step between its values."""
    values = [point.percent for point in line.points if point.percent is not None]
    ends = [end for point in line.points for end in (*(point.interval or ()), *(point.repeated or ()))]
    values += filter(math.isfinite, ends)
    values += [line.points[-1].min_recovery] if line.points[-1].min_recovery is not None and values else []
    low, high = min(values, default=99.0), max(values, default=101.0)
    step = next((step for step in _STEPS if (high - low) / step <= 5), (high - low) / 5)
    low, high = math.floor(low / step) * step, math.ceil(high / step) * step
    return (low, high, step) if high > low else (low - step, high + step, step)


def _values(low: float, high: float, step: float) -> Iterator[float]:
    for number in range(round((high - low) / step) + 1):
        yield round(low + number * step, 6)


def _path(dots: list[Dot]) -> str:
    """A stroke from each run to the next; it breaks where a recovery is undefined."""
    words, pen = [], "M"
    for dot in dots:
        if dot.y is None:
            pen = "M"
        else:
            words.append(f"{pen}{dot.x} {dot.y}")
            pen = "L"
    return " ".join(words)
