"""Every mean over the rows of a benchmark's parts, by the rule that the table's figures show.

Nothing on a card says whether such a mean is plain or by numbers of samples, and splits differ, so that a row is held
to a rule only where the figures of the row, or of the table's other such rows, follow by it. Half of them are enough
where the numbers of samples are known: no score gives such a mean by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.cards.checks.figure import Figure, FigureSpot
from evalkit.cards.checks.scopes import Scope, telling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.nouns import AccuracyTable

_BY_OTHER_WEIGHTS = "a mean over parts by weights that the card does not print"
_ENOUGH = 3
"""Figures that have to follow by a rule before it holds for a row of which fewer than half do."""


@dataclass(frozen=True, slots=True)
class _Group:
    """A row with the choice of its parts that explains the most of its figures."""

    at: int
    scope: Scope
    follow: int
    of: int


def group_figures(table: AccuracyTable) -> Iterator[Figure]:
    """The scores of rows that stand for others, checked where a rule shows, else with the reason where one is sure."""
    found = [_best(table, at) for at, row in enumerate(table.rows) if row.kind == "task" and row.over]
    for group in found:
        row = table.rows[group.at]
        alike = [one for one in found if bool(one.scope.weights) == bool(group.scope.weights)]
        follow, of = sum(one.follow for one in alike), sum(one.of for one in alike)
        half = 2 * group.follow >= group.of and bool(group.scope.weights)
        own = group.follow == group.of or 2 * group.follow > group.of or half
        shown = own or (group.follow and follow >= _ENOUGH and 2 * follow > of)
        if not shown and not row.stands_for:
            continue
        for model, printed in enumerate(row.scores):
            if printed is None:
                continue
            place = (row.name, table.models[model]) if not table.turned else (table.models[model], row.label)
            one = group.scope.expected(table, model) if shown else None
            expected = (one,) if one is not None else ()
            lacks = "" if expected else _BY_OTHER_WEIGHTS
            spot = FigureSpot(group.at, model)
            yield Figure("average", table.place, *place, printed, expected, lacks, own=spot)


def _best(table: AccuracyTable, at: int) -> _Group:
    models = telling(table, at)
    scopes = [Scope(members.rows, members.weights) for members in table.rows[at].over]
    follow = [scope.explains(table, at, models) for scope in scopes]
    most = max(follow)
    return _Group(at, scopes[follow.index(most)], most, len(models))
