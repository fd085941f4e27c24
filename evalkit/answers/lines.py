"""Lines with ``id`` and ``score``: made by hand, exported, or ``samples/<model>/<task>.jsonl`` of an evalkit run.

Of each line, whether it is JSON or stands in a table: ``id``; ``score``, 0-1, or null or a ``failure`` for a planned
sample without one, or ``left_out`` for one that is not to count, because its references are at fault; optional
``cluster`` (samples that share it are not independent) and ``stratum`` (a fixed group, such as a subject); optional
``question`` or ``content``, ``prompt``, ``reference`` or ``references``, which are compared between the two sides;
``scores`` by metric; ``task`` and ``model``, which tell lines of several apart; ``problem``, which lines that are
attempts at one problem share: they are averaged. Otherwise an id stands in one line only.

Of what ``evalkit export`` writes also ``metric`` and ``dialect``, which must be equal on both sides, ``part`` (whether
all of the task was asked, or a part that was ``drawn``, or the ``first`` rows) and ``available``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import fsum
from typing import TYPE_CHECKING, Any

from evalkit.answers import folders
from evalkit.answers.reading import MetricChoice, ReadAnswers, identity, no_metric, score
from evalkit.base.errors import DataError, near_miss
from evalkit.base.identity import digest, own_id, said
from evalkit.base.scores import SampleScore
from evalkit.comparison.comparability import CONTENT
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side
from evalkit.comparison.score import paired_id
from evalkit.files import textfile
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from evalkit.answers.folders import RunOf
    from evalkit.base.types import Groups, Json

_PARTS = {"drawn": "drawn", "first": "smoke"}
"""What a line's ``part`` says of its side."""


def read(path: Path, lines: Iterable[tuple[str, dict[str, Json]]], choice: MetricChoice) -> ReadAnswers:
    """The tasks of one model in a file.

    Args:
        path: The file: what stands around it may say more.
        lines: What it holds, each line with its place.
        choice: The model that is meant where it holds several, and the metric.

    Raises:
        DataError: With the place of a line that is wrong; or it is not clear which model is meant.
    """
    run = folders.run_of(path, choice)
    found: dict[str, dict[str, _Gathered]] = {}
    for place, line in lines:
        model, task = (_named(line, place, key) for key in ("model", "task"))
        tasks = found.setdefault(model, {})
        if task not in tasks:
            tasks[task] = _Gathered(run, task or run.task, choice.metric_of(task or run.task))
        tasks[task].add(line, place)
    model, tasks = _of_model(path, found, choice)
    if len(tasks) > 1 and "" in tasks:
        raise DataError(f"{path}: some lines name a task, others do not", fix="name it in every line")
    return ReadAnswers("lines", {one.task: one.side(model or run.label) for one in tasks.values()}, run.averages)


def _of_model(path: Path, found: Mapping[str, Any], choice: MetricChoice) -> tuple[str, dict[str, _Gathered]]:
    """The model that is meant, and its tasks."""
    if not found:
        raise DataError(f"{path}: no lines", fix=textfile.ONE_A_LINE)
    option = f"--{choice.role}-model"
    if choice.model is not None and {*found} != {""}:
        if choice.model not in found:
            raise DataError(f"{path}: no model '{choice.model}'", fix=near_miss(choice.model, found))
        return choice.model, found[choice.model]
    if len(found) > 1:
        if "" in found:
            raise DataError(f"{path}: some lines name a model, others do not", fix="name it in every line")
        several = f"{path}: holds {len(found)} models ({', '.join(found)})"
        raise DataError(several, fix=f"choose one with {option}, such as {option} {next(iter(found))}")
    return next(iter(found.items()))


@dataclass(slots=True)
class _Gathered:
    """The lines of one task of one model."""

    run: RunOf
    task: str
    metric: str | None
    """The chosen one; None for that of ``score``."""
    places: dict[str, str] = field(default_factory=dict)
    """By id."""
    values: dict[str, list[float]] = field(default_factory=dict)
    """By id of what is paired, as in the rest."""
    groups: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """Cluster and stratum, also of those without a score."""
    texts: dict[str, dict[str, str | None]] = field(default_factory=dict)
    """Digests of answers by id, where lines have any."""
    counts: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    """Lines, not what is paired."""
    left_out: set[str] = field(default_factory=set)
    content: dict[str, dict[str, str]] = field(default_factory=dict)
    settings: dict[str, Json] = field(default_factory=dict)
    available: int | None = None
    parts: set[str] = field(default_factory=set)

    def add(self, line: dict[str, Json], place: str) -> None:
        """Take in one line."""
        key = identity(line, "id", place)
        if key in self.places:
            fix = "keep one line for each sample; attempts at one problem need ids of their own and a `problem`"
            raise DataError(f"{place}: id '{key}' occurs again, first at {self.places[key]}", fix=fix)
        self.places[key] = place
        unit = _group(line, place, "problem") or paired_id(key, self.run.attempts)
        self.counts[unit] += 1
        metric = self.metric or line.get("metric")
        cluster, stratum = _groups(line, place, self.run.groups)
        # Attempts at one problem are averaged: that they share it is no group any more.
        self.groups[unit] = (None if cluster == unit else cluster, stratum)
        named = _scores(line, place)
        if _is_left_out(line, named, self.metric, metric):
            self.left_out.add(unit)
        elif (value := _value(line, named, place, self.metric)) is None:
            self.failed += 1
        else:
            self.values.setdefault(unit, []).append(value)
            if "answer" in line:
                self.texts.setdefault(unit, {})[key] = digest(line["answer"])[:16]
        if digests := {name: digest(line[name]) for name in CONTENT if line.get(name) is not None}:
            self.content.setdefault(unit, digests)
        self._told(line, place, metric)

    def _told(self, line: Mapping[str, Json], place: str, metric: Json) -> None:
        """What a line says of its task."""
        for name, value in (("metric", metric), ("dialect", line.get("dialect"))):
            if isinstance(value, str) and self.settings.setdefault(name, value) != value:
                raise DataError(f"{place}: {name} {value} beside {self.settings[name]}", fix="compare one at a time")
        part, available = line.get("part"), line.get("available")
        if isinstance(part, str) and part in _PARTS:
            self.parts.add(_PARTS[part])
        if isinstance(available, int | float) and not isinstance(available, bool):
            self.available = int(available)

    def side(self, label: str) -> Side:
        """What the model did on the task."""
        run, named = self.run, self.task and self.task != self.run.task
        several = max(run.attempts, *self.counts.values())
        return Side(
            label=label,
            scores={
                key: SampleScore(
                    key, fsum(values) / len(values), *self.groups[key], attempts=len(values), said=self._said(key)
                )
                for key, values in self.values.items()
            },
            failed=frozenset(self.counts.keys() - self.values.keys() - self.left_out),
            left_out=frozenset(self.left_out - self.values.keys()),
            planned=run.planned,
            available=run.available if self.available is None else self.available,
            smoke=run.smoke or "smoke" in self.parts,
            drawn=run.drawn or "drawn" in self.parts,
            content=self.content,
            settings={**({"task": self.task} if named else {}), **self.settings, **run.settings}
            | ({"metric": self.metric} if self.metric else {}),
            attempts=Attempts(label, self.failed, self.counts.total()) if several > 1 else None,
            several=several,
            model=run.model or label,
            strata={key: own for key, (_, own) in self.groups.items() if own and key not in self.values},
        )

    def _said(self, unit: str) -> str | None:
        """What was answered; None where not every line tells."""
        told = self.texts.get(unit, {})
        return said(told) if len(told) == len(self.values[unit]) else None


def _named(line: Mapping[str, Json], place: str, key: str) -> str:
    """A line's task or model; empty where it names none."""
    value = line.get(key)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{place}: {key} is {shown(value)}", fix=f"a {key} is a text")
    return value or ""


def _scores(line: Mapping[str, Json], place: str) -> dict[str, Json]:
    """Its scores by metric; a table has them as JSON."""
    found = line.get("scores")
    if isinstance(found, str):
        found = textfile.parsed(found, f"{place}: scores")
    return found if isinstance(found, dict) else {}


def _is_left_out(line: Mapping[str, Json], named: Mapping[str, Json], chosen: str | None, metric: Json) -> bool:
    """Whether a line says that the metric could not be applied to its references."""
    if chosen is None and line.get("left_out"):
        return True
    found = named.get(metric) if isinstance(metric, str) else None
    return isinstance(found, dict) and bool(found.get("left_out"))


def _value(line: Mapping[str, Json], named: Mapping[str, Json], place: str, metric: str | None) -> float | None:
    """The score of a line; None for a sample without one."""
    if line.get("failure") is not None:
        if line.get("score") is not None:
            raise DataError(f"{place}: has a score and a failure", fix="keep the one that holds")
        return None
    if metric is not None:
        if metric not in named:
            no_metric(place, metric, named)
        value = named[metric]
        return score(value["value"] if isinstance(value, dict) and "value" in value else value, place, metric)
    if "score" not in line:
        raise DataError(
            f"{place}: no key 'score'", fix=f"it has {', '.join(sorted(line))}; write null for a sample without a score"
        )
    return None if line["score"] is None else score(line["score"], place, "score")


def _groups(line: Mapping[str, Json], place: str, groups: Groups) -> tuple[str | None, str | None]:
    """A line's cluster and stratum. Runs wrote a subject as a cluster once: what a run's groups are, its task says."""
    cluster, stratum = (_group(line, place, name) for name in ("cluster", "stratum"))
    return (None, stratum or cluster) if groups == "fixed" else (cluster, stratum)


def _group(line: Mapping[str, Json], place: str, name: str) -> str | None:
    value = line.get(name)
    try:
        return own_id(value)
    except TypeError as error:
        raise DataError(f"{place}: {name} is {shown(value)}", fix=f"a {name} is a text or a whole number") from error
