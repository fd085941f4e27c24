"""A report as ``results.json``: for programs, unrounded, and nothing in it that a rerun would change."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from evalkit.base import codec
from evalkit.comparison import verdict
from evalkit.records import results as stated
from evalkit.records.figures import (
    StatedChange,
    StatedComparison,
    StatedDrift,
    StatedFlips,
    StatedIfRepeated,
    StatedJudgement,
    StatedJudgementOfAverage,
    StatedLost,
    StatedNoiseFloor,
    StatedOnBenchmark,
    StatedOwnCard,
    StatedPublished,
    StatedRatio,
    StatedScore,
)
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from evalkit.base.scores import TaskScore
    from evalkit.base.types import Json
    from evalkit.comparison.drift import Change
    from evalkit.comparison.outcome import RunOutcome
    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.verdict import Judgement
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.figures import Ends
    from evalkit.records.plan import Contender
    from evalkit.report.facts import (
        Average,
        Comparability,
        ImportedRow,
        NoiseFloor,
        Normalised,
        OwnCard,
        Published,
        Report,
        Row,
    )
    from evalkit.stats import (
        BenchmarkMethod,
        Estimate,
        Flips,
        LooksMethod,
        RecoveryInterval,
        RepeatedMethod,
        SampledMethod,
    )


def results_text(report: Report) -> str:
    """``results.json``."""
    found = results_json(report)
    # What the run comes to opens the file; what follows is sorted.
    first = {"outcome": found.pop("outcome")}
    rest = json.loads(json.dumps(found, sort_keys=True, allow_nan=False))
    return json.dumps({**first, **rest}, indent=2) + "\n"


def results_json(report: Report) -> dict[str, Json]:
    """What ``results.json`` holds."""
    found: dict[str, Json] = codec.written(results(report))
    return found


def results(report: Report) -> stated.Results:
    """Scores from 0 to 1, recovery in percent; None where something is undefined or was not judged."""
    return stated.Results(
        outcome=_outcome(report.outcome),
        schema_version=stated.FORMAT,
        smoke=report.plan.smoke,
        baseline=report.baseline,
        candidates=report.candidates,
        policy=report.policy,
        models={one.model.label: _model(one, report) for one in report.plan.contenders},
        tasks=tuple(map(_row, report.rows)),
        averages=tuple(map(_average, report.averages)),
        imported=tuple(map(_imported, report.imported)),
        normalised=_normalised(report.normalised) if report.normalised else None,
        doubts=report.doubts,
        warnings=(*report.missing.values(), *report.warnings),
    )


def _normalised(one: Normalised) -> stated.StatedNormalised:
    return stated.StatedNormalised(
        title=one.title,
        source=one.source,
        candidates={
            label: stated.StatedAboveChance(
                tasks={
                    title: stated.StatedAboveChanceTask(raw=raw, above_chance=above)
                    for title, (raw, above) in found.tasks.items()
                },
                baseline=found.baseline,
                candidate=found.candidate,
                recovery_percent=found.recovery.percent,
                interval=_ends(found.recovery),
                reason=found.recovery.reason,
            )
            for label, found in one.candidates.items()
        },
        missing=one.missing,
    )


def outcome_json(one: RunOutcome) -> dict[str, Json]:
    """What a run comes to; ``lines`` as every rendering has them."""
    found: dict[str, Json] = codec.written(_outcome(one))
    return found


def _outcome(one: RunOutcome) -> stated.StatedOutcome:
    return stated.StatedOutcome(
        kind=one.kind,
        exit_code=cast("stated.ExitNumber", int(one.exit_code)),
        lines=one.lines,
        candidates={
            found.label: stated.StatedFinding(
                kind=found.kind,
                exit_code=cast("stated.ExitNumber", int(found.exit_code)),
                sentence=found.sentence,
            )
            for found in one.findings
        },
    )


def _judgement(one: Judgement) -> dict[str, Any]:
    """The fields of ``StatedJudgement``."""
    return {
        **_comparison(one.comparison),
        "verdict": one.verdict,
        "tier": one.rule.tier,
        "min_recovery": one.rule.min_recovery,
        "sentence": verdict.sentence(one),
        "reasons": one.reasons,
        "more": one.more.samples(0.5) if one.more else None,
        "more_range": (one.more.samples(0.5), one.more.samples(0.8)) if one.more else None,
        "p": one.p,
        "tested": one.tested,
    }


def _comparison(one: Comparison) -> dict[str, Any]:
    """The fields of ``StatedComparison``."""
    found, flips, again, whole = one.recovery, one.flips, one.repeated, one.on_benchmark
    return {
        "percent": found.percent,
        "interval": _ends(found),
        "interval_method": cast("SampledMethod | LooksMethod | None", found.method),
        "question": found.question,
        "if_repeated": StatedIfRepeated(
            interval=_ends(again), interval_method=cast("RepeatedMethod | None", again.method), reason=again.reason
        ),
        "on_benchmark": StatedOnBenchmark(
            interval=_ends(whole), interval_method=cast("BenchmarkMethod | None", whole.method), reason=whole.reason
        ),
        "reason": found.reason,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "paired": one.n,
        "planned": one.planned,
        "failed": one.failed,
        "missing": one.missing,
        "clusters": found.clusters,
        "bounds": None if one.bounds is None else tuple(None if math.isinf(end) else end for end in one.bounds),
        "lost": None
        if one.losses is None
        else StatedLost(count=one.losses.count, unit=one.losses.unit, final=one.losses.final),
        "regressed": flips.regressed if flips else None,
        "improved": flips.improved if flips else None,
        "mcnemar_p": flips.mcnemar_p if flips else None,
        "differences": tuple(difference.key for difference in one.differences),
    }


def _ends(one: RecoveryInterval) -> Ends | None:
    return None if one.low is None or one.high is None else (one.low, one.high)


def _model(one: Contender, report: Report) -> stated.StatedModel:
    files = report.checkpoints.get(one.model.label)
    return stated.StatedModel(
        stored_answers=(report.provenance.endpoints or {}).get(one.model.label),
        source=one.model.source,
        digest=one.model.digest,
        engine=one.engine,
        checkpoint=None if files is None else _checkpoint(files),
    )


def _checkpoint(one: Checkpoint) -> stated.StatedCheckpoint:
    return stated.StatedCheckpoint(
        scheme=one.scheme,
        quantized=one.quantized,
        weight_bytes=one.weight_bytes,
        dtypes=one.dtypes,
        quantized_layers=one.layers,
        ignored=one.ignored,
        dtype=one.dtype,
        files=one.files,
    )


def _row(row: Row) -> stated.StatedTask:
    task = row.part.task
    return stated.StatedTask(
        task=task.name,
        title=task.title,
        category=task.category,
        metric=task.headline,
        dialect=task.dialect,
        images=task.images,
        planned=row.part.planned,
        available=row.part.available,
        drawn=row.part.drawn,
        smoke=row.part.smoke,
        revision=row.part.revision,
        scores={label: _score(score) for label, score in row.scores.items()},
        recovery={label: StatedJudgement(**_judgement(one)) for label, one in row.judgements.items()},
        comparability=_comparability(row.comparability),
        drift={label: StatedDrift(**{one.trait: _change(one) for one in found}) for label, found in row.drift.items()},
        published={label: _published(one) for label, one in row.published.items()},
        own_card=None if row.own_card is None else _own_card(row.own_card),
        noise_floor=None if row.noise is None else _noise(row.noise),
        groups={
            label: {name: StatedComparison(**_comparison(one)) for name, one in found.items()}
            for label, found in row.groups.items()
        },
        exams=row.exams,
        checks=row.checks,
    )


def _average(one: Average) -> stated.StatedAverage:
    return stated.StatedAverage(
        category=one.category,
        baseline=one.baseline,
        recovery={
            label: StatedJudgementOfAverage(**_judgement(found), parts=found.comparison.parts)
            for label, found in one.judgements.items()
        },
        published={label: _published(found) for label, found in one.published.items()},
    )


def _imported(row: ImportedRow) -> stated.StatedImported:
    return stated.StatedImported(
        task=row.task,
        metric=row.metric,
        sources=row.sources,
        scores=row.scores,
        recovery={label: StatedJudgement(**_judgement(one)) for label, one in row.judgements.items()},
        comparability=_comparability(row.comparability),
        unknown=row.unknown,
        models=row.named,
    )


def _score(score: TaskScore) -> StatedScore:
    return StatedScore(**{key.field: getattr(score, key.field) for key in codec.declared(StatedScore)})


def _comparability(one: Comparability) -> stated.StatedComparability:
    return stated.StatedComparability(
        settings=one.settings,
        unknown=one.unknown,
        differences={
            label: tuple(stated.StatedDifference(key=each.key, what=each.what) for each in found)
            for label, found in one.differences.items()
        },
        accepted=one.accepted,
    )


def _change(one: Change) -> StatedChange:
    low, high = one.difference.low, one.difference.high
    return StatedChange(
        baseline=one.baseline,
        candidate=one.candidate,
        difference=one.difference.value,
        interval=None if low is None or high is None else (low, high),
        question=IntervalQuestion.LIKE_THESE,
        n=one.difference.n,
        flagged=one.flagged,
        ratio=None if one.ratio is None else _ratio(one.ratio),
    )


def _ratio(one: Estimate) -> StatedRatio:
    ends = None if one.low is None or one.high is None else (one.low, one.high)
    return StatedRatio(value=one.value, interval=ends, question=IntervalQuestion.LIKE_THESE)


def _published(one: Published) -> StatedPublished:
    return StatedPublished(
        source=one.source,
        title=one.title,
        baseline=one.baseline,
        candidate=one.candidate,
        recovery=one.beside.published,
        measured=one.beside.measured,
        standing=one.beside.standing,
    )


def _own_card(one: OwnCard) -> StatedOwnCard:
    return StatedOwnCard(
        source=one.source,
        printed=one.printed,
        measured=one.measured,
        low=one.low,
        high=one.high,
        outside=one.outside,
        question=IntervalQuestion.LIKE_THESE,
    )


def _noise(one: NoiseFloor) -> StatedNoiseFloor:
    return StatedNoiseFloor(
        samples=one.samples,
        baseline_again=_flips(one.itself),
        candidates={label: _flips(found) for label, found in one.candidates.items()},
    )


def _flips(one: Flips) -> StatedFlips:
    return StatedFlips(
        regressed=one.regressed,
        improved=one.improved,
        unchanged=one.unchanged,
        discordance=one.discordance,
    )
