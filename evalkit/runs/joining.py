"""A run and a performance run of the same checkpoints, as one report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, UsageError
from evalkit.measuring import folder
from evalkit.perf.matching import of_checkpoints
from evalkit.records.store import FILE, Store
from evalkit.runs import saved_run

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.perf.outcome import PerfResult
    from evalkit.report import Report


def evaluation(found: PerfResult, runs: Path) -> str:
    """The id of the newest run of a performance run's checkpoints; empty where there is none.

    Args:
        found: The performance.
        runs: The folder of runs.
    """
    if not (runs / FILE).exists():
        return ""
    with Store(runs, write=False) as store:
        for key in reversed(store.run_ids()):
            row = store.run(key)
            if row is None or not row.finished:
                continue
            plan = saved_run.plan(row)
            candidates = {one.model.label: one.model.digest for one in plan.candidates}
            if of_checkpoints(found, plan.baseline.model.digest, candidates) is not None:
                return row.id
    return ""


def joined(built: Report, runs: Path, named: str = "") -> Report:
    """The report with what its checkpoints take and cost.

    Args:
        built: The accuracy.
        runs: The folder of runs, in whose ``perf`` performance runs are.
        named: Which of them; the newest of the same checkpoints where none is named, and none where there is none.

    Raises:
        UsageError: The one that is named is not there, or of other checkpoints.
        DataError: The one that is named is damaged.
    """
    baseline = built.plan.baseline.model.digest
    candidates = {one.model.label: one.model.digest for one in built.plan.candidates}
    place = folder.opened(named, runs) if named else folder.fitting(runs, [baseline, *candidates.values()])
    if place is None:
        return built
    try:
        result, _ = folder.result(place)
    except DataError:
        if named:
            raise
        return built  # Nobody has asked for it: it must not cost a report.
    found = of_checkpoints(result, baseline, candidates)
    if found is None:
        theirs = ", ".join(f"{one.label} {one.digest[:12]}" for one in result.plan.models)
        ours = ", ".join(f"{one.model.label} {one.model.digest[:12]}" for one in built.plan.contenders)
        raise UsageError(
            f"{place}: of other checkpoints ({theirs}) than the run ({ours})",
            fix="name a performance run of the same baseline and of one of its candidates",
        )
    return replace(built, performance=found)
