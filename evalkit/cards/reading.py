"""A card's text becomes a `Card`: each table is read as accuracy or as cost, or passed over, and the card says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.cards import figures, tables
from evalkit.cards.accuracy_table import accuracy_tables, is_title
from evalkit.cards.cost_table import cost_table, is_cost_table
from evalkit.cards.published import Card

if TYPE_CHECKING:
    from evalkit.cards.published import AccuracyTable, CostTable
    from evalkit.cards.tables import Table

_MOST_HEADINGS = 4


def card(text: str) -> Card:
    """What of a card's text can be audited."""
    accuracy: list[AccuracyTable] = []
    costs: list[CostTable] = []
    notices: list[str] = []
    found = tables.tables(text)
    if len(found) == tables.MOST_TABLES:
        notices.append(f"only the first {tables.MOST_TABLES} tables were read")
    for number, table in enumerate(found, 1):
        place = f"table {number} (line {table.line})"
        if len(table.rows) >= tables.MOST_ROWS:
            notices.append(f"{place}: only the first {tables.MOST_ROWS} rows were read")
        head, body = _headed(table)
        if is_cost_table(head):
            costs.append(cost_table(place, head, body, notices, loose=table.loose))
            continue
        read = accuracy_tables(place, head, body)
        if not read:
            named = ", ".join(name for name in head if name)[:80]
            notices.append(f"{place}: passed over, no recovery, average or queries per dollar in it ({named})")
        accuracy += read
    return Card(tuple(accuracy), tuple(costs), tuple(notices))


def _headed(table: Table) -> tuple[list[str], list[tuple[str, ...]]]:
    """One heading for each column, and the rows under it.

    Several heading rows are put together. A title over the headings is left out; one under them belongs to the rows.
    """
    heads: list[tuple[str, ...]] = []
    rows = list(table.rows)
    while rows and len(heads) < _MOST_HEADINGS:
        row = rows[0]
        title = is_title(row.cells) and len(row.cells) > 1
        if not row.head and (any(figures.read(cell) for cell in row.cells) or (title and heads)):
            break
        if not title:
            heads.append(row.cells)
        rows.pop(0)
    columns = zip(*heads, strict=True) if heads else [()] * len(table.rows[0].cells)
    return [" ".join(dict.fromkeys(part for part in column if part)) for column in columns], [row.cells for row in rows]
