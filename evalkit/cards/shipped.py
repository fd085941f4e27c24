"""Published tables as TOML: one baseline, one candidate, every figure as text, because 48.00 says more than 48.

``tasks/published/*.toml`` holds the tables that evalkit ships; a table of one's own is written the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.cards.figures import Printed, Range  # noqa: TC001 - the schema reads the annotations
from evalkit.cards.nouns import AccuracyTable, Card, CardScores, CostRow, CostTable, Stated
from evalkit.cards.roles import words
from evalkit.cards.sizes import size_of
from evalkit.stats.cost import Stream  # noqa: TC001 - the schema reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.cards.nouns import RowKind
    from evalkit.stats import RecoveryInterval


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One line of a published accuracy table, or one average row."""

    title: str
    """As the card names the row."""
    baseline: Printed
    candidate: Printed
    recovery: Printed | None = None
    task: str = ""
    """The evalkit task that measures the same; empty where there is none, and for an average."""
    category: str = ""
    metric: str = ""
    n: int | None = None
    """How many samples the scores come from, where that is known."""


@dataclass(frozen=True, slots=True)
class PublishedCost:
    """What one model does on one kind of hardware; the lists are by use case."""

    stream: Stream
    hardware: str
    model: str
    measured: tuple[Printed, ...]
    """Seconds for single-stream, queries per second for multi-stream."""
    queries_per_dollar: tuple[Printed, ...]
    cost_reduction: Printed | None = None
    """Left out for the baseline."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """What somebody published of one candidate."""

    name: str
    baseline: str
    candidate: str
    source: str
    """Where it was published."""
    rows: tuple[PublishedRow, ...]
    averages: tuple[PublishedRow, ...] = ()
    """An average is of the rows of its category, or of all rows when it has none."""
    costs: tuple[PublishedCost, ...] = ()

    def row(self, task: str) -> PublishedRow | None:
        """The row that an evalkit task measures."""
        return next((row for row in self.rows if row.task and row.task == task), None)

    def score(self, model: str, task: str, metric: str) -> Printed | None:
        """What was published of a model on an evalkit task by this metric; None where nothing was."""
        row = self.row(task)
        if row is None or row.metric not in {"", metric}:
            return None
        if model.casefold() == self.baseline.casefold():
            return row.baseline
        return row.candidate if model.casefold() == self.candidate.casefold() else None

    def average(self, category: str) -> PublishedRow | None:
        """The average row of a category."""
        return next((row for row in self.averages if row.category == category), None)


def published(mapping: Mapping[str, Any], source: str) -> PublishedTable:
    """The table in the parsed TOML file ``source``.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(PublishedTable, mapping, source)
    codec.refuse(list(_problems(found)), source)
    return found


def _problems(table: PublishedTable) -> Iterator[Fault]:
    if not table.rows and not table.costs:
        yield Fault("rows", "is empty", "write down at least one row or one of costs")
    for number, row in enumerate(table.rows):
        yield from codec.at_least(1, {f"rows[{number}].n": row.n})
    tasks = [row.task for row in table.rows if row.task]
    for task in sorted({task for task in tasks if tasks.count(task) > 1}):
        yield Fault("rows", f"has two rows for the task '{task}'", "keep one")
    for number, cost in enumerate(table.costs):
        if len(cost.measured) != len(cost.queries_per_dollar):
            yield Fault(f"costs[{number}]", "lists of different lengths", "write one figure for each use case")
    for stream in ("single-stream", "multi-stream"):
        if len({len(cost.measured) for cost in table.costs if cost.stream == stream}) > 1:
            yield Fault("costs", f"{stream} rows have different numbers of use cases", "write the same for all")


def card_of(table: PublishedTable) -> Card:
    """The table as a card that can be audited. An average of no category is of all rows."""
    groups = {category: number for number, category in enumerate(dict.fromkeys(row.category for row in table.rows))}
    rows = [_accuracy_row(row, groups[row.category], "task") for row in table.rows]
    rows += [_accuracy_row(row, groups.get(row.category, -1), "average") for row in table.averages]
    costs = []
    for stream in dict.fromkeys(cost.stream for cost in table.costs):
        lines = [cost for cost in table.costs if cost.stream == stream]
        found = tuple(
            CostRow(one.hardware, one.model, one.cost_reduction, one.measured, one.queries_per_dollar) for one in lines
        )
        uses = tuple(f"use case {number}" for number in range(1, len(lines[0].measured) + 1))
        costs.append(CostTable(f"costs, {stream}", stream, uses, found))
    accuracy = (
        (AccuracyTable("rows", (table.baseline, table.candidate), (None, 0), tuple(rows), named=True),) if rows else ()
    )
    return Card(accuracy, tuple(costs))


def table_of(card: Card, source: str) -> PublishedTable:
    """The first accuracy table of a card whose rows name known benchmarks, as a published table.

    A task is known by its name alone: a card says neither metric nor prompt in words that can be relied on.
    """
    for table in card.accuracy:
        rows: dict[str, PublishedRow] = {}
        for row in table.rows:
            size, base = size_of(row.label, row.category), row.scores[0]
            if row.kind == "task" and size is not None and base is not None:
                other = (row.scores[1] if len(row.scores) > 1 else None) or base
                rows.setdefault(
                    size.benchmark, PublishedRow(row.label, base, other, task=size.benchmark, category=row.category)
                )
        if rows:
            return PublishedTable(source, table.models[0], table.models[-1], source, tuple(rows.values()))
    return PublishedTable(source, "", "", source, ())


def outside(printed: Printed, low: float | None, high: float | None) -> bool:
    """Whether nothing that rounds to a published score lies in a measured interval, given from 0 to 1."""
    if low is None or high is None:
        return False
    unit = 100 if printed.value > 1 or printed.percent else 1
    return printed.range.high < Fraction(low) * unit or printed.range.low > Fraction(high) * unit


def _accuracy_row(row: PublishedRow, group: int, kind: RowKind) -> CardScores:
    stated = (Stated("recovery", 1, 0, row.recovery, "recovery", "recovery of the candidate"),) if row.recovery else ()
    return CardScores(
        row.title,
        row.category,
        group,
        kind,
        (row.baseline, row.candidate),
        stated,
        (row.n, row.n),
        words.better(row.title),
    )


# --- published beside measured ------------------------------------------------------------------


class Standing(StrEnum):
    """Where a published recovery lies when it is put beside a measured one."""

    INSIDE = "inside the interval"
    BELOW = "outside the interval, below"
    ABOVE = "outside the interval, above"
    NO_INTERVAL = "no interval was measured"
    NOT_PUBLISHED = "no recovery was published"


@dataclass(frozen=True, slots=True)
class Beside:
    """A published recovery beside a measured one, in percent."""

    published: float | None
    measured: float | None
    low: float | None
    high: float | None
    standing: Standing


def beside(row: PublishedRow, measured: RecoveryInterval) -> Beside:
    """The published recovery, and whether the measured interval holds it.

    The figure is inside when some number that rounds to it is. Where the card prints no recovery, it is what the two
    printed scores allow. The measured interval says nothing of chance on the published side: "outside" means that
    the two differ by more than the measured samples explain, not by whose fault.
    """
    percent = _recovery(row)
    if percent is None:
        return Beside(None, measured.percent, measured.low, measured.high, Standing.NOT_PUBLISHED)
    value, bounds = percent
    if measured.low is None or measured.high is None:
        standing = Standing.NO_INTERVAL
    elif bounds.high < Fraction(measured.low):
        standing = Standing.BELOW
    elif bounds.low > Fraction(measured.high):
        standing = Standing.ABOVE
    else:
        standing = Standing.INSIDE
    return Beside(float(value), measured.percent, measured.low, measured.high, standing)


def _recovery(row: PublishedRow) -> tuple[Fraction, Range] | None:
    """In percent: as printed, or else from the scores; None when the baseline may be 0."""
    if row.recovery is not None:
        return row.recovery.value, row.recovery.range
    ratio = row.candidate.range.over(row.baseline.range)
    return None if ratio is None else (100 * row.candidate.value / row.baseline.value, ratio.times(100))
