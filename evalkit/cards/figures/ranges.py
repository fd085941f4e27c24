"""Ranges of numbers and their arithmetic, in exact fractions: no verdict hangs on the rounding of our own."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from operator import mul
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
        return _at_most(self.low, other.high) and _at_most(other.low, self.high)

    def within(self, other: Range) -> Range:
        """What is in both; this range where nothing is."""
        if not self.overlaps(other):
            return self
        return Range(max(self.low, other.low), min(self.high, other.high))

    def over(self, other: Range) -> Range | None:
        """Every quotient of non-negative numbers; None when the divisor may be 0."""
        if other.low.numerator <= 0:
            return None
        return Range(quotient(self.low, other.high), quotient(self.high, other.low))

    def minus(self, other: Range) -> Range:
        """Every difference."""
        return Range(self.low - other.high, self.high - other.low)

    def times(self, factor: Fraction | int) -> Range:
        """Every number times a constant."""
        if factor == 1:
            return self
        low, high = self.low * factor, self.high * factor
        return Range(low, high) if factor > 0 else Range(high, low)

    def below(self, whole: int) -> Range:
        """What is missing to a whole: ``whole`` minus every number."""
        return Range(whole - self.high, whole - self.low)


def _at_most(one: Fraction, other: Fraction) -> bool:
    """``one <= other``, without what the operator of fractions does for numbers of other kinds."""
    return one.numerator * other.denominator <= other.numerator * one.denominator


def quotient(top: Fraction, bottom: Fraction) -> Fraction:
    """``top / bottom``, reduced once."""
    return Fraction(top.numerator * bottom.denominator, top.denominator * bottom.numerator)


def mean(values: Sequence[Fraction], weights: Sequence[int] = ()) -> Fraction:
    """The mean of at least one number, each with its weight where there are any."""
    # Over one denominator, because a sum of fractions is reduced at each step.
    below = lcm(*(one.denominator for one in values))
    whole = [one.numerator * (below // one.denominator) for one in values]
    if weights:
        return Fraction(sum(map(mul, whole, weights)), below * sum(weights))
    return Fraction(sum(whole), below * len(whole))


def mean_range(ranges: Sequence[Range], weights: Sequence[int] = ()) -> Range:
    """Every mean of one number from each range."""
    return Range(mean([one.low for one in ranges], weights), mean([one.high for one in ranges], weights))
