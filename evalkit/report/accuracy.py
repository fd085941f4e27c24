"""The accuracy table, in the shape of the published one: scores over the same pairs, so that they give the recovery."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import counted
from evalkit.report.facts import AVERAGE, IMPORTED
from evalkit.report.words import DASH, recovery_text, verdict_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.verdict import Judgement
    from evalkit.records.history import Point
    from evalkit.report.facts import Average, Report

_PLACES: Final = range(2, 7)
"""Decimals of a score in percent: as the published tables have, or as many as the recovery beside it takes."""


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """One row, rounded once for every rendering."""

    category: str
    title: str
    metric: str
    """Empty for an average."""
    judgements: Mapping[str, Judgement]
    """By candidate label."""
    baseline: str
    """Over the pairs, where all candidates have the same ones; otherwise on all that it answered."""
    baselines: Mapping[str, str]
    """Over each candidate's pairs, by its label."""
    scores: Mapping[str, str]
    """Of the candidates, over their pairs."""
    own: str
    """Each model's own mean over all that it answered, where that is another than the one shown; otherwise empty."""

    @property
    def average(self) -> bool:
        """Whether it is an average."""
        return not self.metric

    @property
    def apart(self) -> bool:
        """Whether the candidates are compared on other samples of the task."""
        return len({(one.comparison.n, self.baselines[label]) for label, one in self.judgements.items()}) > 1


@dataclass(frozen=True, slots=True)
class PrintedScores:
    """PrintedScores of one row in percent, with as many decimals as make their ratio the printed recovery."""

    baseline: str
    """Over the pairs, where all candidates have the same score of it; otherwise on all that it answered."""
    baselines: Mapping[str, str]
    """Over each candidate's pairs, by its label."""
    candidates: Mapping[str, str]
    own: str
    """Each model's own mean over all that it answered, where that is another than the one shown; otherwise empty."""


def rows(report: Report) -> list[AccuracyRow]:
    """Tasks and averages, an average closes its category; then what was made elsewhere."""
    found = []
    closing = {one.category: one for one in report.averages}
    for at, row in enumerate(report.rows):
        task = row.part.task
        own = {label: (score.score, score.scored) for label, score in row.scores.items()}
        found.append(_row(report, (task.category, task.title, task.headline), row.judgements, own))
        last = all(other.part.task.category != task.category for other in report.rows[at + 1 :])
        if last and task.category in closing:
            found.append(_average(report, closing[task.category]))
    for one in report.imported:
        means = {label: (mean, 0) for label, mean in one.scores.items()}
        found.append(_row(report, (IMPORTED, one.title, one.metric), one.judgements, means))
    return found


def table(
    report: Report, *, sizes: bool = False, candidates: Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Heading and body.

    Where candidates are compared on other samples, each has the baseline's score on its own pairs before it. Own means
    that differ from the shown ones stand in a last column.

    Args:
        report: What is shown.
        sizes: Tell the number of pairs as well, ``n``.
        candidates: Of these alone.
    """
    found = rows(report)
    judged = any(one.verdict is not None for one in report.judgements)
    apart, own = any(row.apart for row in found), any(row.own for row in found)
    head = ["Category", "Metric", *([] if apart else [report.baseline])]
    labels = report.candidates if candidates is None else candidates
    for label in labels:
        head += [*([report.baseline] if apart else []), label, "Recovery (%)", *(["Verdict"] if judged else [])]
        head += ["n"] if sizes and apart else []
    common = sizes and not apart and bool(report.candidates)
    head += [*(["n"] if common else []), *(["On all answered"] if own else [])]
    body = []
    for row in found:
        cells = [row.category, f"{row.title} {row.metric}".rstrip(), *([] if apart else [row.baseline])]
        for label in labels:
            one = row.judgements[label]
            cells += [*([row.baselines[label]] if apart else []), row.scores[label], recovery_text(one.comparison)]
            cells += [*([verdict_text(one.verdict)] if judged else []), *([_n(one)] if sizes and apart else [])]
        cells += [_n(one) for one in row.judgements.values()][:1] if common else []
        body.append([*cells, *([row.own] if own else [])])
    return head, body


def pair(one: Comparison) -> tuple[str, str]:
    """Both scores of a comparison in percent, with as many decimals as make their ratio the shown recovery."""
    places = decimals([(one.baseline, one.candidate, recovery_text(one).partition("%")[0])])
    return _text(one.baseline, places), _text(one.candidate, places)


def printed(
    baseline: str,
    pairs: Mapping[str, tuple[float | None, float | None, str]],
    own: Mapping[str, tuple[float | None, int]],
) -> PrintedScores:
    """The scores of one row as they are printed.

    Args:
        baseline: Its label.
        pairs: By candidate: the scores of baseline and candidate over their pairs, 0-1, and the recovery as printed.
        own: By label: a model's own mean over all that it answered, 0-1, and how many answers that are; 0 is not told.
    """
    places = decimals(list(pairs.values()))
    means = {label: _text(mean, places) for label, (mean, _) in own.items()}
    bases = {label: _text(base, places) for label, (base, _, _) in pairs.items()}
    scores = {label: _text(cand, places) for label, (_, cand, _) in pairs.items()}
    shown = {label: {text} for label, text in scores.items()} | ({baseline: set(bases.values())} if bases else {})
    differ = [
        f"{label} {means[label]}" + (f" ({counted(count, 'answer')})" if count else "")
        for label, (mean, count) in own.items()
        if mean is not None and shown.get(label, {means[label]}) != {means[label]}
    ]
    same = set(bases.values())
    return PrintedScores(same.pop() if len(same) == 1 else means.get(baseline, DASH), bases, scores, ", ".join(differ))


def file_pair(
    baseline: float | None, candidate: float | None, percent: float | None
) -> tuple[float | None, float | None, str]:
    """A pair of ``printed`` from the figures of a ``results.json``: scores from 0 to 1, recovery in percent.

    The recovery is left out where it is not that of the scores, as in files that have means over other samples.
    """
    if not baseline or candidate is None or percent is None or not math.isclose(100.0 * candidate / baseline, percent):
        return baseline, candidate, ""
    return baseline, candidate, f"{percent:.2f}"


def point_scores(point: Point) -> PrintedScores:
    """Both scores of one run of a history, which is labelled ``baseline`` and ``candidate``."""
    own = {"baseline": (point.own[0], 0), "candidate": (point.own[1], 0)}
    pair = file_pair(point.baseline, point.candidate, point.percent)
    return printed("baseline", {"candidate": pair}, own)


def decimals(found: Sequence[tuple[float | None, float | None, str]]) -> int:
    """How many decimals the scores of a row take, so that dividing them as printed gives each recovery as printed.

    Args:
        found: Baseline and candidate from 0 to 1, and their recovery in percent as it is printed.
    """
    for places in _PLACES:
        if all(_divides(*one, places) for one in found):
            return places
    return _PLACES[-1]


def _divides(baseline: float | None, candidate: float | None, recovery: str, places: int) -> bool:
    if not baseline or candidate is None or not recovery[:1].isdigit():
        return True
    base, cand = (float(f"{100 * value:.{places}f}") for value in (baseline, candidate))
    return base > 0 and f"{100 * cand / base:.{len(recovery.partition('.')[2])}f}" == recovery


def _row(
    report: Report,
    names: tuple[str, str, str],
    judgements: Mapping[str, Judgement],
    own: Mapping[str, tuple[float | None, int]],
) -> AccuracyRow:
    compared = {label: one.comparison for label, one in judgements.items()}
    pairs = {
        label: (one.baseline, one.candidate, recovery_text(one).partition("%")[0]) for label, one in compared.items()
    }
    found = printed(report.baseline, pairs, own)
    return AccuracyRow(*names, judgements, found.baseline, found.baselines, found.candidates, found.own)


def _average(report: Report, one: Average) -> AccuracyRow:
    members = [row for row in report.rows if row.part.task.category == one.category]
    own: dict[str, tuple[float | None, int]] = {}
    for label in (report.baseline, *one.judgements):
        scores = [row.scores[label].score for row in members]
        own[label] = (None if None in scores else fmean(score for score in scores if score is not None), 0)
    return _row(report, (one.category, AVERAGE, ""), one.judgements, own)


def _n(one: Judgement) -> str:
    return f"{one.comparison.n:,}"


def _text(value: float | None, places: int) -> str:
    return DASH if value is None else f"{100 * value:.{places}f}"
