"""Recovery against cost: where each candidate lies on a plane, with intervals both ways and the A/A band.

Positions are percent of the drawing, so the template's SVG needs no size and stays sharp at any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.report.forest import EVEN, Axis
from evalkit.report.words import recovery_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.comparison.verdict import Judgement
    from evalkit.perf.outcome import PerfResult, PerfSaving
    from evalkit.report.facts import Report

_SAME: Final = 1.0
_PAD: Final = 0.08


@dataclass(frozen=True, slots=True)
class PlanePoint:
    """One candidate in one stream."""

    label: str
    stream: str
    x: str
    left: str
    right: str
    y: str
    top: str
    bottom: str
    """``y``, ``top`` and ``bottom`` count from the top of the drawing."""
    words: str
    resolved: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """The drawing of one stream."""

    stream: str
    recovered: str
    """What the recovery is of: an average or a task."""
    points: tuple[PlanePoint, ...]
    even_x: str
    """Where equal cost lies."""
    even_y: str
    """Where a recovery of 100 % lies."""
    band: tuple[str, str] | None
    """Left end and width of the A/A band; None where nothing was started twice."""
    ticks_x: tuple[tuple[str, str], ...]
    ticks_y: tuple[tuple[str, str], ...]


def planes(report: Report) -> list[Plane]:
    """A drawing for each stream in which a candidate has both a recovery and a cost ratio."""
    result = report.performance
    if result is None:
        return []
    name, judged = _recoveries(report)
    labels = _labels(report, result)
    found = []
    for stream in dict.fromkeys(one.stream for one in result.savings):
        both = [
            (judged[labels[one.model]], one)
            for one in result.savings
            if one.stream == stream and judged[labels[one.model]].comparison.recovery.percent is not None
        ]
        if both:
            found.append(_plane(stream, name, both))
    return found


def _recoveries(report: Report) -> tuple[str, Mapping[str, Judgement]]:
    """The first average, or the first task where nothing is averaged."""
    if report.averages:
        return f"{report.averages[0].category} average", report.averages[0].judgements
    return report.rows[0].part.task.title, report.rows[0].judgements


def _labels(report: Report, result: PerfResult) -> dict[str, str]:
    """Label of a model there to its label here: the same checkpoint may have two names."""
    ours = {one.model.digest: one.model.label for one in report.plan.candidates}
    return {one.label: ours[one.digest] for one in result.plan.models if one.digest in ours}


def _plane(stream: str, name: str, both: Sequence[tuple[Judgement, PerfSaving]]) -> Plane:
    spreads = [one.mean.spread for _, one in both if one.mean.spread is not None]
    widest = max(spreads, default=None)
    costs = [_SAME, *(end for _, one in both for end in (one.mean.low, one.mean.high, one.mean.ratio))]
    costs += [] if widest is None else [1 / widest, widest]
    kept = [EVEN, *(end for judgement, _ in both for end in _ends(judgement))]
    across, up = _axis(costs), _axis(kept)
    band = None
    if widest is not None:
        left, right = (float(across.at(end).rstrip("%")) for end in (1 / widest, widest))
        band = (f"{left:.2f}%", f"{right - left:.2f}%")
    return Plane(
        stream=stream,
        recovered=name,
        points=tuple(_point(judgement, one, across, up) for judgement, one in both),
        even_x=across.at(_SAME),
        even_y=_down(up, EVEN),
        band=band,
        ticks_x=tuple((tick.x, f"x {tick.text}") for tick in across.ticks),
        ticks_y=tuple((_down(up, float(tick.text)), f"{tick.text} %") for tick in up.ticks),
    )


def _ends(judgement: Judgement) -> list[float]:
    found = judgement.comparison.recovery
    return [end for end in (found.percent, found.low, found.high) if end is not None]


def _axis(values: Sequence[float]) -> Axis:
    room = _PAD * max(max(values) - min(values), 0.1)
    return Axis(min(values) - room, max(values) + room)


def _down(axis: Axis, value: float) -> str:
    """A height as it counts from the top."""
    return f"{100 - float(axis.at(value).rstrip('%')):.2f}%"


def _point(judgement: Judgement, one: PerfSaving, across: Axis, up: Axis) -> PlanePoint:
    recovery, cost = judgement.comparison.recovery, one.mean
    middle = recovery.percent if recovery.percent is not None else EVEN
    low = middle if recovery.low is None else recovery.low
    high = middle if recovery.high is None else recovery.high
    told = f"x {cost.ratio:.2f} ({cost.low:.2f} to {cost.high:.2f})"
    state = "" if cost.resolved else ", not resolved"
    return PlanePoint(
        label=one.model,
        stream=one.stream,
        x=across.at(cost.ratio),
        left=across.at(cost.low),
        right=across.at(cost.high),
        y=_down(up, middle),
        top=_down(up, high),
        bottom=_down(up, low),
        words=f"{one.model}: recovery {recovery_text(judgement.comparison)}, cost {told}{state}",
        resolved=cost.resolved,
    )
