"""The accuracy table of one run, as its ``results.json`` has it, ready for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.records.figures import StatedJudgement
from evalkit.records.history import AVERAGE
from evalkit.report import file_pair, printed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.records.figures import StatedScore
    from evalkit.records.history import PastRun
    from evalkit.records.results import StatedAverage, StatedTask


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
    details: tuple[tuple[str, StatedScore], ...]
    """Label and what else is known of that model's score (planned, failed, unparsed and so on)."""


def rows(run: PastRun) -> list[TableRow]:
    """Every task, each category followed by its average."""
    if run.results is None:
        return []
    found = []
    for category in dict.fromkeys(task.category for task in run.results.tasks):
        found += [_task(run, task) for task in run.results.tasks if task.category == category]
        found += [_average(run, one) for one in run.results.averages if one.category == category]
    return found


def by_recovery(found: list[TableRow], way: str) -> list[TableRow]:
    """The rows with the lowest recovery first (``low``) or last (``high``), of several candidates by the lowest one.

    Without either word the rows are as they were; those without a recovery are the last either way.
    """
    if way not in {"low", "high"}:
        return found
    known = {id(row): [cell.percent for cell in row.cells if cell.percent is not None] for row in found}
    sortable = [row for row in found if known[id(row)]]
    sortable.sort(key=lambda row: min(known[id(row)]), reverse=way == "high")
    return [*sortable, *(row for row in found if not known[id(row)])]


def _task(run: PastRun, task: StatedTask) -> TableRow:
    details = tuple((label, task.scores[label]) for label in run.labels if label in task.scores)
    own = {label: (score.score, score.scored) for label, score in details}
    return _row(run, task.recovery, (task.task, task.title, task.category, task.metric), own, details)


def _average(run: PastRun, row: StatedAverage) -> TableRow:
    names = (None, f"{AVERAGE} ({row.category})", row.category, "")
    return _row(run, row.recovery, names, {run.baseline: (row.baseline, 0)}, ())


def _row(
    run: PastRun,
    told: Mapping[str, StatedJudgement],
    names: tuple[str | None, str, str, str],
    own: Mapping[str, tuple[float | None, int]],
    details: tuple[tuple[str, StatedScore], ...],
) -> TableRow:
    """One row with its scores as the report prints them; a file that tells no scores over the pairs has own means."""
    found = {label: told.get(label, StatedJudgement(percent=None)) for label in run.candidates}
    pairs = {
        label: file_pair(
            _known(one.baseline, own.get(run.baseline)), _known(one.candidate, own.get(label)), one.percent
        )
        for label, one in found.items()
    }
    scores = printed(run.baseline, pairs, own)
    apart = len({(one.paired, scores.baselines[label]) for label, one in found.items()}) > 1
    cells = [
        _cell(label, one, scores.candidates[label], scores.baselines[label] if apart else "")
        for label, one in found.items()
    ]
    return TableRow(*names, scores.baseline, scores.own, tuple(cells), details)


def _known(paired: float | None, own: tuple[float | None, int] | None) -> float | None:
    return paired if paired is not None or own is None else own[0]


def _cell(label: str, one: StatedJudgement, score: str, baseline: str) -> TableCell:
    return TableCell(
        label,
        score,
        baseline,
        one.percent,
        one.interval,
        one.verdict,
        one.reasons or ((one.reason,) if one.reason else ()),
        one.paired,
        one.planned,
        tuple(
            (word, count)
            for word, count in (("regressed", one.regressed), ("improved", one.improved))
            if count is not None
        ),
        one.min_recovery,
    )
