"""Where a recovery and its interval lie on the axis that all rows of a report share.

Positions are percent of the drawing's width, so the template's SVG needs no size and stays sharp at any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from evalkit.comparison.verdict import Judgement
    from evalkit.report.facts import Report

EVEN: Final = 100.0
"""The recovery of a candidate that scores as its baseline does."""
_REACH = 25.0
"""Percent beyond the outermost recovery that the axis shows; an interval that goes further ends in an arrow."""
_PAD = 0.05
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
_MOST_TICKS = 6
_EDGE = 0.05
"""Share of the axis within which half a label would not fit."""


@dataclass(frozen=True, slots=True)
class AxisTick:
    """A number on the axis."""

    x: str
    text: str
    anchor: str
    """Which part of the text stands at ``x``: near an end of the drawing it must not be cut off."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One candidate's recovery on one row."""

    x: str
    low: str | None
    """None where there is no interval."""
    high: str | None
    low_beyond: bool
    """Whether the interval goes on outside the drawing."""
    high_beyond: bool
    threshold: str | None
    """Where the least recovery lies that the row was asked to show; None when none was set."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The stretch of recoveries that is drawn, in percent."""

    low: float
    high: float

    def at(self, recovery: float) -> str:
        """The place of a recovery; what lies outside is put on the edge."""
        share = (min(max(recovery, self.low), self.high) - self.low) / (self.high - self.low)
        return f"{100 * share:.2f}%"

    @property
    def even(self) -> str:
        """Where 100 % lies."""
        return self.at(EVEN)

    @property
    def ticks(self) -> list[AxisTick]:
        """Round numbers, a handful."""
        step = next((one for one in _STEPS if (self.high - self.low) / one <= _MOST_TICKS), _STEPS[-1])
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [self._tick(at * step) for at in range(first, last + 1)]

    def _tick(self, value: float) -> AxisTick:
        share = (value - self.low) / (self.high - self.low)
        anchor = "start" if share < _EDGE else "end" if share > 1.0 - _EDGE else "middle"
        return AxisTick(self.at(value), f"{value:g}", anchor)

    def mark(self, one: Judgement) -> Mark | None:
        """A judged recovery; None where it is undefined."""
        found, threshold = one.comparison.recovery, one.rule.min_recovery
        if found.percent is None:
            return None
        low, high = found.low, found.high
        return Mark(
            x=self.at(found.percent),
            low=None if low is None else self.at(low),
            high=None if high is None else self.at(high),
            low_beyond=low is not None and low < self.low,
            high_beyond=high is not None and high > self.high,
            threshold=None if threshold is None else self.at(threshold),
        )


def axis(report: Report) -> Axis | None:
    """The axis that holds every recovery, 100 % and every threshold; None when no recovery is defined."""
    judged = list(report.judgements)
    points = [one.comparison.recovery.percent for one in judged if one.comparison.recovery.percent is not None]
    if not points:
        return None
    points += [EVEN, *(one.rule.min_recovery for one in judged if one.rule.min_recovery is not None)]
    least, most = min(points) - _REACH, max(points) + _REACH
    for one in judged:
        ends = (one.comparison.recovery.low, one.comparison.recovery.high)
        points += [min(max(end, least), most) for end in ends if end is not None]
    low, high = min(points), max(points)
    room = _PAD * max(high - low, 1.0)
    return Axis(low - room, high + room)
