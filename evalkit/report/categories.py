"""What a report says of groups of samples, such as subjects: each on its own, and which losses are beyond chance.

Of dozens of small groups some look worse by chance alone. So the groups of a candidate, of all tasks together, are one
family that is held to Holm's rule: a group is said to have lost only where the chance that any of them is wrongly said
to is 2.5 %. What is tested is a loss at all, a recovery below 100 %; groups have no threshold of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit import stats
from evalkit.base.printable import agreeing, counted
from evalkit.report.forest import EVEN
from evalkit.report.words import recovery_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.base.types import Task
    from evalkit.comparison.pairs import Comparison
    from evalkit.report.facts import Report

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Category:
    """One group of samples of a task."""

    name: str
    comparison: Comparison
    lost: bool
    """Whether its loss is beyond chance among all groups of the candidate."""


@dataclass(frozen=True, slots=True)
class CategoryTable:
    """The groups of one task, one candidate beside the baseline."""

    name: str
    """Of the task: two tasks may have one title."""
    task: str
    """Its title."""
    candidate: str
    rows: tuple[Category, ...]
    family: int
    """Groups of the candidate, of all tasks, that are held to the rule together."""
    sentence: str
    """What so many rows can tell."""


@dataclass(frozen=True, slots=True)
class _Family:
    """The groups of a candidate that have an interval, of all tasks, by the task's name and their own."""

    size: int
    lost: frozenset[tuple[str, str]]
    """Those whose loss is beyond chance."""


def tables(report: Report) -> list[CategoryTable]:
    """One table for each task and candidate that has groups."""
    families = {label: _family(report, label) for label in report.candidates}
    return [
        _table(row.part.task, label, found, families[label])
        for row in report.rows
        for label, found in row.groups.items()
        if found
    ]


def largest_loss(found: Iterable[CategoryTable], label: str) -> str:
    """The group of a candidate that lost most, by its ``tables``, in a sentence; empty where none is beyond chance."""
    lost = [(table, one) for table in found if table.candidate == label for one in table.rows if one.lost]
    if not lost:
        return ""
    table, worst = min(lost, key=lambda one: (one[1].comparison.recovery.percent or 0.0, one[0].name, one[1].name))
    return (
        f"Largest loss in a group: {worst.name} ({table.task}), {recovery_text(worst.comparison)}, beyond what chance "
        f"does to one of {table.family} groups (Holm)"
    )


def _table(task: Task, label: str, found: Mapping[str, Comparison], family: _Family) -> CategoryTable:
    rows = [Category(name, group, (task.name, name) in family.lost) for name, group in found.items()]
    sentence = _sentence(task.title, found, [one.name for one in rows if one.lost], family.size)
    return CategoryTable(task.name, task.title, label, tuple(rows), family.size, sentence)


def _family(report: Report, label: str) -> _Family:
    tested = [
        ((row.part.task.name, name), one.totals)
        for row in report.rows
        for name, one in row.groups.get(label, {}).items()
        if one.totals is not None and one.recovery.high is not None
    ]
    if report.plan.smoke:
        return _Family(len(tested), frozenset())
    stand = stats.holm([stats.p_of_loss((totals,), EVEN) for _, totals in tested], len(tested))
    return _Family(len(tested), frozenset(key for (key, _), holds in zip(tested, stand, strict=True) if holds))


def _sentence(task: str, found: Mapping[str, Comparison], lost: Sequence[str], family: int) -> str:
    below = sum(one.recovery.high is not None and one.recovery.high < EVEN for one in found.values())
    tested = sum(one.recovery.high is not None for one in found.values())
    chance = (
        f"Small groups differ by chance: with nothing lost, of {counted(tested, 'group')} with an interval "
        f"{stats.ONE_SIDED * tested:.1f} at most would be expected to have all of it below 100 %, and {below} "
        f"{agreeing(below, 'has', 'have')}."
    )
    together = f"Held together with all {family} groups of the candidate (Holm)"
    if not lost:
        return f"{chance} {together}, no group of {task} is shown to have lost anything."
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return f"{chance} {together}, a loss is shown of {', '.join(lost[:_NAMED])}{more}."
