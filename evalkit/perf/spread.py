"""How far starts of one server differ, and which differences between two models are larger than that.

Drift between two starts of the same server can be larger than anything within one. So every figure comes from several
starts, the baseline's starts held against each other give the A/A spread, and a ratio inside it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

from evalkit.stats import cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.perf.cells import MeasuredCell
    from evalkit.stats.cost import Stream

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Located:
    """A figure with its interval."""

    value: float
    """Of all starts together."""
    low: float
    """The lowest end of the starts'."""
    high: float
    """The highest end of the starts'."""


def median_interval(values: Sequence[float], confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """An interval for the median of what the values were drawn from, of any distribution.

    The order statistics (l, n + 1 - l) with the largest l for which P(l <= B <= n - l) >= ``confidence``, B binomial
    with n and 1/2 (David and Nagaraja, Order Statistics, 7.1). With fewer than six values even the whole range is
    covered by less; it is given then.
    """
    ordered, count = sorted(values), len(values)
    rank, beyond = 1, 2.0 ** (1 - count)
    while rank < (count + 1) // 2:
        further = beyond + comb(count, rank) * 2.0 ** (1 - count)
        if 1.0 - further < confidence:
            break
        rank, beyond = rank + 1, further
    return ordered[rank - 1], ordered[count - rank]


def combined(cells: Sequence[MeasuredCell]) -> Located | None:
    """The figure of a model's starts in one use and stream, and where it lies; None without a cell that counts.

    Single-stream: the median over all queries of all starts; from the lowest to the highest end of the starts'
    intervals. Multi-stream: the mean of the starts; from the lowest to the highest.
    """
    if not cells:
        return None
    if cells[0].stream == "single-stream":
        ends = [median_interval(cell.latencies_s) for cell in cells]
        every = [latency for cell in cells for latency in cell.latencies_s]
        return Located(median(every), min(low for low, _ in ends), max(high for _, high in ends))
    rates = [cell.rate for cell in cells if cell.rate is not None]
    return Located(fmean(rates), min(rates), max(rates))


def apart(values: Sequence[float]) -> float:
    """The largest ratio between two starts of one server; 1 for a single start."""
    return max(values) / min(values)


@dataclass(frozen=True, slots=True)
class CostBeside:
    """What a candidate's queries cost beside the baseline's."""

    ratio: float
    """How many times less: above 1 the candidate is faster and cheaper."""
    low: float
    """The least that some pair of starts gives, each at the far end of its interval."""
    high: float
    """The most."""
    spread: float | None
    """The A/A spread: the largest ratio of two starts of the same model. None where no model was started twice."""

    @property
    def resolved(self) -> bool:
        """Whether the ratio lies outside of what a model shows against itself."""
        return self.spread is not None and max(self.ratio, 1 / self.ratio) > self.spread


def beside(stream: Stream, baseline: Located, candidate: Located, spread: float | None) -> CostBeside:
    """A candidate's figure held against the baseline's in one use."""
    ends = [
        cost.ratio(stream, base, own)
        for base in (baseline.low, baseline.high)
        for own in (candidate.low, candidate.high)
    ]
    return CostBeside(cost.ratio(stream, baseline.value, candidate.value), min(ends), max(ends), spread)
