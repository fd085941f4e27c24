"""A task whose score is the mean of its parts' scores, each counting alike: what that makes of its comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from evalkit.comparison import averages, matched, pairs
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from evalkit.comparison.pairs import Comparison, Side


ALIKE: Final = "parts count alike"
"""Key of the setting by which a side says that its score is the mean of its parts' scores."""


def compare(
    task: str,
    baseline: Side,
    candidate: Side,
    accepted: Collection[str] = (),
    parts: Mapping[str, str] | None = None,
) -> Comparison:
    """The comparison of two sides of one task; where both say so (`ALIKE`), of the mean of its parts' scores.

    The parts are independent of each other: the interval is combined from theirs as an average's is from its tasks'.
    All else is what `pairs.compare` has.

    Args:
        task: Its name.
        baseline: One side.
        candidate: The other.
        accepted: Keys of differences that are intended.
        parts: Id of each sample to its part, also of those without an answer; left out: the strata of the scores.
    """
    whole = pairs.compare(task, baseline, candidate, accepted)
    if parts is None:
        parts = {key: one.stratum for key, one in ({**baseline.scores, **candidate.scores}).items() if one.stratum}
    names = dict.fromkeys(parts.values())
    if whole.totals is None or len(names) < 2 or not (baseline.settings.get(ALIKE) and candidate.settings.get(ALIKE)):
        return whole
    found = [
        pairs.compare(name, _only(baseline, name, parts), _only(candidate, name, parts), accepted) for name in names
    ]
    mean = averages.average(task, found)
    if mean.baseline is None:
        mean = replace(mean, recovery=matched.undefined("one of its parts has no pair of answers", whole.n))
    if mean.repeated.low is None:  # also where the baseline was asked twice
        why = "what asking again would change is not known of a mean of parts' scores"
        mean = replace(mean, repeated=matched.undefined(why, whole.n, IntervalQuestion.REPEATED))
    return replace(
        whole,
        baseline=mean.baseline,
        candidate=mean.candidate,
        recovery=mean.recovery,
        ranges=mean.ranges or whole.ranges,
        totals=None,
        tasks=mean.tasks,
        sizes=mean.sizes,
        repeated=mean.repeated,
    )


def _only(side: Side, part: str, parts: Mapping[str, str]) -> Side:
    """What a side did on one part, all of it being known by its ids."""
    mine = {key for key, name in parts.items() if name == part}
    scores = {key: score for key, score in side.scores.items() if key in mine or key.rpartition("[")[0] in mine}
    whole = side.available is not None and side.available <= side.planned
    return replace(
        side,
        scores=scores,
        failed=side.failed & mine,
        left_out=side.left_out & mine,
        planned=0,
        available=len(mine) if whole else None,
        final=None if side.final is None else side.final & mine,
    )
