"""By which formula the figures of one column are computed, as the figures themselves tell.

Most recoveries are candidate over baseline. Where lower is better, baseline over candidate and
(100 - candidate) / (100 - baseline) are in use as well. Differences come in points or in percent of the baseline,
with either sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from evalkit.cards.figures import Printed, Range, quotient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.checks.figure import Expected

Number: TypeAlias = tuple[Fraction, Range]
Formula: TypeAlias = Callable[[Number, Number, int], "Number | None"]
"""Of baseline, candidate and whole (100, or 1 for shares): what should be printed, in percent or points."""


@dataclass(frozen=True, slots=True)
class Convention:
    """One formula with its name."""

    name: str
    compute: Formula

    def of(self, base: Number, cand: Number, wholes: Sequence[int], printed: Range | None = None) -> Number | None:
        """What the formula makes of two scores; where two wholes may be meant, by the one that gives what is printed.

        ``printed`` is in percent or points as the result is. Without it, and where neither gives it, by the first.
        """
        found = [number for whole in wholes if (number := self.compute(base, cand, whole)) is not None]
        fits = (number for number in found if printed is not None and number[1].overlaps(printed))
        return next(fits, found[0] if found else None)


def _over(top: Number, bottom: Number) -> Number | None:
    ratio = top[1].over(bottom[1])
    return None if ratio is None else (100 * quotient(top[0], bottom[0]), ratio.times(100))


def _plain(base: Number, cand: Number, _whole: int) -> Number | None:
    return _over(cand, base)


def _inverse(base: Number, cand: Number, _whole: int) -> Number | None:
    return _over(base, cand)


def _left(base: Number, cand: Number, whole: int) -> Number | None:
    return _over((whole - cand[0], cand[1].below(whole)), (whole - base[0], base[1].below(whole)))


def _points(base: Number, cand: Number, whole: int) -> Number:
    factor = 100 // whole
    return factor * (cand[0] - base[0]), cand[1].minus(base[1]).times(factor)


def _own_points(base: Number, cand: Number, _whole: int) -> Number:
    return cand[0] - base[0], cand[1].minus(base[1])


def _change(base: Number, cand: Number, _whole: int) -> Number | None:
    ratio = _over(cand, base)
    return None if ratio is None else (ratio[0] - 100, Range(ratio[1].low - 100, ratio[1].high - 100))


def _turned(formula: Formula) -> Formula:
    def turned(base: Number, cand: Number, whole: int) -> Number | None:
        found = formula(base, cand, whole)
        return None if found is None else (-found[0], found[1].times(-1))

    return turned


def _as_ratio(formula: Formula) -> Formula:
    """The formula as a plain ratio and not in percent."""

    def ratio(base: Number, cand: Number, whole: int) -> Number | None:
        found = formula(base, cand, whole)
        return None if found is None else (found[0] / 100, found[1].times(Fraction(1, 100)))

    return ratio


def _bare(formula: Formula) -> Formula:
    """The formula without its sign."""

    def bare(base: Number, cand: Number, whole: int) -> Number | None:
        found = formula(base, cand, whole)
        if found is None:
            return None
        value, both = found
        low = Fraction(0) if both.low <= 0 <= both.high else min(abs(both.low), abs(both.high))
        return abs(value), Range(low, max(abs(both.low), abs(both.high)))

    return bare


PLAIN = Convention("candidate / baseline", _plain)
INVERSE = Convention("baseline / candidate", _inverse)
LEFT = Convention("(100 - candidate) / (100 - baseline)", _left)
RECOVERIES = (PLAIN, INVERSE, LEFT)
DIFFERENCES = (
    Convention("candidate - baseline", _own_points),
    Convention("candidate - baseline, in points", _points),
    Convention("(candidate - baseline) / baseline", _change),
    Convention("baseline - candidate", _turned(_own_points)),
    Convention("baseline - candidate, in points", _turned(_points)),
    Convention("(baseline - candidate) / baseline", _turned(_change)),
)
BARE_DIFFERENCES = (
    Convention("candidate - baseline, without a sign", _bare(_own_points)),
    Convention("(candidate - baseline) / baseline, without a sign", _bare(_change)),
)
RATIOS = (
    Convention("candidate / baseline, as a ratio", _as_ratio(_plain)),
    Convention("baseline / candidate, as a ratio", _as_ratio(_inverse)),
)
GAINS = (
    PLAIN,
    INVERSE,
    Convention("(candidate - baseline) / baseline", _change),
    Convention("baseline / candidate, less 1", lambda base, cand, whole: _change(cand, base, whole)),
    Convention("(baseline - candidate) / baseline", _turned(_change)),
)
"""What a speedup in percent may be: of rates the first and the third, of times the others."""
ASIDES = (PLAIN, INVERSE, LEFT, *DIFFERENCES, *BARE_DIFFERENCES, *RATIOS)


@dataclass(frozen=True, slots=True)
class Item:
    """One printed figure, with what each convention makes of its inputs, in the order of the conventions."""

    printed: Printed
    formulas: tuple[Convention, ...]
    expected: tuple[Expected | None, ...]

    def by(self, formula: Convention) -> Expected | None:
        """What one formula makes of the inputs; None where it was not tried or an input is missing."""
        return self.expected[self.formulas.index(formula)] if formula in self.formulas else None

    def fits(self, convention: int) -> bool:
        """Whether the figure follows by a convention."""
        one = self.expected[convention]
        return one is not None and one.range.overlaps(self.printed.range)


def tally(items: Sequence[Item], count: int) -> list[int]:
    """How many items each of ``count`` conventions explains."""
    return [sum(item.fits(number) for item in items) for number in range(count)]


def best(items: Sequence[Item], count: int) -> int:
    """The convention that explains the most items; the first of them where several do."""
    explained = tally(items, count)
    return explained.index(max(explained))
