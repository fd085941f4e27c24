"""Recoveries, differences and speedups of single rows, and the figures that stand beside scores."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from evalkit.cards.checks.conventions import (
    ASIDES,
    BARE_DIFFERENCES,
    DIFFERENCES,
    GAINS,
    INVERSE,
    LEFT,
    PLAIN,
    RECOVERIES,
    Item,
    best,
    tally,
)
from evalkit.cards.checks.entries import StatedFigure, figure_of, item_of, placed
from evalkit.cards.checks.figure import Expected, Figure
from evalkit.cards.figures import Printed, Range, mean, mean_range
from evalkit.cards.roles import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import AccuracyTable, Better, Stated, StatedKind

_MOST_MODELS = 8
"""Columns of which every pair is tried where a recovery follows from none."""
_MOST_TASKS = 40
UNCLEAR = "no reading of the column gives its figures"
NO_SCORE = "a score is missing, or the baseline rounds to 0"
_QUANTITY = "a quantity that is no score, and no usual formula gives the figure"
_ASIDE = "it is not clear what the figure beside the score is"
_OF_SPEEDUPS = "mean of the speedups"
_SIGNED = (*DIFFERENCES, *BARE_DIFFERENCES)


def stated_figures(table: AccuracyTable) -> Iterator[Figure]:
    """Every stated figure of the rows that have scores of their own; recoveries of averages are apart."""
    columns: defaultdict[tuple[str, str, int], list[StatedFigure]] = defaultdict(list)
    for at, row in enumerate(table.rows):
        for one in row.stated:
            own = _read_as(one)
            if row.kind in {"task", "other"} or (row.kind == "average" and own != "recovery"):
                # Of figures beside scores those of one name are of one kind, whichever model they are of.
                apart = at if table.turned else one.model if own != "aside" else 0
                columns[own, one.column, apart].append(StatedFigure(at, row, one))
    yield from _runs(table, [entry for entries in columns.values() for entry in entries if entry.one.parts])
    asides = [
        [entry for entry in entries if not entry.one.parts] for key, entries in columns.items() if key[0] == "aside"
    ]
    yield from _asides(table, [entries for entries in asides if entries])
    for (kind, _, _), entries in columns.items():
        rest = [entry for entry in entries if not entry.one.parts]
        if kind == "recovery":
            yield from _recoveries(table, rest)
        elif kind == "difference":
            yield from _differences(table, rest)
        elif kind == "speedup":
            yield from _speedups(table, rest)


def _read_as(one: Stated) -> StatedKind:
    """What a figure is checked as: "2.8x" in a column of differences is a ratio."""
    times = one.printed.text.partition(" ")[0].endswith(("x", "×"))
    return "aside" if one.kind == "difference" and times else one.kind


# --- recoveries ---------------------------------------------------------------------------------


def _recoveries(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    """The recoveries of one column: rows where lower is better apart from the others."""
    unit = recovery_unit([entry.one.printed for entry in entries])
    plain = [item_of(table, entry, (PLAIN,), unit) for entry in entries]
    if all(item.fits(0) for item in plain) and not _lower_is_better(entries):
        # Nothing else has to be tried where every figure follows by the usual formula.
        for entry, item in zip(entries, plain, strict=True):
            yield figure_of(table, entry, item, (0,), NO_SCORE)
        return
    entries = _rebased(table, entries, unit)
    lower = [entry for entry in entries if entry.row.better == "lower"]
    lower += _like(table, [entry for entry in entries if _is_open(entry)], lower, unit)
    other = [entry for entry in entries if entry.row.kind == "other" and entry not in lower]
    rest = [entry for entry in entries if entry not in lower and entry not in other]
    yield from _lower(table, lower, unit)
    yield from _higher(table, rest, unit)
    for entry in other:
        item = item_of(table, entry, RECOVERIES, unit)
        fits = any(item.fits(number) for number in range(len(RECOVERIES)))
        yield figure_of(table, entry, item, range(len(RECOVERIES)) if fits else (), _QUANTITY)


def _is_open(entry: StatedFigure) -> bool:
    """Whether a row is that of a task of which nothing says what is better."""
    return entry.row.kind == "task" and not entry.row.better


def _like(
    table: AccuracyTable, some: Sequence[StatedFigure], lower: Sequence[StatedFigure], unit: int
) -> Sequence[StatedFigure]:
    """The entries, where the formula of those in which lower is better explains more of them than the usual one."""
    if not lower or not some:
        return []
    theirs, own = (tally([item_of(table, one, RECOVERIES, unit) for one in each], 3) for each in (lower, some))
    chosen = max((1, 2), key=lambda number: theirs[number])
    return some if theirs[chosen] and own[chosen] > own[0] else []


def _lower_is_better(entries: Sequence[StatedFigure]) -> bool:
    return any(entry.row.better == "lower" for entry in entries)


def _lower(table: AccuracyTable, entries: Sequence[StatedFigure], unit: int) -> Iterator[Figure]:
    """Where lower is better each of the three formulas is in use; two figures that agree on one settle it."""
    formulas = (INVERSE, LEFT, PLAIN)
    items = [item_of(table, entry, formulas, unit) for entry in entries]
    chosen = best(items, len(formulas))
    count = tally(items, len(formulas))[chosen]
    unclear = (len(items) > 2 and not count) or (len(items) > 3 and 4 * count < len(items))
    order = [chosen, *(number for number in range(len(formulas)) if number != chosen and count < 2)]
    order = [] if unclear else order
    for entry, item in zip(entries, items, strict=True):
        used = (
            formulas[chosen] if item.fits(chosen) else next((f for n, f in enumerate(formulas) if item.fits(n)), PLAIN)
        )
        lacks = UNCLEAR if unclear and any(item.expected) else NO_SCORE
        yield figure_of(table, entry, item, order, lacks, "" if used is PLAIN else used.name)


def _higher(table: AccuracyTable, entries: Sequence[StatedFigure], unit: int) -> Iterator[Figure]:
    """The usual formula, unless all figures of a column agree on another one and nothing speaks against it."""
    items = [item_of(table, entry, RECOVERIES, unit) for entry in entries]
    full = [item for item in items if any(item.expected)]
    count = tally(full, len(RECOVERIES))
    known = any(entry.row.better == "higher" for entry in entries) and table.named
    chosen = 0
    for number in (1, 2):
        apart = sum(item.fits(number) and not item.fits(0) for item in full)
        if count[number] == len(full) > 1 and apart > 1 and (RECOVERIES[number] is LEFT or not known):
            chosen = number
    explained = sum(item.fits(0) or item.fits(1) for item in full)
    few = len(full) > 2 and explained == 0
    unclear = not chosen and (few or (len(full) > 3 and 4 * explained < len(full)))
    for entry, item in zip(entries, items, strict=True):
        name = RECOVERIES[chosen].name if chosen else ""
        lacks = UNCLEAR if unclear and any(item.expected) else NO_SCORE
        yield figure_of(table, entry, item, () if unclear else (chosen,), lacks, name)


def _rebased(table: AccuracyTable, entries: Sequence[StatedFigure], unit: int) -> Sequence[StatedFigure]:
    """The entries with other scores, where no figure follows from theirs and all follow from those.

    Of a table whose columns are models it is another pair of columns, else another task.
    """
    told = [item_of(table, entry, RECOVERIES, unit) for entry in entries if entry.one.base != entry.one.model]
    if not told or any(tally(told, 3)) or (table.turned and _in_place(table, entries, unit)):
        return entries
    tries: list[list[StatedFigure]] = []
    if table.turned and len(table.rows) <= _MOST_TASKS:
        tasks = [(at, row) for at, row in enumerate(table.rows) if row.kind == "task"]
        tries = [[replace(entry, at=at, row=row) for entry in entries] for at, row in tasks]
    elif len(entries) > 1 and 2 < len(table.models) <= _MOST_MODELS:
        for base, model in permutations(range(len(table.models)), 2):
            place = f"recovery of {table.models[model]}"
            tries.append([replace(one, one=replace(one.one, base=base, model=model, place=place)) for one in entries])
    fits = (some for some in tries if tally([item_of(table, one, (PLAIN,), unit) for one in some], 1) == [len(entries)])
    return next(fits, entries)


def _in_place(table: AccuracyTable, entries: Sequence[StatedFigure], unit: int) -> bool:
    """Whether a recovery of another column follows from the task that it stands behind."""
    columns = {entry.at for entry in entries}
    others = [(at, row) for at, row in enumerate(table.rows) if at not in columns]
    return any(
        item_of(table, StatedFigure(at, row, one), (PLAIN,), unit).fits(0)
        for at, row in others
        for one in row.stated
        if one.kind == "recovery" and one.model != one.base
    )


def recovery_unit(printed: Sequence[Printed]) -> int:
    """100 where recoveries are percentages, 1 where they are plain ratios."""
    return 1 if printed and all(not one.percent and one.value < 3 for one in printed) else 100


# --- differences, speedups, figures beside scores -----------------------------------------------


def _differences(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    """The differences of one column; those with a percent sign apart where not all have one."""
    for percent in sorted({entry.one.printed.percent for entry in entries}):
        yield from _alike(table, [entry for entry in entries if entry.one.printed.percent == percent])


def _alike(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    plain = [_without_arrow(entry) for entry in entries]
    tried = [(some, [item_of(table, entry, _SIGNED, 100) for entry in some]) for some in (entries, plain)]
    entries, items = max(tried, key=lambda one: max(tally(one[1], len(_SIGNED))))
    full = [item for item in items if any(item.expected)]
    count = tally(full, len(_SIGNED))
    chosen = best(full, len(_SIGNED)) if full else 0
    settled = count[chosen] > 1 and 2 * count[chosen] >= len(full)
    unclear = not settled and (len(full) > 2 or (len(full) > 1 and not count[chosen]))
    for entry, item in zip(entries, items, strict=True):
        order = () if unclear else (chosen,) if settled else range(len(_SIGNED))
        yield figure_of(table, entry, item, order, UNCLEAR if unclear and any(item.expected) else NO_SCORE)


def _without_arrow(entry: StatedFigure) -> StatedFigure:
    """The entry with its arrow as a word for better or worse, and not as a sign."""
    printed = entry.one.printed
    if not printed.pointed:
        return entry
    return replace(entry, one=replace(entry.one, printed=replace(printed, value=abs(printed.value), signed=False)))


def _speedups(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    """How many times faster: rates candidate over baseline, times baseline over candidate."""
    yield from _gains(table, [entry for entry in entries if entry.one.printed.percent])
    for entry in entries:
        if entry.one.printed.percent:
            continue
        item = item_of(table, entry, (PLAIN, INVERSE), 1)
        orders = {"higher": (0,), "lower": (1,), "": (0, 1)}
        way = _way(table, entry)
        order = orders[way]
        fits = any(item.fits(number) for number in order)
        figure = figure_of(table, entry, item, order if fits or way else (), _QUANTITY)
        if entry.row.kind == "average" and figure.expected:
            over = _mean_of_speedups([one for one in entries if one.row.kind != "average"])
            figure = replace(figure, expected=(*figure.expected, *over))
        yield figure


def _mean_of_speedups(entries: Sequence[StatedFigure]) -> list[Expected]:
    """What the average of a column of speedups may be beside the ratio of the averages."""
    printed = [entry.one.printed for entry in entries if not entry.one.printed.percent]
    if len(printed) < 2:
        return []
    return [Expected(mean([one.value for one in printed]), mean_range([one.range for one in printed]), _OF_SPEEDUPS)]


def _way(table: AccuracyTable, entry: StatedFigure) -> Better:
    """Whether a row has rates, of which more is better, or times."""
    return entry.row.better or words.speed(table.models[entry.one.model])


def _gains(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    """Speedups in percent, by the formula that explains the most of their column: 1.5 times is +50% or 150%."""
    allowed = {"higher": {0, 2}, "lower": {1, 2, 3, 4}, "": set(range(len(GAINS)))}
    items = []
    for entry in entries:
        item, ways = item_of(table, entry, GAINS, 100), allowed[_way(table, entry)]
        expected = tuple(one if number in ways else None for number, one in enumerate(item.expected))
        items.append(replace(item, expected=expected))
    chosen = best(items, len(GAINS)) if items else 0
    count = tally(items, len(GAINS))[chosen]
    clear = count > 0 and 2 * count >= len(items)
    for entry, item in zip(entries, items, strict=True):
        yield figure_of(table, entry, item, (chosen,) if clear else (), UNCLEAR if any(item.expected) else NO_SCORE)


def _asides(table: AccuracyTable, columns: Sequence[Sequence[StatedFigure]]) -> Iterator[Figure]:
    """Figures beside scores: what the most of a column are by one formula, else the most of all columns, if any are."""
    items = [[item_of(table, entry, ASIDES, 100) for entry in entries] for entries in columns]
    everywhere = _settled([item for some in items for item in some])
    for entries, own in zip(columns, items, strict=True):
        chosen = _settled(own)
        if chosen is None and everywhere is not None and any(item.fits(everywhere) for item in own):
            chosen = everywhere
        for entry, item in zip(entries, own, strict=True):
            fits = tuple(number for number in range(len(ASIDES)) if item.fits(number))
            yield figure_of(table, entry, item, fits if chosen is None else (chosen,), _ASIDE)


def _settled(items: Sequence[Item]) -> int | None:
    """The formula by which most figures are; None where no one is."""
    chosen = best(items, len(ASIDES)) if items else 0
    count = tally(items, len(ASIDES))[chosen]
    return chosen if count > 1 and 2 * count > len(items) else None


def _runs(table: AccuracyTable, entries: Sequence[StatedFigure]) -> Iterator[Figure]:
    """Scores that are the mean of the figures in their brackets, as most cells of the table show."""
    found: list[tuple[StatedFigure, Printed, Expected]] = []
    for entry in entries:
        printed = entry.row.scores[entry.one.model]
        parts = entry.one.parts
        if printed is None:
            continue
        expected = _of_parts(parts)
        found.append((entry, printed, expected))
    fits = sum(expected.range.overlaps(printed.range) for _, printed, expected in found)
    for entry, printed, expected in found:
        # A share of counts is hit by chance far less often than a mean of runs.
        counted = fits > 0 and expected.range.low == expected.range.high and 2 * fits >= len(found)
        sure = counted or 2 * fits > len(found) > 1 or expected.range.overlaps(printed.range)
        column = table.models[entry.one.model]
        figure = placed("runs", table, entry, column, printed)
        yield replace(figure, expected=(expected,) if sure else (), lacks="" if sure else _ASIDE)


def _of_parts(parts: Sequence[Printed]) -> Expected:
    """What a bracket's figures make: right answers of questions their share in percent, else the mean of runs."""
    right, *rest = parts
    if len(rest) == 1 and not right.decimals and not rest[0].decimals and 0 <= right.value <= rest[0].value > 1:
        share = 100 * right.value / rest[0].value
        return Expected(share, Range(share, share), f"{right.text} of {rest[0].text}")
    because = f"mean of {' and '.join(part.text for part in parts)}"
    return Expected(mean([part.value for part in parts]), mean_range([part.range for part in parts]), because)
