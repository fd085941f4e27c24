"""A report as ``results.json``: for programs, unrounded, and nothing in it that a rerun would change."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from evalkit.comparison import verdict
from evalkit.report.facts import SCHEMA_VERSION
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.scores import TaskScore
    from evalkit.base.types import Json
    from evalkit.comparison.drift import Change
    from evalkit.comparison.outcome import RunOutcome
    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.verdict import Judgement
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.plan import Contender
    from evalkit.report.facts import Average, Comparability, NoiseFloor, Published, Report, Row
    from evalkit.stats import Estimate, Flips, RecoveryInterval


def results_text(report: Report) -> str:
    """``results.json``."""
    found = results(report)
    # What the run comes to opens the file; what follows is sorted.
    first = {"outcome": found.pop("outcome")}
    rest = json.loads(json.dumps(found, sort_keys=True, allow_nan=False))
    return json.dumps({**first, **rest}, indent=2) + "\n"


def results(report: Report) -> dict[str, Json]:
    """Scores from 0 to 1, recovery in percent; None where something is undefined or was not judged."""
    return {
        "outcome": outcome_json(report.outcome),
        "schema_version": SCHEMA_VERSION,
        "smoke": report.plan.smoke,
        "baseline": report.baseline,
        "candidates": list(report.candidates),
        "policy": asdict(report.policy),
        "models": {one.model.label: _model(one, report) for one in report.plan.contenders},
        "tasks": [_row(row) for row in report.rows],
        "averages": [_average(one) for one in report.averages],
        "doubts": list(report.doubts),
        "warnings": [*report.missing.values(), *report.warnings],
    }


def outcome_json(one: RunOutcome) -> dict[str, Json]:
    """What a run comes to; ``lines`` as every rendering has them."""
    return {
        "kind": one.kind,
        "exit_code": int(one.exit_code),
        "lines": list(one.lines),
        "candidates": {
            found.label: {"kind": found.kind, "exit_code": int(found.exit_code), "sentence": found.sentence}
            for found in one.findings
        },
    }


def judgement_json(one: Judgement) -> dict[str, Json]:
    """One candidate beside the baseline, on one task or one average."""
    return {
        **comparison_json(one.comparison),
        "verdict": one.verdict,
        "tier": one.rule.tier,
        "min_recovery": one.rule.min_recovery,
        "sentence": verdict.sentence(one),
        "reasons": list(one.reasons),
        "more": one.more.samples(0.5) if one.more else None,
        "more_range": [one.more.samples(chance) for chance in (0.5, 0.8)] if one.more else None,
        "p": one.p,
        "tested": one.tested,
    }


def comparison_json(one: Comparison) -> dict[str, Json]:
    """Two models' scores on the same samples."""
    found, flips = one.recovery, one.flips
    return {
        "percent": found.percent,
        "interval": None if found.low is None or found.high is None else [found.low, found.high],
        "interval_method": found.method,
        "question": found.question,
        "if_repeated": _beside(one.repeated),
        "on_benchmark": _beside(one.on_benchmark),
        "reason": found.reason,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "paired": one.n,
        "planned": one.planned,
        "failed": one.failed,
        "missing": one.missing,
        "clusters": found.clusters,
        "bounds": None if one.bounds is None else [None if math.isinf(end) else end for end in one.bounds],
        "lost": None if one.losses is None else asdict(one.losses),
        "regressed": flips.regressed if flips else None,
        "improved": flips.improved if flips else None,
        "mcnemar_p": flips.mcnemar_p if flips else None,
        "differences": [difference.key for difference in one.differences],
    }


def _beside(one: RecoveryInterval) -> dict[str, Json]:
    """An interval that answers another question than the row's own."""
    return {
        "question": one.question,
        "interval": None if one.low is None or one.high is None else [one.low, one.high],
        "interval_method": one.method,
        "reason": one.reason,
    }


def _model(one: Contender, report: Report) -> dict[str, Json]:
    files = report.checkpoints.get(one.model.label)
    reuse = report.provenance.get("endpoints", {}).get(one.model.label)
    return {
        **({"stored_answers": reuse} if reuse else {}),
        "source": one.model.source,
        "digest": one.model.digest,
        "engine": {**asdict(one.engine), "numerics": dict(one.engine.numerics)},
        "checkpoint": None if files is None else _checkpoint(files),
    }


def _checkpoint(one: Checkpoint) -> dict[str, Json]:
    return {
        "scheme": one.scheme,
        "quantized": one.quantized,
        "weight_bytes": one.weight_bytes,
        "dtypes": dict(one.dtypes),
        "quantized_layers": dict(one.layers),
        "ignored": list(one.ignored),
        "dtype": one.dtype,
        "files": dict(one.files),
    }


def _row(row: Row) -> dict[str, Json]:
    task = row.part.task
    return {
        "task": task.name,
        "title": task.title,
        "category": task.category,
        "metric": task.headline,
        "dialect": task.dialect,
        "images": task.images,
        "planned": row.part.planned,
        "available": row.part.available,
        "drawn": row.part.drawn,
        "smoke": row.part.smoke,
        "revision": row.part.revision,
        "scores": {label: _score(score) for label, score in row.scores.items()},
        "recovery": {label: judgement_json(one) for label, one in row.judgements.items()},
        "comparability": _comparability(row.comparability),
        "drift": {label: {one.trait: _change(one) for one in found} for label, found in row.drift.items()},
        "published": {label: _published(one) for label, one in row.published.items()},
        "own_card": None if row.own_card is None else {**asdict(row.own_card), "question": IntervalQuestion.LIKE_THESE},
        "noise_floor": None if row.noise is None else _noise(row.noise),
        "groups": {
            label: {name: comparison_json(one) for name, one in found.items()} for label, found in row.groups.items()
        },
        "exams": {label: dict(facts) for label, facts in row.exams.items()},
        "checks": dict(row.checks),
    }


def _average(one: Average) -> dict[str, Json]:
    return {
        "category": one.category,
        "baseline": one.baseline,
        "recovery": {
            label: {**judgement_json(found), "parts": list(found.comparison.parts)}
            for label, found in one.judgements.items()
        },
        "published": {label: _published(found) for label, found in one.published.items()},
    }


def _score(score: TaskScore) -> dict[str, Json]:
    # What most runs have nothing to say of is told where there is something.
    silent = {name for name in ("elsewhere", "left_out", "reasoned") if not getattr(score, name)}
    return {key: value for key, value in asdict(score).items() if key not in {"task", "model", *silent}}


def _comparability(one: Comparability) -> dict[str, Json]:
    return {
        "settings": {label: dict(found) for label, found in one.settings.items()},
        "unknown": {label: list(found) for label, found in one.unknown.items()},
        "differences": {label: [asdict(each) for each in found] for label, found in one.differences.items()},
        "accepted": list(one.accepted),
    }


def _change(one: Change) -> dict[str, Json]:
    low, high = one.difference.low, one.difference.high
    return {
        "baseline": one.baseline,
        "candidate": one.candidate,
        "difference": one.difference.value,
        "interval": None if low is None or high is None else [low, high],
        "question": IntervalQuestion.LIKE_THESE,
        "n": one.difference.n,
        "flagged": one.flagged,
        **({"ratio": _ratio(one.ratio)} if one.ratio is not None else {}),
    }


def _ratio(one: Estimate) -> dict[str, Json]:
    ends = None if one.low is None or one.high is None else [one.low, one.high]
    return {"value": one.value, "interval": ends}


def _published(one: Published) -> dict[str, Json]:
    return {
        "source": one.source,
        "title": one.title,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "recovery": one.beside.published,
        "measured": one.beside.measured,
        "standing": one.beside.standing,
    }


def _noise(one: NoiseFloor) -> dict[str, Json]:
    return {
        "samples": one.samples,
        "baseline_again": _flips(one.itself),
        "candidates": {label: _flips(found) for label, found in one.candidates.items()},
    }


def _flips(one: Flips) -> Mapping[str, Json]:
    return {
        "regressed": one.regressed,
        "improved": one.improved,
        "unchanged": one.unchanged,
        "discordance": one.discordance,
    }
