"""The average of scores above chance that a suite's publishers define, beside the scores as they are."""

from __future__ import annotations

from collections import defaultdict
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.report.facts import AboveChance, Normalised
from evalkit.report.words import DASH
from evalkit.stats import ChancePart, Grouping
from evalkit.stats.above_chance import above_chance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.task_parts import NormalisedTask
    from evalkit.comparison.score import Tally
    from evalkit.records.plan import Plan
    from evalkit.records.terms import Terms
    from evalkit.report.facts import Report, Row

    Tallies = Mapping[tuple[str, str], Tally]


def average(plan: Plan, tallies: Tallies, terms: Terms, rows: Sequence[Row]) -> Normalised | None:
    """The average of every candidate; None where the run's suite has none, or not all of its tasks are asked."""
    asked = {row.part.task.name: row for row in rows}
    one = terms.normalised
    if one is None or any(member.task not in asked for member in one.tasks):
        return None
    found, missing = {}, {}
    for label in (contender.model.label for contender in plan.candidates):
        unlike = [row.part.task.title for row in asked.values() if row.judgements[label].comparison.differences]
        parts = {member.task: list(_parts(member, tallies, plan, label, len(one.tasks))) for member in one.tasks}
        empty = [asked[name].part.task.title for name, listed in parts.items() if not all(p.first for p in listed)]
        if unlike or empty:
            missing[label] = f"{unlike[0]} is not comparable" if unlike else f"nothing of {empty[0]} is paired"
        else:
            found[label] = _average({asked[name].part.task.title: listed for name, listed in parts.items()})
    return Normalised(one.title, one.source, found, missing)


def _average(tasks: Mapping[str, Sequence[ChancePart]]) -> AboveChance:
    """The average of the parts of every task."""
    scores = {title: (_raw(parts), _above(parts)) for title, parts in tasks.items()}
    return AboveChance(
        tasks=scores,
        baseline=fmean(base for _, (base, _) in scores.values()),
        candidate=fmean(cand for _, (_, cand) in scores.values()),
        recovery=stats.recovery_above_chance([part for parts in tasks.values() for part in parts]),
    )


def _parts(member: NormalisedTask, tallies: Tallies, plan: Plan, label: str, tasks: int) -> Iterator[ChancePart]:
    """What of a task is normalised by itself: the whole by each metric, or each of its parts."""
    base, cand = tallies[plan.baseline.model.label, member.task], tallies[label, member.task]
    metrics = member.metrics or (base.task.headline,)
    for metric in metrics:
        first, second = base.values_of(metric), cand.values_of(metric)
        members: defaultdict[str, list[str]] = defaultdict(list)
        for key in first:
            part = base.part_of(key)[1] if member.part_choices else ""
            if key in second and (part in member.part_choices or not member.part_choices):
                members[part].append(key)
        for part in member.part_choices or [""]:
            keys = members[part]
            choices = member.part_choices.get(part, member.choices)
            yield ChancePart(
                name=part or base.task.title,
                first=[first[key] for key in keys],
                second=[second[key] for key in keys],
                groups=_grouping(base, keys),
                chance=1.0 / choices if choices else 0.0,
                weight=1.0 / tasks / len(metrics) / (len(member.part_choices) or 1),
                answers=f"{member.task}/{part}" if len(metrics) > 1 else "",
            )


def _grouping(tally: Tally, keys: Sequence[str]) -> Grouping:
    """As the task's row has it; and parts of one answer hang together."""
    clusters, strata = [], []
    for key in keys:
        whole, part = tally.part_of(key)
        row = tally.paired.get(key) or tally.paired.get(whole)
        clusters.append((row.cluster if row else None) or (whole if whole != key else None))
        strata.append(row.stratum if row else part or None)
    return Grouping(clusters, strata)


def _raw(parts: Sequence[ChancePart]) -> tuple[float, float]:
    """Both scores as they are: the mean over a task's answers, or of its metrics."""
    apart = len({part.answers for part in parts}) == 1 and len(parts) > 1 and bool(parts[0].answers)
    sides = ([part.first for part in parts], [part.second for part in parts])
    base, cand = (fmean(map(fmean, side)) if apart else fmean(v for one in side for v in one) for side in sides)
    return base, cand


def _above(parts: Sequence[ChancePart]) -> tuple[float, float]:
    """Both scores above chance."""
    whole = fsum(part.weight for part in parts)
    base, cand = (
        fsum(part.weight * above_chance(fmean(side), part.chance) for part, side in sides) / whole
        for sides in ([(part, part.first) for part in parts], [(part, part.second) for part in parts])
    )
    return base, cand


def table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body: each task as it is and above chance, in percent, and the average last; no body without one."""
    head = ["Task", "Candidate", report.baseline, "Candidate's", f"{report.baseline}, above chance", "Candidate's", ""]
    body = []
    for label, one in (report.normalised.candidates if report.normalised else {}).items():
        for name, (raw, above) in one.tasks.items():
            body.append([name, label, *(f"{100 * score:.2f}" for score in (*raw, *above)), ""])
        ends = (one.baseline, one.candidate)
        body.append([title(report), label, "", "", *(f"{100 * score:.2f}" for score in ends), _recovery(one)])
    return head, body


def sentences(report: Report) -> list[str]:
    """Where the average is defined, and why a candidate has no interval or none at all."""
    found = report.normalised
    if found is None:
        return []
    how = "each score is stretched from chance (0) to all right (100), below chance it is 0"
    why = {label: one.recovery.reason for label, one in found.candidates.items() if one.recovery.reason}
    return [
        f"{found.title}: {how}, as {found.source} defines it. No verdict hangs on it.",
        *(f"{label}, {found.title}: {reason}." for label, reason in {**found.missing, **why}.items()),
    ]


def title(report: Report) -> str:
    """What the average is called; empty where there is none."""
    return report.normalised.title if report.normalised else ""


def _recovery(one: AboveChance) -> str:
    found = one.recovery
    if found.percent is None:
        return DASH
    ends = "" if found.low is None or found.high is None else f" [{found.low:.1f}, {found.high:.1f}]"
    return f"{found.percent:.2f}%{ends}"
