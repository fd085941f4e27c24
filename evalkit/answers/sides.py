"""Both sides of every task that two sources have, and what their comparison comes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, near_miss
from evalkit.base.printable import counted
from evalkit.comparison import averages, in_parts, verdict
from evalkit.comparison.pairs import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.answers.reading import ReadAnswers
    from evalkit.comparison.verdict import Judgement
    from evalkit.config.policy import Policy

    Sides = Mapping[str, tuple[Side, Side]]


@dataclass(frozen=True, slots=True)
class Compared:
    """The rows of a comparison, and what is said beside them."""

    averages: Sequence[Judgement]
    tasks: Sequence[Judgement]
    doubts: Sequence[str] = ()
    """What speaks against the baseline as a measure."""
    notes: Sequence[str] = ()
    """What concerns the comparison as a whole."""

    @property
    def rows(self) -> list[Judgement]:
        """The averages first, as in a run's report."""
        return [*self.averages, *self.tasks]


def matched(
    named: tuple[str, str],
    found: tuple[ReadAnswers, ReadAnswers],
    tasks: Sequence[str] = (),
    expected: int | None = None,
) -> Sides:
    """Both sides of every task that is meant. A single task on both sides is one pair, whatever the names say.

    Args:
        named: How messages name the two sources.
        found: What they hold, the baseline's first.
        tasks: Those that are meant; empty for all.
        expected: How many samples the one task has, where the sources cannot tell.

    Raises:
        DataError: The sources are of two formats, lack a task, or hold more samples than are expected.
    """
    baseline, candidate = found
    if baseline.format != candidate.format:
        raise DataError(
            f"{named[0]} is {baseline.format}, {named[1]} is {candidate.format}: "
            "their ids do not name the same samples",
            fix="compare two files of one format",
        )
    sides = _matched(baseline.tasks, candidate.tasks)
    unknown = [name for name in tasks if name not in sides]
    if unknown:
        where = f"no task '{unknown[0]}' in {named[0]} or {named[1]}"
        raise DataError(where, fix=near_miss(unknown[0], filter(None, sides)))
    chosen = {name: pair for name, pair in sides.items() if name in tasks or not tasks}
    if expected is not None:
        if len(chosen) > 1:
            raise DataError(f"--expected {expected} with {counted(len(chosen), 'task')}", fix="choose one with --task")
        chosen = {name: (_expecting(one, expected), other) for name, (one, other) in chosen.items()}
    return chosen


def judged(sides: Sides, averaged: Mapping[str, Sequence[str]], rules: Policy, accepted: Sequence[str]) -> Compared:
    """Every average that the run itself has, as far as all its tasks are here, and every task; tested together."""
    compared = {name: in_parts.compare(name, *pair, accepted=accepted) for name, pair in sides.items()}
    whole = {name: tasks for name, tasks in averaged.items() if len(tasks) > 1 and compared.keys() >= {*tasks}}
    covered = {task for tasks in whole.values() for task in tasks}
    means = [
        verdict.judge(
            averages.average(name, [compared[task] for task in tasks]), rules.for_average(name), rules.max_failed
        )
        for name, tasks in whole.items()
    ]
    rows = [
        verdict.judge(one, rules.for_task(name, averaged=name in covered), rules.max_failed)
        for name, one in compared.items()
    ]
    together = verdict.together([*means, *rows])
    return Compared(together[: len(means)], together[len(means) :])


def _matched(baseline: Mapping[str, Side], candidate: Mapping[str, Side]) -> Sides:
    if len(baseline) == len(candidate) == 1:
        (name, one), (other, two) = *baseline.items(), *candidate.items()
        return {name or other: (one, two)}
    if "" in {*baseline, *candidate}:
        raise DataError("one side has several tasks, the other does not say which task it is", fix="name two files")
    return {
        name: (baseline.get(name, Side("baseline", {})), candidate.get(name, Side("candidate", {})))
        for name in dict.fromkeys([*baseline, *candidate])
    }


def _expecting(side: Side, expected: int) -> Side:
    if len(side.known) > expected:
        raise DataError(
            f"{side.label} has {counted(len(side.known), 'sample')}, expected {expected}", fix="correct --expected"
        )
    return replace(side, planned=expected, available=expected)
