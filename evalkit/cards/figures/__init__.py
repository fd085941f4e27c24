"""Printed figures: what a cell holds, and which unrounded numbers a printed decimal stands for."""

from __future__ import annotations

from evalkit.cards.figures.cell import Cell, is_missing, read, reader, speaks_commas
from evalkit.cards.figures.printed import EXACT, Printed
from evalkit.cards.figures.ranges import Range, mean, mean_range, quotient
from evalkit.cards.figures.units import same_units

__all__ = [
    "EXACT",
    "Cell",
    "Printed",
    "Range",
    "is_missing",
    "mean",
    "mean_range",
    "quotient",
    "read",
    "reader",
    "same_units",
    "speaks_commas",
]
