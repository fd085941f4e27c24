"""Ranges of numbers and their arithmetic, in exact fractions: no verdict hangs on the rounding of our own."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers between two ends, both included."""

    low: Fraction
    high: Fraction

    def overlaps(self, other: Range) -> bool:
        """Whether some number is in both."""
        return self.low <= other.high and other.low <= self.high

    def within(self, other: Range) -> Range:
        """What is in both; this range where nothing is."""
        if not self.overlaps(other):
            return self
        return Range(max(self.low, other.low), min(self.high, other.high))

    def over(self, other: Range) -> Range | None:
        """Every quotient of non-negative numbers; None when the divisor may be 0."""
        return None if other.low <= 0 else Range(self.low / other.high, self.high / other.low)

    def minus(self, other: Range) -> Range:
        """Every difference."""
        return Range(self.low - other.high, self.high - other.low)

    def times(self, factor: Fraction | int) -> Range:
        """Every number times a constant."""
        ends = (self.low * factor, self.high * factor)
        return Range(min(ends), max(ends))

    def below(self, whole: int) -> Range:
        """What is missing to a whole: ``whole`` minus every number."""
        return Range(whole - self.high, whole - self.low)


def mean(values: Sequence[Fraction]) -> Fraction:
    """The plain mean of at least one number."""
    return sum(values, Fraction(0)) / len(values)


def mean_range(ranges: Sequence[Range]) -> Range:
    """Every mean of one number from each range."""
    return Range(mean([one.low for one in ranges]), mean([one.high for one in ranges]))
