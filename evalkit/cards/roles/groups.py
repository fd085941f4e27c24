"""Rows that stand for other rows: MMLU over its subjects, "STEM" over some of them, BBH over its tasks."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.cards.nouns import Members
from evalkit.cards.sizes import group_names, only_settings, part_size, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import AccuracyTable, CardScores

_MARK = re.compile(r"\s*(?:[-\N{EN DASH}\N{EM DASH}•·↳└├∟▸>+]|--)\s*(?=\w)")
_BRACKETS = re.compile(r"\([^()]{0,200}\)|\[[^\[\]]{0,200}\]")
_WORD = re.compile(r"[a-z0-9+]+")
_MOST_ROWS = 200
"""Rows of a table in which it is looked for."""


def with_groups(table: AccuracyTable) -> AccuracyTable:
    """The table whose rows know of which others they may be the mean."""
    tasks = [at for at, row in enumerate(table.rows) if row.kind == "task"]
    if not 3 <= len(tasks) <= _MOST_ROWS:
        return table
    rows = list(table.rows)
    for at in tasks:
        told, choices = _choices(table, tasks, at)
        over = tuple(dict.fromkeys(one for rows_of in choices for one in _readings(table, at, rows_of)))
        if over:
            rows[at] = replace(rows[at], over=over, stands_for=told)
    return replace(table, rows=tuple(rows))


def _choices(table: AccuracyTable, tasks: Sequence[int], at: int) -> tuple[bool, list[list[int]]]:
    """The rows that one may stand for, by mark, by name and by place; and whether it stands for some beyond doubt."""
    whole = size_of(_task(table.rows[at]))
    parts = whole is not None and bool(whole.parts)
    marked, named = _marked(table, tasks, at), _named(table, tasks, at)
    choices = [*_without_groups(table, marked), *_without_groups(table, named)]
    if _is_group(table.rows[at]) and sum(_is_group(table.rows[one]) for one in tasks) > 1:
        around = _around(table, tasks, at)
        return bool(around), [*around, *choices]
    if parts and not choices:
        own = [one for one in tasks if one != at and _part(table, at, one)]
        choices = _without_groups(table, own)
    told = whole is not None and (
        whole.part is not None or any(_part(table, at, one) for rows in choices for one in rows)
    )
    return told and bool(choices), choices


def _readings(table: AccuracyTable, at: int, rows: Sequence[int]) -> Iterator[Members]:
    """The plain mean of some rows, and the one by their numbers of samples where all are known."""
    weights = [table.rows[one].n(0) or part_size(_task(table.rows[at]), _bare(_task(table.rows[one]))) for one in rows]
    known = tuple(weight for weight in weights if weight)
    yield Members(tuple(rows))
    if len(known) == len(rows) and len(set(known)) > 1:
        yield Members(tuple(rows), known)


def _marked(table: AccuracyTable, tasks: Sequence[int], at: int) -> list[int]:
    """The rows under one whose names begin with a dash or the like, as its own does not."""
    found: list[int] = []
    if table.turned or _MARK.match(_task(table.rows[at])):
        return found
    for one in tasks[tasks.index(at) + 1 :]:
        if not _MARK.match(_task(table.rows[one])):
            break
        found.append(one)
    return found if len(found) > 1 else []


def _named(table: AccuracyTable, tasks: Sequence[int], at: int) -> list[int]:
    """The rows whose names begin with the whole name of one and go on: "MMLU STEM", "bbh_snarks"."""
    own = _words(_BRACKETS.sub(" ", _task(table.rows[at])))
    size = size_of(_task(table.rows[at]))
    if not own:
        return []
    found = []
    for one in tasks:
        words = _words(_task(table.rows[one]))
        if one == at or len(words) <= len(own) or words[: len(own)] != own:
            continue
        listed = size is not None and bool(size.parts) and not size.part
        other = size is not None and size_of(_task(table.rows[one])) is not None
        if _part(table, at, one) if listed else not other:
            found.append(one)
    return found if len(found) > 1 else []


def _around(table: AccuracyTable, tasks: Sequence[int], at: int) -> list[list[int]]:
    """The rows from one group's row to the next, below it and above it."""
    groups = [one for one in tasks if _is_group(table.rows[one])]
    number = groups.index(at)
    before = groups[number - 1] if number else -1
    behind = groups[number + 1] if number + 1 < len(groups) else len(table.rows)
    sides = [[one for one in tasks if at < one < behind], [one for one in tasks if before < one < at]]
    # The first rows above all groups, or the last below, may be other benchmarks: they are no subjects.
    sides = [[one for one in side if size_of(_task(table.rows[one])) is None] for side in sides]
    return [side for side in sides if len(side) > 1]


def _without_groups(table: AccuracyTable, rows: Sequence[int]) -> list[list[int]]:
    """Some rows, or of groups and their parts one or the other alone."""
    groups = [one for one in rows if _is_group(table.rows[one])]
    parts = [one for one in rows if one not in groups]
    return [some for some in (groups, parts, list(rows) if not (groups and parts) else []) if len(some) > 1]


def _part(table: AccuracyTable, at: int, other: int) -> bool:
    """Whether a row is called as a known part of another one's benchmark."""
    label = _bare(_task(table.rows[other]))
    size = size_of(_task(table.rows[at]))
    listed = size is not None and size.part is None
    return listed and size_of(label) is None and part_size(_task(table.rows[at]), label) is not None


def _is_group(row: CardScores) -> bool:
    return "".join(_words(_BRACKETS.sub(" ", _bare(_task(row))))).removeprefix("mmlu") in group_names()


def _task(row: CardScores) -> str:
    """What a row is of: its label, or its category where the label is a metric."""
    return row.category if row.category and only_settings(row.label) else row.label


def _bare(label: str) -> str:
    """A name without the mark before it."""
    return _MARK.sub("", label, count=1) if _MARK.match(label) else label


def _words(label: str) -> list[str]:
    return _WORD.findall(label.lower().replace("_", " "))
