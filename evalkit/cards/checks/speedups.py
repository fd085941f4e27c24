"""Every speedup and compression of a table of times, rates or sizes, with what it should be.

Of rates it is candidate over baseline, of times and sizes baseline over candidate, on the same hardware in the same
setting. One that stands for several columns is the mean of their ratios; the ratio of the nearest column and the ratio
of the sums are in use as well. A percentage is what is gained, what is saved or what is left; the figures say which.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.checks.figure import Expected, Figure, Ref
from evalkit.cards.figures import Range, mean, mean_range
from evalkit.cards.roles.models import referred, whole
from evalkit.cards.roles.words import RATIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import SpeedRow, SpeedTable

_UNCLEAR = {kind: f"no reading of the table gives its {kind}s" for kind in ("speedup", "compression", "saving")}
_NO_BASELINE = "no baseline in its setting"
_MISSING = "a figure is missing that it rests on"


@dataclass(frozen=True, slots=True)
class _Form:
    """How a ratio of improvement is printed."""

    words: str
    compute: Callable[[Fraction], Fraction]
    percent: bool


_RATIO = _Form("{}", lambda ratio: ratio, percent=False)
_GAIN = _Form("{}, less 1", lambda ratio: 100 * ratio - 100, percent=True)
_SAVING = _Form("1 less the inverse of {}", lambda ratio: 100 - 100 / ratio, percent=True)
_CHANGE = _Form("the inverse of {}, less 1", lambda ratio: 100 / ratio - 100, percent=True)
_LEFT = _Form("the inverse of {}", lambda ratio: 100 / ratio, percent=True)
_RELATIVE = _Form("the inverse of {}", lambda ratio: 1 / ratio, percent=False)
_WHOLE = _Form("{}", lambda ratio: 100 * ratio, percent=True)
_FORMS = (_RATIO, _GAIN, _SAVING, _CHANGE, _LEFT, _RELATIVE, _WHOLE)
_OF_RATES = (_RATIO, _GAIN, _WHOLE)
"""More is better, so that nothing is saved."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """A printed speedup with its row, its baseline and every reading of it."""

    row: SpeedRow
    base: SpeedRow
    heading: str
    printed: Printed
    readings: tuple[Expected | None, ...]
    without: tuple[Expected, ...]
    """The mean of the ratios without one of them, each with what the one is."""

    @property
    def tells(self) -> bool:
        """Whether it can tell one reading from another: a baseline beside itself follows by all."""
        return self.row is not self.base and any(self.readings)


def speedup_figures(table: SpeedTable) -> Iterator[Figure]:
    """Every printed speedup or compression of a table."""
    by_heading: defaultdict[str, list[_Stated]] = defaultdict(list)
    for row, usual in with_baselines(table):
        for heading, place, printed in row.speedups:
            base = _referred(table, row, usual, heading)
            if base is None:
                yield Figure(table.kind, table.place, row.name, heading, printed, (), _NO_BASELINE)
                continue
            readings = tuple(_readings(table, row, base, place))
            forms = _OF_RATES if set(table.better) == {"higher"} else _FORMS
            said = tuple(_as_printed(one, printed, form) for form in forms for one in readings)
            without = () if printed.percent else tuple(_without_one(table, row, base))
            by_heading[f"{heading} {place}"].append(_Stated(row, base, heading, printed, said, without))
    columns = list(by_heading.values())
    # Where every measured column has a speedup of its own they are all read alike.
    together = len(columns) == len(table.measures)
    for stated in columns:
        yield from _figures(table, stated, [one for each in columns for one in each] if together else stated)


def _referred(table: SpeedTable, row: SpeedRow, usual: SpeedRow | None, heading: str) -> SpeedRow | None:
    """The row with which a heading says that it compares, in the same setting; else the baseline."""
    rows = [one for one in table.rows if one.setting == row.setting]
    at = next((at for at, one in enumerate(rows) if one is usual), None)
    found = referred(heading, [one.model for one in rows], at)
    return None if found is None else rows[found]


def _figures(table: SpeedTable, stated: Sequence[_Stated], alike: Sequence[_Stated]) -> Iterator[Figure]:
    """The speedups of one column, by the reading that explains the most of those that are read alike."""
    full = [one for one in alike if one.tells] or [one for one in alike if any(one.readings)]
    count = [sum(_fits(one, number) for one in full) for number in range(len(stated[0].readings))]
    first = next(
        (number for number, one in enumerate(zip(*(one.readings for one in full), strict=True)) if all(one)), 0
    )
    chosen = count.index(max(count)) if any(count) else first
    unclear = _is_unclear(table, full, max(count, default=0))
    if not any(count) and _is_plainly_gain(table, full):
        chosen, unclear = first, False
    for one in stated:
        reading = one.readings[chosen]
        expected = (reading,) if reading is not None and not unclear else ()
        lacks = "" if expected else _UNCLEAR[table.kind] if unclear and any(one.readings) else _MISSING
        others = one.without if expected and chosen == 0 else ()
        yield Figure(table.kind, table.place, one.row.name, one.heading, one.printed, expected, lacks, others=others)


def _is_unclear(table: SpeedTable, full: Sequence[_Stated], most: int) -> bool:
    """Whether too few of a column follow by any one reading; a speedup says what it is, the others less so."""
    relative = any(one.printed.percent or RATIO.fullmatch(one.heading.strip()) for one in full)
    if table.kind != "speedup" or relative:
        return 2 * most < len(full) or not most
    return len(full) > 2 and 4 * most < len(full)


def _is_plainly_gain(table: SpeedTable, full: Sequence[_Stated]) -> bool:
    """Whether one figure can be nothing but what is gained: a signed percentage of the only rate there is."""
    alone = len(full) == 1 and table.better == ("higher",)
    return alone and full[0].printed.percent and full[0].printed.signed and whole(full[0].base.model)


def _as_printed(reading: Expected | None, printed: Printed, form: _Form) -> Expected | None:
    """A ratio in one of the forms in which it is printed; None where the figure is of another kind."""
    if reading is None or printed.percent != form.percent or reading.range.low <= 0:
        return None
    ends = sorted(form.compute(end) for end in (reading.range.low, reading.range.high))
    because = form.words.format(reading.because)
    return replace(reading, value=form.compute(reading.value), range=Range(*ends), because=because)


def _fits(one: _Stated, number: int) -> bool:
    reading = one.readings[number]
    return reading is not None and reading.range.overlaps(one.printed.range)


def with_baselines(table: SpeedTable) -> Iterator[tuple[SpeedRow, SpeedRow | None]]:
    """Each row with the baseline of its setting: named as one, without a speedup, or with one of 1; None without."""
    by_setting: defaultdict[str, list[SpeedRow]] = defaultdict(list)
    for row in table.rows:
        by_setting[row.setting].append(row)
    for rows in by_setting.values():
        bare = [row for row in rows if all(_of_itself(figure) for _, _, figure in row.speedups)]
        told = [row for row in rows if whole(row.model)]
        base = told[0] if len(told) == 1 else bare[0] if bare else None
        yield from ((row, base if len(rows) > 1 else None) for row in rows)


def _of_itself(figure: Printed) -> bool:
    """Whether a figure is what a baseline has beside itself."""
    return figure.value in {0, 100} if figure.percent else figure.value == 1


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
