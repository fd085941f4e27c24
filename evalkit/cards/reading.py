"""A card's text becomes a `Card`: every table is read by what its columns and rows say, or passed over by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.base.printable import agreeing, counted
from evalkit.cards.nouns import AccuracyTable, Card, CostTable, SpeedTable, Unchecked
from evalkit.cards.roles import models
from evalkit.cards.roles.accuracy import accuracy_table
from evalkit.cards.roles.cells import PASSED_OVER, STRAY, Leftovers
from evalkit.cards.roles.claims import claims
from evalkit.cards.roles.columns import STATED, roles
from evalkit.cards.roles.cost_table import cost_table, is_cost_table
from evalkit.cards.roles.sheet import Sheet, sheets
from evalkit.cards.roles.speed_table import speed_tables
from evalkit.cards.text import MOST_ROWS, MOST_TABLES, Table, contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.roles.columns import Role

NOT_READ = f"beyond the {MOST_ROWS} rows of a table and the {MOST_TABLES} tables of a card that are read"

IN_CODE = "a table inside a block of code"


@dataclass(slots=True)
class _Reading:
    """What was read so far."""

    accuracy: list[AccuracyTable] = field(default_factory=list)
    costs: list[CostTable] = field(default_factory=list)
    speeds: list[SpeedTable] = field(default_factory=list)
    unchecked: list[Unchecked] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def table(self, number: int, table: Table) -> None:
        """Read one table of the text."""
        place = f"table {number} (line {table.line})"
        if table.more:
            self.notices.append(f"{place}: only the first {MOST_ROWS} rows were read")
        self.unchecked += _beyond(place, "row", len(table.rows), table.more)
        parts = list(sheets(table, place))
        for part, sheet in enumerate(parts, 1):
            self._sheet(sheet, f"{place}, part {part}" if len(parts) > 1 else place)

    def _sheet(self, sheet: Sheet, place: str) -> None:
        sheet = Sheet(place, sheet.head, sheet.tops, sheet.lines, sheet.caption, sheet.loose)
        if is_cost_table(sheet.head):
            self.costs.append(cost_table(sheet, self.notices))
            return
        leftovers = Leftovers(place)
        accuracy = accuracy_table(sheet, leftovers)
        if accuracy is None:
            leftovers = Leftovers(place)
        if accuracy is not None:
            self.accuracy.append(accuracy)
        # Where columns are models, their times and sizes are rows.
        down = accuracy is None or accuracy.turned
        speeds = speed_tables(sheet, leftovers) if down else []
        self.speeds += speeds
        if accuracy is None and speeds:
            _left_of_speeds(sheet, leftovers)
        if accuracy is not None or speeds:
            self.unchecked += leftovers.found
        else:
            named = ", ".join(name for name in sheet.head if name)[:80]
            self.notices.append(f"{place}: passed over, no comparison, average, speed or cost in it ({named})")
            self.unchecked += _passed_over(sheet)


def _left_of_speeds(sheet: Sheet, leftovers: Leftovers) -> None:
    """Recoveries and differences of a table of times and rates, which has no scores for them."""
    kinds = roles(sheet)
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    for line in sheet.lines:
        name = " ".join(line.cells[at].text for at in labels if line.cells[at].text)
        for at in [at for at, role in enumerate(kinds) if role in {"recovery", "difference"}]:
            if line.cells[at].figure or line.cells[at].unread:
                leftovers.add(name, sheet.head[at], line.cells[at].text, STRAY)


def _passed_over(sheet: Sheet) -> list[Unchecked]:
    """The figures that could be scores of a comparison: of a table with two such columns, or one that states any."""
    kinds = roles(sheet)
    columns = [
        at for at, role in enumerate(kinds) if role in {"score", "gain", *STATED} or _is_of_model(sheet, kinds, at)
    ]
    if len(columns) < 2 and all(kinds[at] == "score" for at in columns):
        return []
    leftovers = Leftovers(sheet.place)
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    for line in sheet.lines:
        name = " ".join(dict.fromkeys(line.cells[at].text for at in labels if line.cells[at].text))
        for at in columns:
            cell = line.cells[at]
            if cell.figure or cell.unread:
                leftovers.add(name, sheet.head[at] or f"column {at + 1}", cell.text, PASSED_OVER)
    return leftovers.found


def _beyond(place: str, what: str, first: int, count: int) -> list[Unchecked]:
    """What stands beyond the limits of what is read, each row or table as one."""
    return [Unchecked(place, f"{what} {number}", "", "", NOT_READ) for number in range(first, first + count)]


def _is_of_model(sheet: Sheet, kinds: Sequence[Role], at: int) -> bool:
    """Whether figures that cannot be read stand under a model's name, beside scores; a revision or a date is none."""
    return (
        kinds[at] == "unread"
        and "score" in kinds
        and (models.quantized(sheet.head[at]) or models.whole(sheet.head[at]))
    )


def card(text: str) -> Card:
    """What of a card's text can be audited."""
    found = contents(text)
    reading = _Reading()
    if found.more:
        reading.notices.append(f"only the first {MOST_TABLES} tables were read")
        reading.unchecked += _beyond("", "table", MOST_TABLES + 1, found.more)
    if found.in_code:
        were = agreeing(found.in_code, "was", "were")
        reading.notices.append(f"{counted(found.in_code, 'table')} inside code blocks {were} not read")
        reading.unchecked += [Unchecked("", f"block {one}", "", "", IN_CODE) for one in range(1, found.in_code + 1)]
    for number, table in enumerate(found.tables, 1):
        reading.table(number, table)
    return Card(
        tuple(reading.accuracy),
        tuple(reading.costs),
        tuple(reading.notices),
        tuple(reading.speeds),
        tuple(reading.unchecked),
        tuple(claims(found.sentences)),
        found.base_model,
    )
