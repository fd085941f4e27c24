"""Every speedup of a table of times and rates, with what it should be.

Of rates it is candidate over baseline, of times baseline over candidate, on the same hardware in the same setting.
One that stands for several columns is the mean of their ratios; the ratio of the nearest column and the ratio of the
sums are in use as well.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.checks.figure import Expected, Figure, Ref
from evalkit.cards.figures import Range, mean, mean_range
from evalkit.cards.roles.models import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import SpeedRow, SpeedTable

_UNCLEAR = "no reading of the table gives its speedups"
_NO_BASELINE = "no baseline in its setting"
_MISSING = "a figure is missing that it rests on"


@dataclass(frozen=True, slots=True)
class _Stated:
    """A printed speedup with its row, its baseline and every reading of it."""

    row: SpeedRow
    heading: str
    printed: Printed
    readings: tuple[Expected | None, ...]
    without: tuple[Expected, ...]
    """The mean of the ratios without one of them, each with what the one is."""


def speedup_figures(table: SpeedTable) -> Iterator[Figure]:
    """Every printed speedup of a table."""
    by_heading: defaultdict[str, list[_Stated]] = defaultdict(list)
    for row, base in with_baselines(table):
        for heading, place, printed in row.speedups:
            if base is None:
                yield Figure("speedup", table.place, row.name, heading, printed, (), _NO_BASELINE)
                continue
            readings = tuple(_as_printed(one, printed) for one in _readings(table, row, base, place))
            without = () if printed.percent else tuple(_without_one(table, row, base))
            by_heading[f"{heading} {place}"].append(_Stated(row, heading, printed, readings, without))
    columns = list(by_heading.values())
    # Where every measured column has a speedup of its own they are all read alike.
    together = len(columns) == len(table.measures)
    for stated in columns:
        yield from _figures(table, stated, [one for each in columns for one in each] if together else stated)


def _figures(table: SpeedTable, stated: Sequence[_Stated], alike: Sequence[_Stated]) -> Iterator[Figure]:
    """The speedups of one column, by the reading that explains the most of those that are read alike."""
    count = [sum(_fits(one, number) for one in alike) for number in range(len(stated[0].readings))]
    chosen = count.index(max(count)) if count else 0
    full = [one for one in alike if any(one.readings)]
    unclear = len(full) > 2 and (not count or 4 * max(count) < len(full))
    for one in stated:
        reading = one.readings[chosen] if count else None
        expected = (reading,) if reading is not None and not unclear else ()
        lacks = "" if expected else _UNCLEAR if unclear and any(one.readings) else _MISSING
        others = one.without if expected and chosen == 0 else ()
        yield Figure("speedup", table.place, one.row.name, one.heading, one.printed, expected, lacks, others=others)


def _as_printed(reading: Expected | None, printed: Printed) -> Expected | None:
    """A ratio, or the gain in percent that it is: 1.38 times is +38%."""
    if reading is None or not printed.percent:
        return reading
    gain = Range(100 * reading.range.low - 100, 100 * reading.range.high - 100)
    return replace(reading, value=100 * reading.value - 100, range=gain, because=f"{reading.because}, less 1")


def _fits(one: _Stated, number: int) -> bool:
    reading = one.readings[number]
    return reading is not None and reading.range.overlaps(one.printed.range)


def with_baselines(table: SpeedTable) -> Iterator[tuple[SpeedRow, SpeedRow | None]]:
    """Each row with the baseline of its setting: named as one, without a speedup, or with one of 1; None without."""
    by_setting: defaultdict[str, list[SpeedRow]] = defaultdict(list)
    for row in table.rows:
        by_setting[row.setting].append(row)
    for rows in by_setting.values():
        bare = [row for row in rows if all(figure.value == (not figure.percent) for _, _, figure in row.speedups)]
        told = [row for row in rows if whole(row.model)]
        base = told[0] if len(told) == 1 else bare[0] if bare else None
        yield from ((row, base if len(rows) > 1 else None) for row in rows)


def ratio(table: SpeedTable, row: SpeedRow, base: SpeedRow, at: int) -> tuple[Fraction, Range] | None:
    """How many times faster one column says a row is; None where a figure is missing or may be 0."""
    own, other = row.measured[at], base.measured[at]
    if own is None or other is None or not table.better[at]:
        return None
    top, bottom = (own, other) if table.better[at] == "higher" else (other, own)
    found = top.range.over(bottom.range)
    return None if found is None else (top.value / bottom.value, found)


def _readings(table: SpeedTable, row: SpeedRow, base: SpeedRow, place: int) -> Iterator[Expected | None]:
    """Mean of all ratios, ratio of the column before and after, ratio of the sums, always in this order."""
    everything = range(len(table.measures))
    each = len({(heading, at) for heading, at, _ in row.speedups}) > 1
    ratios = [ratio(table, row, base, at) for at in everything]
    told = [one for one in ratios if one is not None]
    rests = tuple(
        Ref(one.name, table.measures[at], figure.text)
        for at in everything
        for one in (base, row)
        if (figure := one.measured[at]) is not None
    )
    because = (
        f"mean of {len(told)} ratios to {base.model or 'the baseline'}" if len(told) > 1 else "the ratio of two figures"
    )
    whole = len(told) == len(ratios) > 0
    yield (
        Expected(mean([one[0] for one in told]), mean_range([one[1] for one in told]), because, rests)
        if whole
        else None
    )
    # The column before it is its own; the one behind it only where every column has a speedup of its own.
    for at, own in ((place - 1, True), (place, each)):
        one = ratios[at] if own and 0 <= at < len(ratios) else None
        yield (
            Expected(*one, f"the ratio of {table.measures[at]} to {base.model or 'the baseline'}", rests)
            if one
            else None
        )
    yield _of_sums(table, row, base, rests)


def _without_one(table: SpeedTable, row: SpeedRow, base: SpeedRow) -> Iterator[Expected]:
    """What a mean would be without one of its ratios, whose two figures are then in question."""
    ratios = {at: one for at in range(len(table.measures)) if (one := ratio(table, row, base, at)) is not None}
    if len(ratios) < 2:
        return
    for at, (value, _) in ratios.items():
        rest = [one for other, one in ratios.items() if other != at]
        own, other = row.measured[at], base.measured[at]
        texts = f"{own.text} beside {other.text}" if own and other else ""
        because = f"the mean without {table.measures[at]}, where {texts} make {float(value):.2f}"
        yield Expected(mean([one[0] for one in rest]), mean_range([one[1] for one in rest]), because)


def _of_sums(table: SpeedTable, row: SpeedRow, base: SpeedRow, rests: tuple[Ref, ...]) -> Expected | None:
    own = [one for one in row.measured if one is not None]
    other = [one for one in base.measured if one is not None]
    if len(set(table.better)) != 1 or not table.better[0] or not len(own) == len(other) == len(table.measures):
        return None
    top, bottom = (own, other) if table.better[0] == "higher" else (other, own)
    sums = [
        Range(sum((one.range.low for one in side), Fraction(0)), sum((one.range.high for one in side), Fraction(0)))
        for side in (top, bottom)
    ]
    found = sums[0].over(sums[1])
    value = sum((one.value for one in bottom), Fraction(0))
    if found is None or not value:
        return None
    return Expected(sum((one.value for one in top), Fraction(0)) / value, found, "the ratio of the sums", rests)
