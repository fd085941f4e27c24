"""Every queries-per-dollar figure of a card, with what it should be.

With P the price of the hardware in dollars an hour, one query at a time that takes L seconds gives 3600 / (P L)
queries per dollar, and Q queries a second give 3600 Q / P. A card does not print P, but it is one constant for one
kind of hardware, so all figures of that hardware must agree on it, in all tables of the card.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from evalkit.cards.checks.figure import AuditFinding, Expected, Figure, Ref
from evalkit.cards.figures import Range
from evalkit.stats import cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import CostRow, CostTable


@dataclass(frozen=True, slots=True)
class Price:
    """What one hour of a kind of hardware must have cost, in dollars."""

    table: str
    """Empty when it holds in all tables."""
    hardware: str
    low: float
    high: float
    figures: int
    """How many figures imply a price."""
    agree: int
    """How many of them agree on this one."""


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the queries-per-dollar figures of a card say about each other."""

    figures: tuple[Figure, ...]
    prices: tuple[Price, ...]
    clashes: tuple[AuditFinding, ...]
    """Tables that agree within themselves, but on different prices of the same hardware."""


class _Cell(NamedTuple):
    table: CostTable
    row: CostRow
    use: int
    measured: Printed
    per_dollar: Printed
    price: Range


def pricing(tables: Sequence[CostTable]) -> Pricing:
    """Every queries-per-dollar figure that stands beside a latency or a rate, and the price of each hardware."""
    figures: list[Figure] = []
    found: list[Price] = []
    clashes: list[AuditFinding] = []
    by_hardware: defaultdict[str, defaultdict[str, list[_Cell]]] = defaultdict(lambda: defaultdict(list))
    for table in tables:
        for cell in _priced(table):
            by_hardware[cell.row.hardware][cell.table.place].append(cell)
    for hardware, by_table in by_hardware.items():
        apart = _clashes(hardware, by_table)
        together = {"": [cell for cells in by_table.values() for cell in cells]}
        for place, cells in (by_table if apart else together).items():
            agreed = _agreements([cell.price for cell in cells])
            figures += [_per_dollar(cell, agreed, len(cells)) for cell in cells]
            if len(cells) > 1 and len(set(agreed)) == 1:
                agree = sum(cell.price.overlaps(agreed[0]) for cell in cells)
                found.append(Price(place, hardware, float(agreed[0].low), float(agreed[0].high), len(cells), agree))
        clashes += apart
    return Pricing(tuple(figures), tuple(found), tuple(clashes))


def _clashes(hardware: str, by_table: Mapping[str, Sequence[_Cell]]) -> list[AuditFinding]:
    """The tables whose price of the hardware cannot be the first table's."""
    sure: list[tuple[str, Range]] = []
    for place, cells in by_table.items():
        agreed = _agreements([cell.price for cell in cells])
        if len(cells) > 1 and len(set(agreed)) == 1:
            sure.append((place, agreed[0]))
    return [
        AuditFinding(
            kind="price",
            severity="wrong",
            table=place,
            row=hardware,
            column="price of an hour",
            printed=f"figures for {_dollars(price)}",
            right=_dollars(sure[0][1]),
            low=float(sure[0][1].low),
            high=float(sure[0][1].high),
            tolerance=float(sure[0][1].high - sure[0][1].low + price.high - price.low) / 2,
            because=f"the same hardware in {sure[0][0]}",
        )
        for place, price in sure[1:]
        if not price.overlaps(sure[0][1])
    ]


def _per_dollar(cell: _Cell, agreed: Sequence[Range], count: int) -> Figure:
    """The figure of one cell, expected from what was measured and the price that the most cells agree on."""
    column = f"{cell.table.uses[cell.use]}, queries per dollar"
    if count == 1:
        lacks = "one figure alone does not tell the price of the hardware"
        return Figure("queries per dollar", cell.table.place, cell.row.name, column, cell.per_dollar, (), lacks)
    price = next((one for one in agreed if not cell.price.overlaps(one)), agreed[0])
    bounds, measured = cell.measured.range, cell.measured.value
    stream = cell.table.stream or "multi-stream"
    value = cost.per_dollar(stream, measured, (price.low + price.high) / 2)
    worst, best = (bounds.high, bounds.low) if stream == "single-stream" else (bounds.low, bounds.high)
    low, high = cost.per_dollar(stream, worst, price.high), cost.per_dollar(stream, best, price.low)
    single = f"3600 / (price x {cell.measured.text} s)"
    words = single if stream == "single-stream" else f"3600 x {cell.measured.text} per s / price"
    by_whom = "on which most figures agree" if count > 2 else "by the only other figure of this hardware"
    because = f"{words}, the price being {_dollars(price)} an hour, {by_whom}"
    beside = Ref(cell.row.name, cell.table.uses[cell.use], cell.measured.text)
    expected = Expected(value, Range(low, high), because, (beside,))
    return Figure("queries per dollar", cell.table.place, cell.row.name, column, cell.per_dollar, (expected,))


def _priced(table: CostTable) -> Iterator[_Cell]:
    """The cells that imply a price, with the prices that they allow."""
    for row in table.rows:
        for use, (measured, dollar) in enumerate(zip(row.measured, row.per_dollar, strict=True)):
            if measured is None or dollar is None or table.stream is None:
                continue
            one, per = measured.range, dollar.range
            if one.low <= 0 or per.low <= 0:
                continue
            ends = [cost.price(table.stream, *both) for both in product((one.low, one.high), (per.low, per.high))]
            yield _Cell(table, row, use, measured, dollar, Range(min(ends), max(ends)))


def _agreements(ranges: Sequence[Range]) -> list[Range]:
    """The lowest and the highest range of prices in which the most of ``ranges`` meet.

    They are the same range when one majority exists. A range that reaches both agrees with every such majority.
    """
    ends = sorted(
        [(one.low, 0, one) for one in ranges] + [(one.high, 1, one) for one in ranges], key=lambda end: end[:2]
    )
    most = count = 0
    meeting: list[Range] = []
    opened = Fraction(0)
    reached = False
    for place, closes, _ in ends:
        if closes:
            if reached and count == most:
                meeting.append(Range(opened, place))
            reached = False
            count -= 1
            continue
        count += 1
        if count >= most:
            meeting = [] if count > most else meeting
            most, opened, reached = count, place, True
    return [meeting[0], meeting[-1]]


def _dollars(price: Range) -> str:
    return f"${float(price.low):.4f} to ${float(price.high):.4f}"
