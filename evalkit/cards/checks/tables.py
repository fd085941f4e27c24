"""Every figure of an accuracy table that others determine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.cards.checks.averages import average_figures
from evalkit.cards.checks.groups import group_figures
from evalkit.cards.checks.scopes import settled
from evalkit.cards.checks.stated import stated_figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.checks.figure import Figure
    from evalkit.cards.nouns import AccuracyTable


def table_figures(table: AccuracyTable) -> Iterator[Figure]:
    """Recoveries, differences and averages, checked and unchecked; doubtful averages are settled first."""
    decided = settled(table)
    yield from stated_figures(decided)
    yield from average_figures(decided)
    yield from group_figures(decided)
