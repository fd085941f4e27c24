"""Printed figures and what they stand for: a decimal is a range of unrounded numbers, and ranges are computed with.

Exact fractions throughout, so that a verdict never hangs on the rounding of our own arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Bounded, so that no text of a card can make the arithmetic slow.
_FIGURE = re.compile(
    r"[~≈]?\s?\$?\s?(?P<sign>[+-]?)(?P<whole>\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.(?P<decimals>\d{1,10}))?"
    r"\s?(?P<unit>%|x|×|s|ms)?(?:\s?(?:±|\+/-)\s?\d{1,6}(?:\.\d{1,6})?\s?%?)?"
    # An interval beside a figure, as our own reports print it.
    r"(?:\s?\[\d{1,6}(?:\.\d{1,6})?,\s?\d{1,6}(?:\.\d{1,6})?\])?[*†‡]{0,3}"
)
_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NO-BREAK SPACE}": " "})


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

    def times(self, factor: Fraction | int) -> Range:
        """Every number times a positive constant."""
        return Range(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure as a card prints it."""

    text: str
    value: Fraction
    decimals: int
    """How many were printed: 48.00 says more than 48."""
    percent: bool = False
    """Whether a percent sign stands beside it."""

    @classmethod
    def parse(cls, text: str) -> Printed:
        """Read one figure: ``48.00``, ``96.29%``, ``2,632``, ``$0.80``, ``1.55x``, ``70.1 ± 0.4``.

        Raises:
            ValueError: It is not one figure.
        """
        found = _FIGURE.fullmatch(text.translate(_MINUS).strip())
        if found is None:
            raise ValueError(f'{text[:40]!r} is not one number such as "48.00" or "96.29%"')
        decimals = found["decimals"] or ""
        value = Fraction(int(found["whole"].replace(",", "") + decimals), 10 ** len(decimals))
        return cls(text.strip(), -value if found["sign"] == "-" else value, len(decimals), found["unit"] == "%")

    @property
    def half_unit(self) -> Fraction:
        """Half a unit of the last printed decimal."""
        return Fraction(1, 2 * 10**self.decimals)

    @property
    def range(self) -> Range:
        """What rounds to the figure, both ends included: which way a card rounds a half is not known."""
        return Range(self.value - self.half_unit, self.value + self.half_unit)


def read(text: str) -> Printed | None:
    """The figure in a cell, or None when the cell does not hold exactly one."""
    try:
        return Printed.parse(text)
    except ValueError:
        return None


def mean(values: Sequence[Fraction]) -> Fraction:
    """The plain mean of at least one number."""
    return sum(values, Fraction(0)) / len(values)


def mean_range(ranges: Sequence[Range]) -> Range:
    """Every mean of one number from each range."""
    return Range(mean([one.low for one in ranges]), mean([one.high for one in ranges]))
