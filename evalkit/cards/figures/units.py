"""Times and sizes in several units: "950 ms" beside "1.2 s" become figures of one unit."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evalkit.cards.figures.cell import Cell

_POWER = {"ms": ("time", -3), "s": ("time", 0), "mb": ("size", 6), "gb": ("size", 9), "tb": ("size", 12)}
"""Units by what they measure, as powers of ten."""
_UNIT = re.compile(r"(?<=\d)\s?(ms|s|[MGT]B)(?![\w/])", re.IGNORECASE)


def same_units(cells: Iterable[Cell]) -> Callable[[Cell], Cell]:
    """What gives the cells of one table one unit of time and one of size, the largest that it has."""
    found = {unit for cell in cells if (unit := _unit(cell))}
    largest: dict[str, int] = {}
    for kind, power in (_POWER[unit] for unit in found):
        largest[kind] = max(power, largest.get(kind, power))

    def converted(cell: Cell) -> Cell:
        unit = _unit(cell) if len(found) > len(largest) else ""
        if not unit or cell.figure is None:
            return cell
        kind, power = _POWER[unit]
        down = largest[kind] - power
        figure = cell.figure
        return replace(cell, figure=replace(figure, value=figure.value / 10**down, decimals=figure.decimals + down))

    return converted


def _unit(cell: Cell) -> str:
    return _unit_in(cell.text) if cell.figure is not None else ""


@lru_cache(maxsize=16384)
def _unit_in(text: str) -> str:
    told = _UNIT.search(text)
    return told[1].lower() if told else ""
