"""Rows of what the models answered elsewhere: paired and judged as every other row, and told apart from it."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.comparison import imported, in_parts, pairs, verdict
from evalkit.report.facts import Comparability, ImportedRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.comparison.pairs import Side
    from evalkit.records.imported import ImportedSide, ImportedTask
    from evalkit.records.plan import Plan
    from evalkit.records.terms import Terms
    from evalkit.report.facts import Row


def rows(plan: Plan, terms: Terms, asked: Sequence[Row]) -> tuple[ImportedRow, ...]:
    """What the terms of a run hold of answers from elsewhere; ``asked`` are the rows that the run asked itself."""
    sources = {one.model.label: one.model.named or one.model.source for one in plan.contenders}
    known = dict.fromkeys(key for row in asked for told in row.comparability.settings.values() for key in told)
    return tuple(_row(one, sources, terms, [*known]) for one in terms.imported)


def _row(one: ImportedTask, models: Mapping[str, str], terms: Terms, known: Sequence[str]) -> ImportedRow:
    label, *labels = models
    kept = {label: one.baseline, **{each: one.candidates[each] for each in labels}}
    base, *others = [imported.side(each, name) for name, each in kept.items()]
    rule = terms.policy.for_task(one.task, averaged=False)
    told = set(base.settings).intersection(*(side.settings for side in others))
    return ImportedRow(
        task=one.task,
        metric=str(base.settings.get("metric") or "score"),
        sources={name: f"{each.source} ({each.format})" for name, each in kept.items()},
        scores={side.label: _mean(side) for side in (base, *others)},
        judgements={
            side.label: verdict.judge(
                in_parts.compare(one.task, base, side, terms.accepted), rule, terms.policy.max_failed
            )
            for side in others
        },
        comparability=comparability(base, others, terms.accepted),
        unknown=tuple(key for key in known if key not in {*told, pairs.SAMPLES}),
        named={name: each.model for name, each in kept.items() if _other_name(each, name, models[name])},
    )


def comparability(base: Side, others: Sequence[Side], accepted: tuple[str, ...]) -> Comparability:
    """What has to be equal on both sides of a row, and whether it is."""
    known = {key for side in (base, *others) for key in side.settings}
    return Comparability(
        settings={side.label: side.settings for side in (base, *others)},
        unknown={
            side.label: missing for side in (base, *others) if (missing := tuple(sorted(known - side.settings.keys())))
        },
        differences={side.label: tuple(pairs.differences(base, side)) for side in others},
        accepted=accepted,
    )


def _mean(side: Side) -> float | None:
    return fmean(one.value for one in side.scores.values()) if side.scores else None


def _other_name(one: ImportedSide, label: str, source: str) -> bool:
    """Whether a file names its model, and otherwise than the run."""
    return bool(one.model) and one.model not in {label, source}
