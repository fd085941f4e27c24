"""The mistakes that have a name: each is tried on a figure that does not follow, and must give it exactly."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from evalkit.cards.figures import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.checks.figure import Figure


INVERSE = "it is the inverse ratio"


def mistake(figure: Figure) -> str:
    """What most likely happened to a figure that does not follow; empty where nothing fits."""
    tried = (_truncated, _another_formula, _copied, _stale, _digits_swapped, _point_moved, _drop)
    return next((said for one in tried if (said := one(figure))), "")


def _truncated(figure: Figure) -> str:
    """Whether cutting off the further digits gives the figure, where rounding does not."""
    printed = figure.printed
    cut = Range(printed.value, printed.value + 2 * printed.half_unit)
    found = any(one.range.low < cut.high and one.range.overlaps(cut) for one in figure.expected)
    return "truncated instead of rounded" if found else ""


def _another_formula(figure: Figure) -> str:
    """Whether a formula that is wrong here gives it, and says something else than the right one."""
    printed, usual = figure.printed, figure.expected[0]
    if abs(usual.value - printed.value) < printed.half_unit:
        return ""
    return next((f"it is {one.because}" for one in figure.others if one.range.overlaps(printed.range)), "")


def _copied(figure: Figure) -> str:
    """Whether a neighbour has the same figure; one without decimals, or 100, says nothing."""
    own = figure.printed.text.strip("% ")
    if not figure.printed.decimals or figure.printed.value == 100:
        return ""
    return next(
        (f"copied from {ref.row}, {ref.column}" for ref in figure.neighbours if ref.text.strip("% ") == own), ""
    )


def _stale(figure: Figure) -> str:
    """Whether an average follows as soon as a few of its rows are left out."""
    return "stale: a row was added or changed after it was computed" if figure.left_out else ""


def _digits_swapped(figure: Figure) -> str:
    half, usual = figure.printed.half_unit, figure.expected[0].range
    found = any(usual.overlaps(Range(value - half, value + half)) for value in _swaps(figure.printed.text))
    return "two digits changed places" if found else ""


def _swaps(text: str) -> Iterator[Fraction]:
    """The numbers that two neighbouring digits in the other order make."""
    digits = [at for at, letter in enumerate(text) if letter.isdigit()]
    for left, right in pairwise(digits):
        letters = list(text.replace(",", "."))
        letters[left], letters[right] = letters[right], letters[left]
        number = "".join(letter for letter in letters if letter.isdigit() or letter == ".")
        if letters[left] != letters[right] and number.count(".") < 2 and number.strip("."):
            yield Fraction(number)


def _point_moved(figure: Figure) -> str:
    usual = figure.expected[0].range
    moved = any(usual.times(factor).overlaps(figure.printed.range) for factor in (10, Fraction(1, 10)))
    return "the decimal point is in the wrong place" if moved and usual.high != 0 else ""


def _drop(figure: Figure) -> str:
    usual = figure.expected[0].range
    found = figure.kind == "recovery" and usual.below(100).overlaps(figure.printed.range)
    return "it is the drop, not the recovery" if found else ""
