"""A printed figure and what it stands for: a decimal is a range of unrounded numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction

from evalkit.cards.figures.ranges import Range

# Bounded, so that no text of a card can make the arithmetic slow.
DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,10})?|\d{1,15}(?:[.,]\d{1,10})?|\.\d{1,10})"
"""The digits of one figure: ``48.00``, ``2,632``, ``48,00``, ``.963``."""
UNIT = r"(?:%|x|×|s|ms)?"
_FIGURE = re.compile(
    rf"[~≈]?\s?\$?\s?(?P<sign>[+-]?)\s?\$?(?P<digits>{DIGITS})\s?(?P<unit>{UNIT})"
    # An error or an interval beside it, and the marks of footnotes.
    r"(?:\s?(?:±|\+/-)\s?\d{1,6}(?:\.\d{1,6})?\s?%?)?(?:\s?\[\d{1,6}(?:\.\d{1,6})?,\s?\d{1,6}(?:\.\d{1,6})?\])?[*†‡]{0,3}"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,10})?")
EXACT = 12
"""Decimals of a figure that was not rounded, such as a share of counts; more than any card prints."""
MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NO-BREAK SPACE}": " ", "\N{FULLWIDTH PERCENT SIGN}": "%"})
"""What cards print for a minus, a blank and a percent sign."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A figure as a card prints it."""

    text: str
    value: Fraction
    decimals: int
    """How many were printed: 48.00 says more than 48."""
    percent: bool = False
    """Whether a percent sign stands beside it."""
    signed: bool = False
    """Whether a plus, a minus or an arrow says in which direction."""
    pointed: bool = False
    """Whether it was an arrow, which may as well stand for better and worse."""
    near: float = field(init=False, repr=False, compare=False)
    """``value`` as nearly as a float has it, for what need not be exact."""
    range: Range = field(init=False, repr=False, compare=False)
    """What rounds to the figure, both ends included: which way a card rounds a half is not known."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "near", float(self.value))
        half = self.half_unit
        object.__setattr__(self, "range", Range(self.value - half, self.value + half))

    def __hash__(self) -> int:
        return hash(self.text)  # that of a fraction takes long, and hardly ever tells more

    @classmethod
    def parse(cls, text: str, *, commas: bool = False) -> Printed:
        """Read one figure: ``48.00``, ``96.29%``, ``2,632``, ``$0.80``, ``1.55x``, ``48,00``, ``70.1 ± 0.4``.

        A comma before exactly three digits parts thousands, unless ``commas`` says that it is the table's decimal
        sign.

        Raises:
            ValueError: It is not one figure.
        """
        found = _FIGURE.fullmatch(text.translate(MINUS).strip())
        if found is None:
            raise ValueError(f'{text[:40]!r} is not one number such as "48.00" or "96.29%"')
        digits = found["digits"]
        if _THOUSANDS.fullmatch(digits) and not digits.startswith("0,") and not (commas and digits.count(",") == 1):
            digits = digits.replace(",", "")
        whole, _, decimals = digits.replace(",", ".").partition(".")
        value = Fraction(int((whole or "0") + decimals), 10 ** len(decimals))
        negative = found["sign"] == "-"
        return cls(
            text.strip(), -value if negative else value, len(decimals), found["unit"] == "%", bool(found["sign"])
        )

    @property
    def exact(self) -> bool:
        """Whether it is printed as counts, which nobody rounded."""
        return self.decimals >= EXACT

    @property
    def half_unit(self) -> Fraction:
        """Half a unit of the last printed decimal."""
        return Fraction(1, 2 * 10**self.decimals)

    def with_value(self, value: Fraction) -> Printed:
        """Another number, printed as this one is."""
        text = f"{float(value):.{self.decimals}f}{'%' if self.percent else ''}"
        return Printed(text, Fraction(f"{float(value):.{self.decimals}f}"), self.decimals, self.percent, self.signed)
