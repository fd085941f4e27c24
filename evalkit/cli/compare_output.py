"""What ``evalkit compare`` says of its rows: in words, and as one JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import report
from evalkit.base.printable import counted
from evalkit.comparison import verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.answers.sides import Compared
    from evalkit.base.types import Json
    from evalkit.comparison.verdict import Judgement

_METHODS = {
    "fieller": "Fieller's, on the pairs",
    "score": "score interval, on the pairs, of which few differ",
    "clusters": "on the sums of the clusters",
    "combined": "combined from the tasks' intervals",
}


def as_object(found: Compared) -> dict[str, Json]:
    """Every average and task. The only task's fields, or the only average's, stand at the top as well."""
    told: dict[str, Json] = {}
    if len(found.averages) == 1 or len(found.rows) == 1:
        told = _row_object(found.rows[0])
        told["reasons"] += found.notes
    told |= {"doubts": list(found.doubts), "notes": list(found.notes)}
    if len(found.rows) > 1:
        told |= {"averages": [_row_object(row) for row in found.averages], "tasks": list(map(_row_object, found.tasks))}
    return told


def _row_object(row: Judgement) -> dict[str, Json]:
    one, flips = row.comparison, row.comparison.flips
    low, high = one.recovery.low, one.recovery.high
    return {
        "task": one.task or None,
        "n": one.n,
        "planned": one.planned,
        "failed": one.failed,
        "missing": one.missing,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "recovery": one.recovery.percent,
        "interval": None if low is None or high is None else [low, high],
        "interval_method": one.recovery.method,
        "question": one.recovery.question,
        "bounds": None if one.bounds is None else [_finite(value) for value in one.bounds],
        "regressed": flips.regressed if flips else None,
        "improved": flips.improved if flips else None,
        "mcnemar_p": flips.mcnemar_p if flips else None,
        "threshold": row.rule.min_recovery,
        "tier": row.rule.tier,
        "verdict": row.verdict,
        "more_samples": row.more.samples(0.5) if row.more else None,
        "more_samples_range": [row.more.samples(chance) for chance in (0.5, 0.8)] if row.more else None,
        "p": row.p,
        "tested": row.tested,
        "differences": [difference.key for difference in one.differences],
        "reasons": list(row.reasons),
    }


def _finite(value: float) -> float | None:
    return None if value == float("inf") else value


def lines(found: Compared) -> Iterator[str]:
    """What speaks against all of it, the averages, every task."""
    yield from (f"before you read on: {text}" for text in found.doubts)
    for row in found.rows:
        name = row.comparison.task
        if len(found.rows) > 1:
            kind = f"average of {counted(len(row.comparison.parts), 'task')}" if row.comparison.parts else row.rule.tier
            yield f"{name} ({kind})"
        yield verdict.sentence(row)
        yield from (f"  {line}" for line in _details(row))
    yield from (f"  - {note}" for note in found.notes)


def _details(row: Judgement) -> Iterator[str]:
    one, flips, found = row.comparison, row.comparison.flips, row.comparison.recovery
    shown = verdict.figures(one, row.rule.min_recovery).partition(" ")[0]
    places = report.decimals([(one.baseline, one.candidate, shown)])
    yield f"baseline   {_percent(one.baseline, places)}"
    yield f"candidate  {_percent(one.candidate, places)}"
    yield f"samples    {one.n:,} paired of {one.planned:,} planned"
    if flips is not None:
        chance = "" if flips.mcnemar_p is None else f" (McNemar's exact p = {flips.mcnemar_p:.3g})"
        yield f"flips      {flips.regressed:,} regressed, {flips.improved:,} improved{chance}"
    if found.method is not None:
        clusters = f", {counted(found.clusters, 'cluster')}" if found.clusters < found.n else ""
        yield f"interval   95 %, {found.question}: {_METHODS[found.method]}{clusters}"
    yield from (f"- {reason}" for reason in row.reasons)


def _percent(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value * 100:.{places}f} %"
