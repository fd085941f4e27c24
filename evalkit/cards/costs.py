"""Every cost reduction and every queries-per-dollar figure of a card, with what it should be.

With P the price of the hardware in dollars an hour, one query at a time that takes L seconds gives 3600 / (P L)
queries per dollar, and Q queries a second give 3600 Q / P. A card does not print P, but it is one constant for one
kind of hardware, so all figures of that hardware must agree on it, in all tables of the card. "Average Cost
Reduction" is the plain mean over use cases of queries per dollar over the baseline's, in which P cancels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from evalkit.cards.arithmetic import Expected, Figure
from evalkit.cards.figures import Range, mean, mean_range

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.published import CostRow, CostTable

_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """What one hour of a kind of hardware must have cost, in dollars."""

    hardware: str
    low: float
    high: float
    figures: int
    """How many figures imply a price."""
    agree: int
    """How many of them agree on this one."""


@dataclass(frozen=True, slots=True)
class Saving:
    """A candidate's cost reduction in two readings."""

    table: str
    hardware: str
    model: str
    mean_ratio: float
    """Mean of the use cases' ratios: what cards call the average cost reduction."""
    pooled_ratio: float
    """How many times less it costs to ask one query of each use case."""
    cheaper_percent: float
    """The same as a saving: 1 - 1 / ``pooled_ratio``."""


class _Cell(NamedTuple):
    table: CostTable
    row: CostRow
    use: int
    measured: Printed
    per_dollar: Printed
    price: Range


def reductions(table: CostTable) -> Iterator[Figure]:
    """Every printed cost reduction of a table."""
    for row, baseline in _with_baselines(table):
        if row.ratio is None:
            continue
        ratios = _ratios(row, baseline)
        expected: tuple[Expected, ...] = ()
        if ratios:
            because = f"mean of {len(ratios)} ratios of queries per dollar to {baseline.model or 'the baseline'}"
            value, found = mean([one for one, _ in ratios]), mean_range([one for _, one in ratios])
            expected = (Expected(value, found, because),)
        lacks = "" if expected else "queries per dollar are missing"
        yield Figure(table.place, _name(row), "average cost reduction", row.ratio, expected, lacks)


def savings(table: CostTable) -> list[Saving]:
    """What each candidate of a table saves."""
    found = []
    for row, baseline in _with_baselines(table):
        ratios = _ratios(row, baseline)
        if row is baseline or not ratios:
            continue
        spent = [sum((1 / figure.value for figure in one.per_dollar if figure), Fraction(0)) for one in (baseline, row)]
        pooled = spent[0] / spent[1]
        average = float(mean([one for one, _ in ratios]))
        found.append(Saving(table.place, row.hardware, row.model, average, float(pooled), 100 * float(1 - 1 / pooled)))
    return found


def prices(tables: Sequence[CostTable]) -> tuple[list[Figure], list[Price]]:
    """Every queries-per-dollar figure that stands beside a latency or a rate, and the price of each hardware."""
    figures: list[Figure] = []
    found: list[Price] = []
    by_hardware: defaultdict[str, list[_Cell]] = defaultdict(list)
    for table in tables:
        for cell in _priced(table):
            by_hardware[cell.row.hardware].append(cell)
    for hardware, cells in by_hardware.items():
        agreed = _agreements([cell.price for cell in cells])
        agree = sum(all(cell.price.overlaps(price) for price in agreed) for cell in cells)
        if len(cells) > 1 and len(set(agreed)) == 1:
            found.append(Price(hardware, float(agreed[0].low), float(agreed[0].high), len(cells), agree))
        figures += [_per_dollar(cell, agreed, len(cells)) for cell in cells]
    return figures, found


def _per_dollar(cell: _Cell, agreed: Sequence[Range], count: int) -> Figure:
    """The figure of one cell, expected from what was measured and the price that the most cells agree on."""
    column = f"{cell.table.uses[cell.use]}, queries per dollar"
    if count == 1:
        lacks = "one figure alone does not tell the price of the hardware"
        return Figure(cell.table.place, _name(cell.row), column, cell.per_dollar, (), lacks)
    price = next((one for one in agreed if not cell.price.overlaps(one)), agreed[0])
    bounds, measured = cell.measured.range, cell.measured.value
    middle = (price.low + price.high) / 2
    if cell.table.stream == "single-stream":
        value = _SECONDS_PER_HOUR / (middle * measured)
        low, high = _SECONDS_PER_HOUR / (price.high * bounds.high), _SECONDS_PER_HOUR / (price.low * bounds.low)
        words = f"3600 / (price x {cell.measured.text} s)"
    else:
        value = _SECONDS_PER_HOUR * measured / middle
        low, high = _SECONDS_PER_HOUR * bounds.low / price.high, _SECONDS_PER_HOUR * bounds.high / price.low
        words = f"3600 x {cell.measured.text} per s / price"
    dollars = f"${float(price.low):.4f} to {float(price.high):.4f} an hour"
    because = f"{words}, the price being {dollars}, on which most figures agree"
    expected = Expected(value, Range(low, high), because)
    return Figure(cell.table.place, _name(cell.row), column, cell.per_dollar, (expected,))


def _priced(table: CostTable) -> Iterator[_Cell]:
    """The cells that imply a price, with the prices that they allow."""
    for row in table.rows:
        for use, (measured, dollar) in enumerate(zip(row.measured, row.per_dollar, strict=True)):
            if measured is None or dollar is None or table.stream is None:
                continue
            one, per = measured.range, dollar.range
            if one.low <= 0 or per.low <= 0:
                continue
            if table.stream == "single-stream":
                price = Range(_SECONDS_PER_HOUR / (one.high * per.high), _SECONDS_PER_HOUR / (one.low * per.low))
            else:
                price = Range(_SECONDS_PER_HOUR * one.low / per.high, _SECONDS_PER_HOUR * one.high / per.low)
            yield _Cell(table, row, use, measured, dollar, price)


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


def _ratios(row: CostRow, baseline: CostRow) -> list[tuple[Fraction, Range]]:
    """Queries per dollar over the baseline's, by use case; empty when one is missing or may be 0."""
    found = []
    for own, base in zip(row.per_dollar, baseline.per_dollar, strict=True):
        ratio = own.range.over(base.range) if own and base else None
        if own is None or base is None or ratio is None or own.range.low <= 0:
            return []
        found.append((own.value / base.value, ratio))
    return found


def _with_baselines(table: CostTable) -> Iterator[tuple[CostRow, CostRow]]:
    """Each row with the baseline of its hardware: the one row without a cost reduction, or else the first."""
    by_hardware: defaultdict[str, list[CostRow]] = defaultdict(list)
    for row in table.rows:
        by_hardware[row.hardware].append(row)
    for rows in by_hardware.values():
        bare = [row for row in rows if row.ratio is None]
        baseline = bare[0] if len(bare) == 1 else rows[0]
        yield from ((row, baseline) for row in rows)


def _name(row: CostRow) -> str:
    return ", ".join(part for part in (row.hardware, row.model) if part)
