"""A run's tables where they are printed: as wide as there is room, and in blocks where a row has none.

No figure and no word is cut: where the candidates have no room beside each other each has a table of its own, and where
that has none either, each row is a block of lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from evalkit import report
from evalkit.base.printable import printable
from evalkit.cli.display import WHOLE_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from evalkit.report import Report

LOG_WIDTH: Final = 120
"""Columns that a log is taken to have, whose reader cannot scroll a table sideways. Sentences stay whole there."""
_NAMES: Final = 2
"""Columns that say what a row is of: these may take several lines."""
_BETWEEN: Final = "   "


def print_tables(built: Report, console: Console) -> None:
    """Print the scores, the traits of answers that changed, noise, and what was published."""
    room = console.width if console.width < WHOLE_LINES else LOG_WIDTH
    for head, body in _chosen(built, console, room):
        console.print(fitting(head, body, console, room), width=room)


def fitting(head: list[str], body: list[list[str]], console: Console, room: int) -> RenderableType:
    """A table within so many columns, or its rows as blocks."""
    table = _table(head, body)
    return table if _needed(table, console) <= room else Group(*_blocks(head, body, room))


def _chosen(built: Report, console: Console, room: int) -> Iterator[tuple[list[str], list[list[str]]]]:
    whole = report.table(built)
    if len(built.candidates) > 1 and _needed(_table(*whole), console) > room:
        yield from (report.table(built, candidates=[label]) for label in built.candidates)
    else:
        yield whole
    head, traits = report.drift_table(built)
    for table in ((head, [row for row in traits if row[-1]]), report.noise_table(built), report.published_table(built)):
        if table[1]:
            yield table


def _needed(table: Table, console: Console) -> int:
    """Columns without which a word would be cut."""
    # What is measured within the terminal's own width is never wider than it.
    return console.measure(table, options=console.options.update(max_width=WHOLE_LINES)).minimum


def _table(head: list[str], body: list[list[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for at, cell in enumerate(head):
        figures = at >= _NAMES
        table.add_column(escape(cell), justify="right" if figures else "left", no_wrap=figures, overflow="fold")
    for row in body:
        table.add_row(*[Text(printable(cell)) for cell in row], style="bold" if row[1] == report.AVERAGE else "")
    return table


def _blocks(head: list[str], body: list[list[str]], room: int) -> Iterator[Text]:
    """Each row: what it is of, then its figures with their names, as many in a line as there is room for."""
    for row in body:
        yield Text(printable("  ".join(filter(None, row[:_NAMES]))), style="bold")
        line = ""
        for name, cell in zip(head[_NAMES:], row[_NAMES:], strict=True):
            told = printable(f"{name} {cell}".strip())
            if cell and line and len(line) + len(_BETWEEN) + len(told) > room:
                yield Text(line)
                line = ""
            if cell:
                line += f"{_BETWEEN if line else '  '}{told}"
        if line:
            yield Text(line)
