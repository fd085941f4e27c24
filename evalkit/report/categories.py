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
    from collections.abc import Mapping

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

    task: str
    candidate: str
    rows: tuple[Category, ...]
    sentence: str
    """What so many rows can tell."""


@dataclass(frozen=True, slots=True)
class _Found:
    task: str
    """Its name: two tasks may have one title."""
    title: str
    name: str
    comparison: Comparison


def tables(report: Report) -> list[CategoryTable]:
    """One table for each task and candidate that has groups."""
    held = {label: _beyond_chance(report, label) for label in report.candidates}
    family = {label: _family(report, label) for label in report.candidates}
    return [
        CategoryTable(
            one.title,
            label,
            tuple(Category(name, group, (one.name, name) in held[label]) for name, group in found.items()),
            _sentence(one.title, found, {name for task, name in held[label] if task == one.name}, family[label]),
        )
        for one, label, found in (
            (row.part.task, label, found) for row in report.rows for label, found in row.groups.items() if found
        )
    ]


def largest_loss(report: Report, label: str) -> str:
    """The group of a candidate that lost most, in one sentence; empty where none is beyond chance."""
    held = _beyond_chance(report, label)
    lost = [one for one in _tested(report, label) if (one.task, one.name) in held]
    if not lost:
        return ""
    worst = min(lost, key=lambda one: (one.comparison.recovery.percent or 0.0, one.task, one.name))
    return (
        f"Largest loss in a group: {worst.name} ({worst.title}), {recovery_text(worst.comparison)}, beyond what chance "
        f"does to one of {_family(report, label)} groups (Holm)"
    )


def _tested(report: Report, label: str) -> list[_Found]:
    """Every group of a candidate that has an interval."""
    return [
        _Found(row.part.task.name, row.part.task.title, name, one)
        for row in report.rows
        for name, one in row.groups.get(label, {}).items()
        if one.totals is not None and one.recovery.high is not None
    ]


def _family(report: Report, label: str) -> int:
    return len(_tested(report, label))


def _beyond_chance(report: Report, label: str) -> set[tuple[str, str]]:
    """Task and name of the groups whose loss holds."""
    if report.plan.smoke:
        return set()
    tested = _tested(report, label)
    found = [stats.p_of_loss((one.comparison.totals,), EVEN) for one in tested if one.comparison.totals is not None]
    stand = stats.holm(found, len(found))
    return {(one.task, one.name) for one, holds in zip(tested, stand, strict=True) if holds}


def _sentence(task: str, found: Mapping[str, Comparison], lost: set[str], family: int) -> str:
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
    named = [name for name in found if name in lost]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{chance} {together}, a loss is shown of {', '.join(named[:_NAMED])}{more}."
