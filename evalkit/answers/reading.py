"""What every format shares: a source's first line, its ids, and the check of a score."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from evalkit import stats
from evalkit.base.errors import DataError, near_miss
from evalkit.base.identity import own_id
from evalkit.files import textfile
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from evalkit.base.types import Dialect, Groups, Json, Task
    from evalkit.comparison.pairs import Side


def _fixed(task: Task) -> Groups:
    """What the groups of a task are of which nothing is known: subjects are what people group by."""
    del task
    return "fixed"


@dataclass(frozen=True, slots=True)
class MetricChoice:
    """What the user chose where a source leaves something open."""

    role: Literal["baseline", "candidate"]
    """Which model of a whole run is meant."""
    metric: str | None = None
    dialect: Dialect = "neuralmagic"
    """Of the metric, where the answers are scored here."""
    tasks: tuple[str, ...] = ()
    """The tasks of a folder that are meant; empty for all. No file of another one is read."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """Task to its metric, in place of ``metric``."""
    model: str | None = None
    """Label of the model that is meant; None where a source has one, or the ``role`` tells."""
    groups_of: Callable[[Task], Groups] = _fixed
    """What the groups of a task's samples are; asked of a run's tasks that do not state it."""

    def metric_of(self, task: str) -> str | None:
        """The metric that was chosen for a task; None for the source's own."""
        return self.metrics.get(task, self.metric)


@dataclass(frozen=True, slots=True)
class ReadAnswers:
    """What a source holds."""

    format: str
    """Two sources can be paired when this is equal."""
    tasks: Mapping[str, Side]
    """By task name; empty name when the source does not tell."""
    averages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The averages that a run itself has: category to its tasks. Nothing else says over what a mean makes sense."""


def first_line(path: Path) -> Json:
    """The first line that is not blank, as JSON; None when it begins a value that spans several lines.

    Raises:
        DataError: The file is empty or is not text, or that line is neither.
    """
    for number, text in textfile.lines(path):
        if text.strip() in {"{", "["}:
            return None
        if text.strip():
            return textfile.parsed(text, f"{path}:{number}")
    raise DataError(f"{path}: the file is empty", fix=textfile.ONE_A_LINE)


def document(path: Path) -> Json:
    """The whole file as one JSON value.

    Raises:
        DataError: It is not.
    """
    return textfile.parsed(textfile.text(path), str(path))


def identity(line: Mapping[str, Json], key: str, place: str) -> str:
    """The id under ``key``: a text or a whole number, 7.0 being 7.

    Raises:
        DataError: There is none, or it is something else.
    """
    if key not in line:
        fix = f"it has {', '.join(sorted(line)) or 'no keys'}"
        if line.keys() & {"id", "doc_id"}:
            fix += "; a file holds lines of one format only"
        raise DataError(f"{place}: no key '{key}'", fix=fix)
    value = line[key]
    with suppress(TypeError):
        if (found := own_id(value)) is not None:
            return found
    raise DataError(f"{place}: {key} is {shown(value)}", fix="an id is a text or a whole number, unique in the file")


def score(value: Any, place: str, name: str) -> float:
    """A score between 0 and 1, without a rounding error beyond them; true and false are 1 and 0.

    Raises:
        DataError: It is not a number, or outside.
    """
    if not isinstance(value, (int, float)):
        raise DataError(f"{place}: {name} is {shown(value)}", fix="a score is a number from 0 to 1, or true or false")
    if math.isnan(value):
        raise DataError(f"{place}: {name} is not a number (NaN)", fix="write null where there is no score")
    found = stats.share(value)
    if found is None:
        raise DataError(
            f"{place}: {name} is {value}, outside 0 to 1", fix="divide percentages by 100, and choose a 0-1 metric"
        )
    return found


def no_metric(place: str, metric: str, known: Iterable[str]) -> NoReturn:
    """Refuse a metric that a source does not have."""
    raise DataError(f"{place}: no metric '{metric}'", fix=near_miss(metric, known))
