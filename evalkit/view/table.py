"""The accuracy table of one run, as its ``results.json`` has it, ready for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.records.history import AVERAGE, interval, verdict
from evalkit.report import file_pair, printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json
    from evalkit.records.history import PastRun


@dataclass(frozen=True, slots=True)
class TableCell:
    """One candidate on one row, in percent."""

    label: str
    score: str
    """In percent, over the samples that both models answered."""
    baseline: str
    """The baseline's score over the same samples, where the candidates have others; otherwise empty."""
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
    baseline: str
    """Its score in percent, over the samples that both models answered; on all of its own where candidates differ."""
    own: str
    """Means over all that a model answered, where they are others than those shown."""
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
    own = {
        label: (scores[label].get("score"), scores[label].get("scored") or 0) for label in run.labels if label in scores
    }
    names = (str(task.get("title", task["task"])), str(task.get("category", "")), str(task.get("metric", "")))
    details = tuple((label, scores[label]) for label in run.labels if label in scores)
    return _row(run, task, (str(task["task"]), *names), own, details)


def _average(run: PastRun, row: Mapping[str, Json]) -> TableRow:
    category = str(row.get("category", ""))
    names = (None, f"{AVERAGE} ({category})", category, "")
    return _row(run, row, names, {run.baseline: (row.get("baseline"), 0)}, ())


def _row(
    run: PastRun,
    row: Mapping[str, Json],
    names: tuple[str | None, str, str, str],
    own: Mapping[str, tuple[float | None, int]],
    details: tuple[tuple[str, Mapping[str, Json]], ...],
) -> TableRow:
    """One row with its scores as the report prints them; a file that tells no scores over the pairs has own means."""
    found = {label: row.get("recovery", {}).get(label, {}) for label in run.candidates}
    pairs = {
        label: file_pair(
            _known(one.get("baseline"), own.get(run.baseline)),
            _known(one.get("candidate"), own.get(label)),
            one.get("percent"),
        )
        for label, one in found.items()
    }
    scores = printed(run.baseline, pairs, own)
    apart = len({(one.get("paired"), scores.baselines[label]) for label, one in found.items()}) > 1
    cells = [
        _cell(row, label, scores.candidates[label], scores.baselines[label] if apart else "")
        for label in run.candidates
    ]
    return TableRow(*names, scores.baseline, scores.own, tuple(cells), details)


def _known(paired: float | None, own: tuple[float | None, int] | None) -> float | None:
    return paired if paired is not None or own is None else own[0]


def _cell(row: Mapping[str, Json], label: str, score: str, baseline: str) -> TableCell:
    found = row.get("recovery", {}).get(label, {})
    reasons = found.get("reasons") or ([found["reason"]] if found.get("reason") else [])
    return TableCell(
        label,
        score,
        baseline,
        found.get("percent"),
        interval(found),
        verdict(row, label),
        tuple(map(str, reasons)),
        found.get("paired"),
        found.get("planned"),
        tuple((word, found[word]) for word in ("regressed", "improved") if found.get(word) is not None),
        found.get("min_recovery"),
    )
