"""Every cost reduction of a card, with what it should be, and what it amounts to in money.

"Average Cost Reduction" is the plain mean over use cases of queries per dollar over the baseline's on the same
hardware; the price of the hardware cancels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.cards.checks.figure import Expected, Figure, Ref
from evalkit.cards.figures import Range, mean_range
from evalkit.stats import cost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from evalkit.cards.nouns import CostRow, CostTable


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


def reductions(table: CostTable) -> Iterator[Figure]:
    """Every printed cost reduction of a table."""
    for row, baseline in _with_baselines(table):
        if row.ratio is None:
            continue
        ratios = _ratios(row, baseline)
        expected: tuple[Expected, ...] = ()
        if ratios:
            because = (
                f"mean of {counted(len(ratios), 'ratio')} of queries per dollar to {baseline.model or 'the baseline'}"
            )
            value, found = cost.mean_ratio([one for one, _ in ratios]), mean_range([one for _, one in ratios])
            rests = tuple(
                Ref(one.name, f"{use}, queries per dollar", figure.text)
                for one in (baseline, row)
                for use, figure in zip(table.uses, one.per_dollar, strict=True)
                if figure is not None
            )
            expected = (Expected(value, found, because, rests),)
        lacks = "" if expected else "queries per dollar are missing"
        yield Figure("cost reduction", table.place, row.name, "average cost reduction", row.ratio, expected, lacks)


def savings(table: CostTable) -> list[Saving]:
    """What each candidate of a table saves."""
    found = []
    for row, baseline in _with_baselines(table):
        ratios = _ratios(row, baseline)
        if row is baseline or not ratios:
            continue
        before, after = [[figure.value for figure in one.per_dollar if figure] for one in (baseline, row)]
        pooled = cost.pooled_ratio(before, after)
        average, cheaper = cost.mean_ratio([one for one, _ in ratios]), cost.cheaper_percent(pooled)
        found.append(Saving(table.place, row.hardware, row.model, float(average), float(pooled), float(cheaper)))
    return found


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


def cost_ratios(table: CostTable) -> Iterator[tuple[Fraction, Range]]:
    """Every ratio of a candidate to its baseline: printed, of queries per dollar, and of what was measured."""
    for row, baseline in _with_baselines(table):
        if row.ratio is not None:
            yield row.ratio.value, row.ratio.range
        if row is baseline:
            continue
        yield from _ratios(row, baseline)
        for own, base in zip(row.measured, baseline.measured, strict=True):
            if own is None or base is None:
                continue
            top, bottom = (base, own) if table.stream == "single-stream" else (own, base)
            found = top.range.over(bottom.range)
            if found is not None:
                yield cost.ratio(table.stream or "multi-stream", base.value, own.value), found
