"""What stands beside a score in its cell, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalkit.cards.nouns import Stated, StatedKind, Unchecked
from evalkit.cards.roles import words

if TYPE_CHECKING:
    from evalkit.cards.figures import Cell

INTERVAL = "the ends of an interval, which only the samples can give"
SEVERAL = "more than one figure in the cell, or words among them"
NOBODY = "a figure beside a score that is compared with none"
STRAY = "it is not clear which columns it compares"
PASSED_OVER = "its table names no models that are compared and no average"
ERROR = "an error or a deviation, which only the samples can give"

ITSELF = {"recovery": (1, 100), "difference": (0,), "speedup": (1,), "aside": (1, 100)}
"""What a baseline has that is compared with itself."""


@dataclass(slots=True)
class Leftovers:
    """The figures of one table that no check can use, each with its reason."""

    table: str
    found: list[Unchecked] = field(default_factory=list)

    def add(self, row: str, column: str, printed: str, reason: str) -> None:
        """Keep one."""
        self.found.append(Unchecked(self.table, row, column, printed, reason))


@dataclass(frozen=True, slots=True)
class CellSpot:
    """Whose cell it is: model, its baseline, and the names of row and column."""

    model: int
    base: int | None
    row: str
    column: str


def beside(cell: Cell, spot: CellSpot, leftovers: Leftovers) -> tuple[Stated, ...]:
    """The figures beside a score or a recovery, as something stated of the model."""
    if cell.ratio is None or spot.base is None:
        return _bracketed(cell, spot, leftovers)
    place = f"ratio beside {spot.column}"
    ratio = Stated("aside", spot.model, spot.base, cell.ratio, spot.column + " ×", place)
    return (*_bracketed(cell, spot, leftovers), ratio)


def _bracketed(cell: Cell, spot: CellSpot, leftovers: Leftovers) -> tuple[Stated, ...]:
    if not cell.beside:
        return ()
    if cell.interval:
        for one in cell.beside:
            leftovers.add(spot.row, spot.column, one.text, INTERVAL)
        return ()
    first = cell.beside[0]
    if spot.base is None and len(cell.beside) == 1 and (first.signed or not first.percent):
        leftovers.add(spot.row, spot.column, first.text, NOBODY)
        return ()
    base = spot.model if spot.base is None else spot.base
    if len(cell.beside) > 1 and len({(one.signed, one.percent) for one in cell.beside}) == len(cell.beside):
        # "(-1.2, 98.2%)" are two statements, and no runs or counts.
        kinds = [_kind(replace(cell, beside=(one,)), spot.column) for one in cell.beside]
        return tuple(
            Stated(kind, spot.model, base, one, f"{spot.column} ({at})", f"figure beside {spot.column}")
            for at, (kind, one) in enumerate(zip(kinds, cell.beside, strict=True))
        )
    place = f"{_kind_name(spot.column)} beside {spot.column}"
    parts = cell.beside if len(cell.beside) > 1 else ()
    return (Stated(_kind(cell, spot.column), spot.model, base, first, spot.column + " ()", place, parts),)


def _kind(cell: Cell, column: str) -> StatedKind:
    (first, *more) = cell.beside
    if more:
        return "aside"
    if words.is_recovery(column) and not first.signed:
        return "recovery"
    if words.is_difference(column):
        return "difference"
    return "recovery" if first.percent and not first.signed and 50 <= first.value <= 150 else "aside"


def _kind_name(column: str) -> str:
    return "recovery" if words.is_recovery(column) else "figure"
