"""Rates with a k or an M behind them: "950" beside "1.2k" become figures of one unit."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.cards.roles import words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.cards.figures import Cell
    from evalkit.cards.roles.sheet import Sheet

_SUFFIX = re.compile(r"(.*\d) ?([kKM])(?![\w-])(.*)")
_TIMES = re.compile(r"\d ?[x×]")
_POWER = {"": 0, "k": 3, "m": 6}


def in_thousands(sheet: Sheet, read: Callable[[str], Cell]) -> Sheet:
    """The sheet with suffixes read in columns and rows that are called as rates, of which they can be nothing else."""
    rates = {at for at, name in enumerate(sheet.head) if at and words.speed(name) == "higher"}
    columns = {at: _alike([line.cells[at] for line in sheet.lines], read) for at in rates}
    kept = {0, *(at for at, name in enumerate(sheet.head) if _is_ratio(name))}
    lines = []
    for number, line in enumerate(sheet.lines):
        cells = [columns[at][number] if at in rates else cell for at, cell in enumerate(line.cells)]
        if words.speed(line.cells[0].text) == "higher":
            compared = [at for at, cell in enumerate(cells) if at not in kept and not _TIMES.search(cell.text)]
            for at, cell in zip(compared, _alike([cells[at] for at in compared], read), strict=True):
                cells[at] = cell
        lines.append(replace(line, cells=tuple(cells)))
    return replace(sheet, lines=tuple(lines))


def _is_ratio(heading: str) -> bool:
    """Whether a column of a row of rates has none itself, but what one is of another."""
    return words.is_gain(heading) or words.is_recovery(heading) or bool(words.RATIO.fullmatch(heading.strip()))


def _alike(cells: Sequence[Cell], read: Callable[[str], Cell]) -> list[Cell]:
    """Cells that are compared with each other in the largest of their units; as they are where none has a suffix."""
    told = [_SUFFIX.fullmatch(cell.text) if cell.unread else None for cell in cells]
    largest = max((_POWER[found[2].lower()] for found in told if found), default=0)
    if not largest:
        return list(cells)
    found = []
    for cell, suffix in zip(cells, told, strict=True):
        one = read(f"{suffix[1]} {suffix[3]}".strip()) if suffix else cell
        down = largest - (_POWER[suffix[2].lower()] if suffix else 0)
        figure = one.figure
        if figure is not None and not figure.percent:
            value = figure.value / 10**down
            one = replace(one, figure=replace(figure, text=cell.text, value=value, decimals=figure.decimals + down))
        found.append(replace(one, text=cell.text))
    return found
