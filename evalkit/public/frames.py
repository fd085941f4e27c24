"""Reports and samples as pandas tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from evalkit.report import IMPORTED
from evalkit.stats import SAME_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

    from evalkit.base.types import Json
    from evalkit.comparison.verdict import Judgement
    from evalkit.report import Report

ROWS = {
    "task": "string",
    "title": "string",
    "category": "string",
    "metric": "string",
    "candidate": "string",
    "n": "Int64",
    "planned": "Int64",
    "baseline_score": "Float64",
    "candidate_score": "Float64",
    "recovery": "Float64",
    "low": "Float64",
    "high": "Float64",
    "verdict": "string",
    "threshold": "Float64",
    "regressed": "Int64",
    "improved": "Int64",
}
JUDGED = tuple(list(ROWS)[list(ROWS).index("n") :])
"""Columns that every comparison fills, of a run or not."""
SCORES = {
    "task": "string",
    "title": "string",
    "model": "string",
    "metric": "string",
    "score": "Float64",
    "planned": "Int64",
    "scored": "Int64",
    "failed": "Int64",
    "left_out": "Int64",
}
FLIPS = {
    "task": "string",
    "id": "string",
    "candidate": "string",
    "flip": "string",
    "baseline_score": "Float64",
    "candidate_score": "Float64",
    "baseline_answer": "string",
    "candidate_answer": "string",
}


def rows(report: Report) -> DataFrame:
    """Every average, task and imported row of every candidate."""
    found = [
        *(
            {"title": f"{one.category} average", "category": one.category, "candidate": label, **judged(judgement)}
            for one in report.averages
            for label, judgement in one.judgements.items()
        ),
        *(
            {
                "task": row.part.task.name,
                "title": row.part.task.title,
                "category": row.part.task.category,
                "metric": row.part.task.headline,
                "candidate": label,
                **judged(judgement),
            }
            for row in report.rows
            for label, judgement in row.judgements.items()
        ),
        *(
            {
                "task": row.task,
                "title": row.title,
                "category": IMPORTED,
                "metric": row.metric,
                "candidate": label,
                **judged(judgement),
            }
            for row in report.imported
            for label, judgement in row.judgements.items()
        ),
    ]
    return pd.DataFrame(found, columns=list(ROWS)).astype(ROWS)


def judged(row: Judgement) -> dict[str, Json]:
    """What a comparison and its verdict say, by the columns of ``ROWS``."""
    one = row.comparison
    return {
        "n": one.n,
        "planned": one.planned,
        "baseline_score": one.baseline,
        "candidate_score": one.candidate,
        "recovery": one.recovery.percent,
        "low": one.recovery.low,
        "high": one.recovery.high,
        "verdict": None if row.verdict is None else row.verdict.value,
        "threshold": row.rule.min_recovery,
        "regressed": one.flips.regressed if one.flips else None,
        "improved": one.flips.improved if one.flips else None,
    }


def scores(report: Report) -> DataFrame:
    """Every model's own scores."""
    found = [
        {
            "task": row.part.task.name,
            "title": row.part.task.title,
            "model": label,
            "metric": metric,
            "score": value,
            "planned": score.planned,
            "scored": score.scored,
            "failed": score.failed,
            "left_out": sum(map(len, score.left_out.values())),
        }
        for row in report.rows
        for label, score in row.scores.items()
        for metric, value in score.metrics.items()
    ]
    return pd.DataFrame(found, columns=list(SCORES)).astype(SCORES)


def flips(samples: DataFrame, baseline: str) -> DataFrame:
    """The samples whose score changed, of the table that ``export.frame`` makes."""
    named = samples.assign(id=samples["problem"].fillna(samples["id"]))
    units = named.groupby(["task", "id", "model"], sort=False).agg(score=("score", "mean"), answer=("answer", "first"))
    units = units.reset_index()
    before = units[units["model"] == baseline].drop(columns="model")
    after = units[units["model"] != baseline].rename(columns={"model": "candidate"})
    both = before.merge(after, on=["task", "id"], suffixes=("_baseline", "_candidate"))
    change = both["score_candidate"] - both["score_baseline"]
    both = both.assign(change=change, flip=change.lt(0).map({True: "regressed", False: "improved"}))
    both = both[change.abs().gt(SAME_WITHIN).fillna(value=False)].sort_values("change", kind="stable")
    names = {f"{what}_{side}": f"{side}_{what}" for what in ("score", "answer") for side in ("baseline", "candidate")}
    return both.rename(columns=names)[list(FLIPS)].astype(FLIPS).reset_index(drop=True)


def lines(table: DataFrame, name: str) -> Iterator[tuple[str, dict[str, Json]]]:
    """A table of scores line by line, each with its place; what is missing is left out, but for a score."""
    for number, line in enumerate(table.to_dict("records")):
        given = {str(key): None if _missing(value) else value for key, value in line.items()}
        said = {key: value for key, value in given.items() if value is not None or key == "score"}
        yield f"{name}: line {number}", said


def _missing(value: Json) -> bool:
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))
