"""The accuracy table of one run, as its ``results.json`` has it, ready for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.records.history import interval, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json
    from evalkit.records.history import PastRun


@dataclass(frozen=True, slots=True)
class TableCell:
    """One candidate on one row. Scores are 0-1, recovery and interval in percent."""

    label: str
    score: float | None
    percent: float | None
    interval: tuple[float, float] | None
    verdict: str | None
    reasons: tuple[str, ...]
    paired: int | None
    planned: int | None
    flips: tuple[tuple[str, int], ...]
    """How many samples regressed and improved, where the file tells."""
    min_recovery: float | None
    """What was asked of it, in percent."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A task, or an average of several."""

    task: str | None
    """Its name; None for an average."""
    title: str
    category: str
    metric: str
    baseline: float | None
    cells: tuple[TableCell, ...]
    details: tuple[tuple[str, Mapping[str, Json]], ...]
    """Label and what else is known of that model's score (planned, failed, unparsed and so on)."""


def rows(run: PastRun) -> list[TableRow]:
    """Every task, each category followed by its average."""
    tasks, averages = run.results.get("tasks", []), run.results.get("averages", [])
    found = []
    for category in dict.fromkeys(str(task.get("category", "")) for task in tasks):
        found += [_task(run, task) for task in tasks if str(task.get("category", "")) == category]
        found += [_average(run, one) for one in averages if one.get("category") == category]
    return found


def _task(run: PastRun, task: Mapping[str, Json]) -> TableRow:
    scores = task.get("scores", {})
    return TableRow(
        str(task["task"]),
        str(task.get("title", task["task"])),
        str(task.get("category", "")),
        str(task.get("metric", "")),
        scores.get(run.baseline, {}).get("score"),
        tuple(_cell(task, label, scores.get(label, {}).get("score")) for label in run.candidates),
        tuple((label, scores[label]) for label in run.labels if label in scores),
    )


def _average(run: PastRun, row: Mapping[str, Json]) -> TableRow:
    cells = tuple(_cell(row, label, None) for label in run.candidates)
    category = str(row.get("category", ""))
    return TableRow(None, f"Average Score ({category})", category, "", row.get("baseline"), cells, ())


def _cell(row: Mapping[str, Json], label: str, score: float | None) -> TableCell:
    found = row.get("recovery", {}).get(label, {})
    reasons = found.get("reasons") or ([found["reason"]] if found.get("reason") else [])
    return TableCell(
        label,
        score if score is not None else found.get("candidate"),
        found.get("percent"),
        interval(found),
        verdict(row, label),
        tuple(map(str, reasons)),
        found.get("paired"),
        found.get("planned"),
        tuple((word, found[word]) for word in ("regressed", "improved") if found.get(word) is not None),
        found.get("min_recovery"),
    )
