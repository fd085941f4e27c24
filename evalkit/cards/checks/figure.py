"""A printed figure with what it should be, and the finding where it is not.

A printed decimal stands for all numbers that round to it. A figure does not follow only when no unrounded inputs
could give it, so rounding is never reported as an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit.cards.figures import Printed, Range

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

Severity: TypeAlias = Literal["wrong", "last digit", "doubtful"]
"""``wrong``: it does not follow, whatever was rounded. ``last digit``: nor does this one, by less than a unit of its
last digit. ``doubtful``: it may be right, and a reader should ask."""
Kind: TypeAlias = Literal[
    "recovery",
    "difference",
    "average",
    "speedup",
    "compression",
    "saving",
    "cost reduction",
    "queries per dollar",
    "price",
    "runs",
    "claim",
    "sibling",
    "count",
    "stale average",
    "identical",
    "unclear",
]


@dataclass(frozen=True, slots=True)
class Ref:
    """A figure that another rests on."""

    row: str
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.row}, {self.column}: {self.text}"


@dataclass(frozen=True, slots=True)
class FigureSpot:
    """A score's place in a table: index of row and model."""

    row: int
    model: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What a figure is computed to be."""

    value: Fraction
    """From the inputs as printed."""
    range: Range
    """From all unrounded inputs that round to them."""
    because: str
    rests: tuple[Ref, ...] = ()
    uses: tuple[FigureSpot, ...] = ()
    """The scores that it is computed of."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One printed figure that others determine."""

    kind: Kind
    table: str
    row: str
    column: str
    printed: Printed
    expected: tuple[Expected, ...]
    """By each reading that is in use; the first is the usual one. Empty when the card lacks an input."""
    lacks: str = ""
    """Why it cannot be checked."""
    remark: str = ""
    others: tuple[Expected, ...] = ()
    """What it would be by a mistake that has a name; ``because`` names it."""
    own: FigureSpot | None = None
    """Its own place, where it is a score of the table."""
    neighbours: tuple[Ref, ...] = ()
    """Figures from which it may have been copied."""
    convention: str = ""
    """By which formula it is computed, where that is not the usual one."""
    left_out: tuple[str, ...] = ()
    """Of an average that does not follow: the rows without which it does."""

    @property
    def follows(self) -> bool:
        """Whether some unrounded inputs give the figure."""
        return any(one.range.overlaps(self.printed.range) for one in self.expected)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """A figure that does not follow from the others, or that should be asked after.

    ``low`` to ``high`` is what the unrounded inputs allow; without them where nothing can be computed.
    """

    kind: Kind
    severity: Severity
    table: str
    row: str
    column: str
    printed: str
    right: str
    low: float | None
    high: float | None
    tolerance: float | None
    """How far the printed figure may lie from ``right`` by rounding alone, of inputs and of itself."""
    because: str
    rests: tuple[Ref, ...] = ()
    cause: str = ""
    """The likely mistake; empty where none fits."""
    card: str = ""
    """The card's name where several are audited together."""


def judge(figure: Figure, cause: str = "") -> AuditFinding | None:
    """The finding, or None when some unrounded inputs give the figure (or when an input is missing)."""
    if not figure.expected or figure.follows:
        return None
    usual = figure.expected[0]
    reach = max(usual.value - usual.range.low, usual.range.high - usual.value) + figure.printed.half_unit
    near = any(one.range.overlaps(_within_a_unit(figure.printed)) for one in figure.expected)
    return AuditFinding(
        kind=figure.kind,
        severity="last digit" if near else "wrong",
        table=figure.table,
        row=figure.row,
        column=figure.column,
        printed=figure.printed.text,
        right=written(usual.value, figure.printed),
        low=float(usual.range.low),
        high=float(usual.range.high),
        tolerance=float(reach),
        because=usual.because + figure.remark,
        rests=usual.rests,
        cause=cause,
    )


def _within_a_unit(printed: Printed) -> Range:
    """What a figure stands for when its last digit may be off by one."""
    return Range(printed.value - 3 * printed.half_unit, printed.value + 3 * printed.half_unit)


def written(value: Fraction, like: Printed) -> str:
    """A number as a card prints a figure: with its decimals and its percent sign."""
    return f"{float(value):.{2 if like.exact else like.decimals}f}{'%' if like.percent else ''}"


def doubt(
    kind: Kind, place: tuple[str, str, str], printed: str, because: str, rests: Sequence[Ref] = ()
) -> AuditFinding:
    """A finding that is no error of arithmetic; ``place`` is table, row and column."""
    return AuditFinding(kind, "doubtful", *place, printed, "", None, None, None, because, tuple(rests))
