"""A report as records for others: every_eval_ever's, one for each model and task, and the Hub's ``.eval_results``.

Both say scores of whole tasks, of one model each; what candidate and baseline come to together stands among a record's
details. The first is written by schema 0.3.0 of every_eval_ever. The second has the form of ``EvalResultEntry`` of
huggingface_hub; it names only data sets of the Hub that were asked to the end, because such entries stand on a model's
page beside those of others.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from evalkit.report import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json
    from evalkit.records.plan import Contender
    from evalkit.report.facts import Report, Row

SCHEMA: Final = "0.3.0"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def every_eval_ever(report: Report, label: str, run: str, began_s: int) -> dict[str, str]:
    """By task, the record of a model's scores.

    Args:
        report: The run's.
        label: The model, baseline or candidate.
        run: Id of the run.
        began_s: When it began, in seconds since 1970.
    """
    return {
        row.part.task.name: json.dumps(_record(report, row, label, run, began_s), indent=2, ensure_ascii=False) + "\n"
        for row in report.rows
        if row.scores[label].scored and row.part.task.title not in report.stopped
    }


def eval_results(report: Report, label: str, date: str) -> dict[str, str]:
    """By task, the Hub's ``.eval_results/<task>.yaml`` of a model, in percent; JSON, which is YAML too.

    Args:
        report: The run's.
        label: The model.
        date: When the run began, as ISO 8601.
    """
    found = {}
    for row in report.rows:
        part, score = row.part, row.scores[label]
        data = part.task.dataset
        whole = part.planned == part.available and not report.plan.smoke and score.failed == 0
        if not (data.id and whole and score.score is not None):
            continue
        entry: dict[str, Json] = {
            "dataset": {
                "id": data.id,
                "task_id": data.config or "default",
                **({"revision": part.revision} if _COMMIT.fullmatch(part.revision) else {}),
            },
            "value": round(100 * score.score, 2),
            "date": date,
            "notes": f"{part.task.headline} in percent, {data.split} split, by evalkit",
        }
        found[part.task.name] = json.dumps([entry], indent=2, ensure_ascii=False) + "\n"
    return found


def _record(report: Report, row: Row, label: str, run: str, began_s: int) -> dict[str, Json]:
    one = next(one for one in report.plan.contenders if one.model.label == label)
    model = _model(one)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{row.part.task.name}/{model['id']}/{began_s}",
        "evaluation_timestamp": str(began_s),
        "retrieved_timestamp": str(began_s),
        "source_metadata": {
            "source_name": f"evalkit run {run}",
            "source_type": "evaluation_run",
            "source_organization_name": "not stated",
            "evaluator_relationship": "other",
        },
        "eval_library": {"name": "evalkit", "version": report.provenance.evalkit or "unknown"},
        "model_info": model,
        "evaluation_results": list(_results(report, row, label)),
    }


def _model(one: Contender) -> dict[str, Json]:
    source = commands.public(one.model.source)
    ours = one.model.endpoint is None
    return {
        "name": one.model.label,
        "id": source,
        "inference_engine": {"name": one.engine.name, "version": one.engine.version},
        "additional_details": {
            "deployment_type": "self_deployed" if ours else "unknown",
            "model_availability": "open_weights" if _HUB_ID.fullmatch(one.model.source) and ours else "unknown",
            "digest": one.model.digest,
            "accelerator": one.engine.accelerator,
        },
    }


def _results(report: Report, row: Row, label: str) -> Iterator[dict[str, Json]]:
    task, score = row.part.task, row.scores[label]
    args = {"temperature": task.decoding.temperature, "max_tokens": task.decoding.max_tokens}
    if task.decoding.top_p is not None:
        args["top_p"] = task.decoding.top_p
    for name, value in score.metrics.items():
        if value is None:
            continue
        yield {
            "evaluation_result_id": f"{task.name}/{name}",
            "evaluation_name": task.title,
            "source_data": _data(row),
            "metric_config": {
                "metric_id": name,
                "metric_name": name,
                "metric_unit": "proportion",
                "lower_is_better": False,
                "score_type": "continuous",
                "min_score": 0,
                "max_score": 1,
            },
            "score_details": {
                "score": value,
                "uncertainty": {"num_samples": score.scored},
                "details": dict(_details(report, row, label)) if name == task.headline else {},
            },
            "generation_config": {"generation_args": args},
        }


def _data(row: Row) -> dict[str, Json]:
    data = row.part.task.dataset
    details = {"revision": row.part.revision, **({"config": data.config} if data.config else {})}
    if not data.id:
        return {
            "dataset_name": f"own files ({row.part.task.name})",
            "source_type": "other",
            "additional_details": details,
        }
    return {
        "dataset_name": data.id,
        "source_type": "hf_dataset",
        "hf_repo": data.id,
        "hf_split": data.split,
        "samples_number": row.part.available,
        "additional_details": details,
    }


def _details(report: Report, row: Row, label: str) -> Iterator[tuple[str, str]]:
    """What was asked and lost, and for a candidate its recovery with the interval; all as text, as the schema wants."""
    score = row.scores[label]
    yield "planned", str(score.planned)
    yield "failed", str(score.failed)
    if label not in row.judgements:
        return
    found = row.judgements[label].comparison
    yield "baseline", report.baseline
    yield "paired", str(found.n)
    numbers = {"percent": found.recovery.percent, "low": found.recovery.low, "high": found.recovery.high}
    yield from ((f"recovery_{name}", repr(value)) for name, value in numbers.items() if value is not None)
