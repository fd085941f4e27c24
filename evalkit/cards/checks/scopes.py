"""Of which rows an average may be: every reading that tables are written by, and the one that the figures speak for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.cards.checks.figure import Expected, FigureSpot, Ref
from evalkit.cards.figures import Range, mean, mean_range
from evalkit.cards.roles.averages import average_in, is_overall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import AccuracyTable, CardScores

_OVERALL = re.compile(r"\b(?:overall|total|all|grand|macro)\b", re.IGNORECASE)
_AVERAGE_WORDS = re.compile(r"\b(?:average|avg|mean|score|scores|accuracy)\b\.?|[^\w]", re.IGNORECASE)
_MOST_VARIED = 60
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
        weights = self.weights or (1,) * len(found)
        total = sum(weights)
        value = sum((one.value * weight for one, weight in zip(found, weights, strict=True)), Fraction(0)) / total
        ends = [
            sum((end * weight for end, weight in zip(side, weights, strict=True)), Fraction(0)) / total
            for side in ([one.range.low for one in found], [one.range.high for one in found])
        ]
        rests = tuple(
            Ref(table.rows[at].name, table.models[model], one.text) for at, one in zip(self.members, found, strict=True)
        )
        uses = tuple(FigureSpot(at, model) for at in self.members)
        words = f"{'weighted ' if self.weights else ''}mean of {counted(len(found), 'row')}"
        return Expected(value, Range(ends[0], ends[1]), words, rests, uses)

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

    def explains(self, table: AccuracyTable, at: int) -> int:
        """How many models' averages follow."""
        return sum(self.fits(table, at, model) for model in range(len(table.models)))


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
    overall = bool(_OVERALL.search(row.label)) or not own or (not near[0] and not near[1])
    if table.turned and not overall:
        readings = [own, *near, since, until]
    ordered = [*wide, *readings] if overall else [*readings, *wide]
    ordered += [_named(table, at, tasks)]
    found = [Scope(tuple(members)) for members in ordered if members]
    return list(dict.fromkeys([*found, *_variants(table, found)]))


def _variants(table: AccuracyTable, found: Sequence[Scope]) -> Iterator[Scope]:
    """Readings without the rows of another kind, and weighted ones where the table has weights."""
    for scope in found:
        if len(scope.members) > _MOST_VARIED:
            continue
        rows = [table.rows[at] for at in scope.members]
        alike = [row.better != "lower" and not _on_another_scale(row) for row in rows]
        stated = [bool(row.stated) for row in rows]
        for keep in (alike, stated, [one and other for one, other in zip(alike, stated, strict=True)]):
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
    """The rows that the average's own name names, or whose names begin as it does."""
    label = table.rows[at].label
    rest = _AVERAGE_WORDS.sub("", label).lower()
    inside = [one for one in tasks if len(table.rows[one].label) > 2 and table.rows[one].label.lower() in label.lower()]
    if len(inside) > 1:
        return inside
    if len(rest) < 3:
        return []
    return [one for one in tasks if _AVERAGE_WORDS.sub("", table.rows[one].name).lower().startswith(rest)]


def chosen(table: AccuracyTable, at: int) -> tuple[Scope | None, bool]:
    """The reading that explains the most printed averages, and whether it can be relied on.

    None where there is no row to be an average of. Where no reading explains any, it is the usual one, or a part
    of it that explains all of them (``left_out`` names the rest).
    """
    found = scopes(table, at)
    count = sum(score is not None for score in table.rows[at].scores)
    if not found:
        return None, False
    explained: list[int] = []
    for scope in found:
        explained.append(scope.explains(table, at))
        if explained[-1] == count:
            break  # no other reading explains more
    most = max(explained)
    if most == 0 and count > 1:
        # A definition that no heading tells has to be shown by most rows; a stale average by every column.
        part = _part(table, at, found, max(2, -(-2 * count // 3)) if table.turned else count)
        if part is not None:
            return part, True
    scope = found[explained.index(most)]
    clear = 4 * most >= count if count > 3 or (table.turned and count > 2) else True
    return scope, clear


def _part(table: AccuracyTable, at: int, found: Sequence[Scope], least: int) -> Scope | None:
    """A reading without one or two of its rows that explains ``least`` of the printed averages."""
    for scope in found[:3]:
        if not 3 <= len(scope.members) <= _MOST_MEMBERS or scope.weights:
            continue
        for size in (1, 2, 3) if table.turned else (1,):
            for dropped in combinations(scope.members, size):
                kept = tuple(one for one in scope.members if one not in dropped)
                part = Scope(kept, left_out=dropped)
                if len(kept) > 1 and part.explains(table, at) >= least:
                    return part
    return None


def settled(table: AccuracyTable) -> AccuracyTable:
    """The table with each doubtful average decided: an average where it follows from other rows, else a task.

    Of very many averages the last are not looked at.
    """
    rows = list(table.rows)
    averages = [at for at, row in enumerate(rows) if row.kind == "average"]
    for at in averages[_MOST_AVERAGES:]:
        rows[at] = replace(rows[at], kind="other")
    for at, row in enumerate(rows):
        if row.kind != "average" or row.sure:
            continue
        now = replace(table, rows=tuple(rows))
        least = 1 if average_in(row.label) == "yes" else 2
        fits = any(len(scope.members) >= least and _mostly_explains(scope, now, at) for scope in scopes(now, at))
        rows[at] = replace(row, sure=True) if fits else replace(row, kind="other" if is_overall(row.label) else "task")
    return replace(table, rows=tuple(rows))


def _mostly_explains(scope: Scope, table: AccuracyTable, at: int) -> bool:
    """Whether more than half of the printed averages follow, without columns that have one figure throughout."""
    varied = [
        model
        for model, printed in enumerate(table.rows[at].scores)
        if printed
        and len({score.value for one in scope.members if (score := table.rows[one].scores[model])} | {printed.value})
        > 1
    ]
    models = varied or [model for model, printed in enumerate(table.rows[at].scores) if printed]
    return 2 * sum(scope.fits(table, at, model) for model in models) > len(models)


def mean_of(ranges: Sequence[tuple[Fraction, Range]]) -> tuple[Fraction, Range]:
    """The mean of numbers with their ranges."""
    return mean([value for value, _ in ranges]), mean_range([bounds for _, bounds in ranges])
