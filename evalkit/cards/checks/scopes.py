"""Of which rows an average may be: every reading that tables are written by, and the one that the figures speak for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.cards.checks.figure import Expected, FigureSpot, Ref
from evalkit.cards.figures import mean, mean_range
from evalkit.cards.roles.averages import average_in, is_overall, of_a_suite, without

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from evalkit.cards.figures import Printed, Range
    from evalkit.cards.nouns import AccuracyTable, CardScores, Stated

_OVERALL = re.compile(r"\b(?:overall|total|all|grand|macro)\b", re.IGNORECASE)
_WEIGHTED = re.compile(r"(?<!un)\bweighted\b|\bmicro\b", re.IGNORECASE)
"""An average of which the plain mean is no reading."""
_AVERAGE_WORDS = re.compile(r"\b(?:average|avg|mean|score|scores|accuracy)\b\.?|[^\w+]", re.IGNORECASE)
_WORDS = re.compile(r"[^\W_]{3,}")
_MOST_VARIED = 100
"""Rows of an average of which readings without some are tried."""
_MOST_AVERAGES = 40
"""Averages of one table that are looked at."""
_MOST_MEMBERS = 14
"""Rows of an average of which subsets are looked at."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that an average is of."""

    members: tuple[int, ...]
    weights: tuple[int, ...] = ()
    """By member, for a weighted mean; empty for a plain one."""
    left_out: tuple[int, ...] = ()
    """Rows that would belong to it, but that the printed averages do not hold."""

    def expected(self, table: AccuracyTable, model: int) -> Expected | None:
        """The mean of a model's scores; None where one is missing."""
        scores = [table.rows[at].scores[model] for at in self.members]
        found = [one for one in scores if one is not None]
        if not found or len(found) < len(scores):
            return None
        value = mean([one.value for one in found], self.weights)
        bounds = mean_range([one.range for one in found], self.weights)
        rests = tuple(
            Ref(table.rows[at].name, table.models[model], one.text) for at, one in zip(self.members, found, strict=True)
        )
        uses = tuple(FigureSpot(at, model) for at in self.members)
        words = f"{'weighted ' if self.weights else ''}mean of {counted(len(found), 'row')}"
        return Expected(value, bounds, words, rests, uses)

    def fits(self, table: AccuracyTable, at: int, model: int) -> bool:
        """Whether a model's printed average follows from these rows."""
        printed = table.rows[at].scores[model]
        if printed is None or self._is_far(table, model, printed):
            return False
        expected = self.expected(table, model)
        return expected is not None and expected.range.overlaps(printed.range)

    def _is_far(self, table: AccuracyTable, model: int, printed: Printed) -> bool:
        """Whether floats are enough to see that a mean is another number: most readings are, of a large table."""
        scores = [table.rows[at].scores[model] for at in self.members]
        weights = self.weights or (1,) * len(scores)
        total, coarse = 0.0, printed.decimals
        for score, weight in zip(scores, weights, strict=True):
            if score is None:
                return True
            total += score.near * weight
            coarse = min(coarse, score.decimals)
        return bool(abs(total / sum(weights) - printed.near) > 2.0 * 10.0**-coarse)

    def explains(self, table: AccuracyTable, at: int, models: Sequence[int]) -> int:
        """How many averages of these models follow."""
        return sum(self.fits(table, at, model) for model in models)

    def recoveries(self, table: AccuracyTable, at: int) -> int:
        """How many recoveries of an average, in its row or in one under it, follow from these rows."""
        behind = table.rows[at + 1 : at + 2]
        stated = [*table.rows[at].stated, *(one for row in behind if row.kind == "recovery" for one in row.stated)]
        told = [one for one in stated if one.kind == "recovery" and one.model != one.base]
        return sum(self._gives(table, one) for one in told)

    def _gives(self, table: AccuracyTable, one: Stated) -> bool:
        base, cand = self.expected(table, one.base), self.expected(table, one.model)
        ratio = cand.range.over(base.range) if base and cand else None
        return ratio is not None and any(ratio.times(unit).overlaps(one.printed.range) for unit in (100, 1))


def scopes(table: AccuracyTable, at: int) -> list[Scope]:
    """Every reading, the usual one first."""
    row, rows = table.rows[at], table.rows
    tasks = [one for one, other in enumerate(rows) if other.kind == "task"]
    own = [one for one in tasks if rows[one].group == row.group]
    stops = [one for one, other in enumerate(rows) if other.kind == "average" and one != at]
    before, behind = (
        max((one for one in stops if one < at), default=-1),
        min((s for s in stops if s > at), default=len(rows)),
    )
    since, until = [one for one in tasks if before < one < at], [one for one in tasks if at < one < behind]
    averages = [one for one in stops if rows[one].sure and one != at]
    near = [[one for one in side if one in own] for side in (since, until)]
    first = bool(own) and min(own) > at
    readings = [*(reversed(near) if first else near), own, *([until, since] if first else [since, until])]
    wide = [tasks, averages if len(averages) > 1 else [], [one for one in tasks if one < at]]
    wide += [sorted([*tasks, *averages])] if averages else []
    overall = bool(_OVERALL.search(row.label)) or not own or (not near[0] and not near[1])
    if table.turned and not overall:
        readings = [own, *near, since, until]
    ordered = [*wide, *readings] if overall else [*readings, *wide]
    ordered += [_named(table, at, tasks)]
    found = [Scope(members) for members in _kept(table, at, ordered) if members]
    every = list(dict.fromkeys([*found, *_variants(table, found)]))
    return [one for one in every if one.weights] if _WEIGHTED.search(row.label) else every


def _kept(table: AccuracyTable, at: int, readings: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The readings without the rows that the average's name leaves out: those of that name, or with it in theirs."""
    told = set(_WORDS.findall(without(table.rows[at].label).lower()))
    words = {one: set(_WORDS.findall(table.rows[one].label.lower())) for members in readings for one in members}
    named = [{one for one in words if words[one] <= told}, {one for one in words if words[one] & told}] if told else []
    left_out = [some for some in named if some] or [set()]
    return [tuple(one for one in members if one not in some) for some in left_out for members in readings]


def _variants(table: AccuracyTable, found: Sequence[Scope]) -> Iterator[Scope]:
    """Readings without the rows of another kind, and weighted ones where the table has weights."""
    inside = {one for row in table.rows for members in row.over for one in members.rows}
    for scope in found:
        if len(scope.members) > _MOST_VARIED:
            continue
        rows = [table.rows[at] for at in scope.members]
        leaves, tops = [not row.over for row in rows], [at not in inside for at in scope.members]
        alike = [row.better != "lower" and not _on_another_scale(row) for row in rows]
        stated = [bool(row.stated) for row in rows]
        for keep in (alike, stated, [one and other for one, other in zip(alike, stated, strict=True)], leaves, tops):
            kept = tuple(at for at, kind in zip(scope.members, keep, strict=True) if kind)
            if kept and kept != scope.members:
                yield Scope(kept)
        for weights in ([row.n(0) for row in rows], [row.weight for row in rows]):
            whole = [weight for weight in weights if weight]
            if len(whole) == len(rows) > 1 and len(set(whole)) > 1:
                yield Scope(scope.members, tuple(whole))


def _on_another_scale(row: CardScores) -> bool:
    """Whether a row has ratings: scores above 100, or between 1 and 10 throughout, as judges give them."""
    scores = [one.value for one in row.scores if one is not None]
    return any(value > 100 for value in scores) or all(1 < value <= 10 for value in scores)


def _named(table: AccuracyTable, at: int, tasks: Sequence[int]) -> list[int]:
    """The rows that the average's own name names, or whose names begin or end as it does.

    A row of which the name is but "average" or "accuracy" is named by none: the word is that of a metric in both.
    """
    label = table.rows[at].label
    rest = _AVERAGE_WORDS.sub("", label).lower()
    told = [one for one in tasks if len(table.rows[one].label) > 2 and _AVERAGE_WORDS.sub("", table.rows[one].label)]
    inside = [one for one in told if table.rows[one].label.lower() in label.lower()]
    if len(inside) > 1:
        return inside
    if len(rest) < 2:
        return []
    names = {one: _AVERAGE_WORDS.sub("", table.rows[one].name).lower() for one in tasks}
    return [one for one, name in names.items() if name.startswith(rest) or name.endswith(rest)]


@lru_cache(maxsize=64)
def chosen(table: AccuracyTable, at: int) -> tuple[Scope | None, bool]:
    """The reading that explains the most printed averages, and whether it can be relied on.

    Of several that explain as many it is the one from whose rows the most recoveries of the average follow. None
    where there is no row to be an average of. One row alone has no average, and that of a suite may be of rows that
    are not in the table: neither is relied on where it explains nothing. Where a part of a reading explains at least
    two averages more than any whole one, it is that (``left_out`` names the rest).
    """
    found = scopes(table, at)
    if not found:
        return None, False
    models = telling(table, at)
    explained: list[int] = []
    for scope in found:
        explained.append(scope.explains(table, at, models))
        if explained[-1] == len(models):
            return scope, True  # no other reading explains more
    most = max(explained)
    if not _has_its_number(table, at, found):
        return found[0], False
    part = _part(table, at, found, models, most + 2)
    if part is not None:
        return part, True
    best = [scope for scope, number in zip(found, explained, strict=True) if number == most]
    scope = best[0] if len(best) == 1 or not most else max(best, key=lambda one: one.recoveries(table, at))
    if len(scope.members) == 1 or (not most and _may_be_of_others(table, at)):
        return scope, False
    count = sum(score is not None for score in table.rows[at].scores)
    several = len(models) - most > 1 and (count > 3 or (table.turned and count > 2))
    return scope, not several or 4 * most >= len(models)


def _may_be_of_others(table: AccuracyTable, at: int) -> bool:
    """Whether an average names a suite, by itself or by its category, of which the table has no rows."""
    row = table.rows[at]
    tasks = [one for one, other in enumerate(table.rows) if other.kind == "task"]
    own = [one for one in tasks if row.category and table.rows[one].group == row.group]
    if len(own) > 1 or len(_named(table, at, tasks)) > 1:
        return False
    return of_a_suite(row.label) or (bool(row.category) and not is_overall(row.category))


def _has_its_number(table: AccuracyTable, at: int, found: Sequence[Scope]) -> bool:
    """Whether some reading has as many tasks as the average's name says: "Avg (56)" of five columns is of others."""
    told = table.rows[at].weight
    return told is None or any(told in {len(scope.members), sum(scope.weights)} for scope in found)


def telling(table: AccuracyTable, at: int) -> list[int]:
    """The models whose average tells readings apart: not every figure above it is the same; all where there is none."""
    tasks = [row for row in table.rows if row.kind == "task"]
    printed = [model for model, score in enumerate(table.rows[at].scores) if score is not None]
    told = [
        model
        for model in printed
        if len({score.value for row in (*tasks, table.rows[at]) if (score := row.scores[model]) is not None}) > 1
    ]
    return told or printed


def _part(table: AccuracyTable, at: int, found: Sequence[Scope], models: Sequence[int], least: int) -> Scope | None:
    """A reading without a few of its rows that explains ``least`` of the averages or more.

    A definition that no heading tells has to be shown by most rows of models; a stale average by every column.
    """
    least = max(least, -(-2 * len(models) // 3) if table.turned else len(models))
    if least > len(models):
        return None
    best, most = None, least - 1
    for scope in found[:3]:
        if not 3 <= len(scope.members) <= _MOST_MEMBERS or scope.weights:
            continue
        for size in (1, 2, 3) if table.turned else (1,):
            for dropped in combinations(scope.members, size):
                kept = tuple(one for one in scope.members if one not in dropped)
                part = Scope(kept, left_out=dropped)
                count = part.explains(table, at, models) if len(kept) > 1 else 0
                if count > most:
                    best, most = part, count
                if most == len(models):
                    return best
    return best


@lru_cache(maxsize=64)
def settled(table: AccuracyTable) -> AccuracyTable:
    """The table with each doubtful average decided: an average where it follows from other rows, else a task.

    Of very many averages the last are not looked at.
    """
    rows = list(table.rows)
    averages = [at for at, row in enumerate(rows) if row.kind == "average"]
    for at in averages[_MOST_AVERAGES:]:
        rows[at] = replace(rows[at], kind="other")
    undecided = [at for at in averages[:_MOST_AVERAGES] if not rows[at].sure]
    while undecided:
        for at in undecided:
            rows[at] = _decided(replace(table, rows=tuple(rows)), at)
        # What became a task is a row of the averages around it, so that these are looked at again.
        kept = [at for at in undecided if rows[at].kind == "average"]
        undecided = kept if len(kept) < len(undecided) else []
    return replace(table, rows=tuple(rows))


def _decided(table: AccuracyTable, at: int) -> CardScores:
    """A doubtful average as what the other rows say that it is."""
    row = table.rows[at]
    tasks = [one for one, other in enumerate(table.rows) if other.kind == "task"]
    told = Scope(tuple(_named(table, at, tasks)))
    if len(told.members) > 1 and told.explains(table, at, telling(table, at)):
        return replace(row, sure=True)
    named = average_in(row.label) == "yes"
    for scope in scopes(table, at):
        alone = len(scope.members) == 1
        # The only row of its group is an average as well, and any other row that is equal is so by chance.
        near = alone and named and table.rows[scope.members[0]].group == row.group
        if (near or not alone) and _mostly_explains(scope, table, at):
            return replace(row, sure=True)
    return replace(row, kind="other" if is_overall(row.label) else "task")


def _mostly_explains(scope: Scope, table: AccuracyTable, at: int) -> bool:
    """Whether more than half of the printed averages follow, without columns that have one figure throughout."""
    models = telling(table, at)
    return 2 * scope.explains(table, at, models) > len(models)


def mean_of(ranges: Sequence[tuple[Fraction, Range]]) -> tuple[Fraction, Range]:
    """The mean of numbers with their ranges."""
    return mean([value for value, _ in ranges]), mean_range([bounds for _, bounds in ranges])
