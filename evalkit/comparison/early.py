"""A comparison whose task was not asked to its end: its look gives the interval."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.comparison import matched
from evalkit.stats import IntervalQuestion, Look, Schedule
from evalkit.stats.early import mean_of, part_of_benchmark, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.comparison.pairs import Comparison
    from evalkit.records.early import KeptLook


def at_look(one: Comparison, kept: KeptLook) -> Comparison:
    """The comparison of a task at the look that was kept of it; the same where there is nothing to look at."""
    totals = one.totals
    if totals is None or totals.clusters < 2 or totals.x <= 0.0:
        return one
    schedule = Schedule(kept.looks, kept.known)
    return _seen(one, Look(kept.number, schedule, part_of_benchmark(totals, kept.units)), totals.clusters)


def average_at_look(one: Comparison, parts: Sequence[Comparison]) -> Comparison:
    """The average of tasks of which some were not asked to their end.

    Tasks that were stopped at looks of their own make no look of their average: no one said beforehand when.
    """
    looks = [part.look for part in parts if part.look is not None]
    if not looks or not one.tasks:
        return one
    together = {(look.number, look.schedule) for look in looks}
    # A task that is a mean of parts is asked whole.
    if len(together) > 1 or looks[0].schedule.known or one.weights:
        why = "its tasks were stopped at looks of their own"
        return replace(one, recovery=replace(matched.undefined(why, one.n), percent=one.recovery.percent))
    seen = [part.look.part if part.look else whole(totals) for part, totals in zip(parts, one.tasks, strict=True)]
    return _seen(one, replace(looks[0], part=mean_of(seen)), sum(totals.clusters for totals in one.tasks))


def words(one: Comparison, look: Look) -> str:
    """How much was asked, and at which look asking stopped."""
    asked = f"{one.planned:,} of {one.available:,} asked" if one.available else f"{one.planned:,} asked"
    return f"{IntervalQuestion.THIS_BENCHMARK}: {asked}, stopped at look {look.number} of {look.schedule.looks}"


def _seen(one: Comparison, look: Look, clusters: int) -> Comparison:
    return replace(one, look=look, recovery=look.recovery(one.n, clusters))
