"""How answers came out, baseline beside candidate, apart from what they are worth: drift that a score can hide.

A change is flagged when its 95 % interval excludes 0 and it is large enough to matter: one point of a share (each such
answer can cost a whole sample, so one point can cost one point of score), or a twentieth of the answers' length.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.comparison.behaviour import Behaviour
    from evalkit.comparison.score import Tally
    from evalkit.stats import Estimate

Trait: TypeAlias = Literal["unparsed", "truncated", "empty", "elsewhere", "tokens"]

SHARES: tuple[Trait, ...] = ("unparsed", "truncated", "empty")
_LEAST_SHARE = 0.01
_LEAST_LENGTH = 0.05


@dataclass(frozen=True, slots=True)
class Change:
    """One trait of the answers of two models to the same samples."""

    trait: Trait
    """``unparsed``, ``truncated``, ``empty`` and ``elsewhere`` (text in another field than the content) are shares of
    the answers, 0-1; ``tokens`` is their mean length."""
    baseline: float
    candidate: float
    difference: Estimate
    """Candidate minus baseline, with its 95 % interval; ``n`` is the number of answers that were compared."""
    flagged: bool
    """Whether the change is more than chance, and large enough to matter."""
    ratio: Estimate | None = None
    """Of ``tokens``: the candidate's mean length as a multiple of the baseline's, which is what it costs more to serve;
    None for shares."""


def changes(baseline: Tally, candidate: Tally) -> tuple[Change, ...]:
    """Every trait that both models' answers tell; empty when no sample was answered by both.

    ``elsewhere`` is only among them where an answer shows it.
    """
    ids = sorted(baseline.behaviour.keys() & candidate.behaviour.keys())
    if not ids:
        return ()
    first, second = [baseline.behaviour[key] for key in ids], [candidate.behaviour[key] for key in ids]
    clusters = _clusters(ids, baseline)
    found = [_share(trait, first, second, clusters) for trait in SHARES]
    if any(one.elsewhere or other.elsewhere for one, other in zip(first, second, strict=True)):
        found.append(_share("elsewhere", first, second, clusters))
    told = [at for at, one in enumerate(first) if one.tokens is not None and second[at].tokens is not None]
    # An answer of one token cannot become longer: what a likelihood took says only how it was asked.
    if told and baseline.task.decoding.max_tokens > 1:
        own, other = ([float(side[at].tokens or 0) for at in told] for side in (first, second))
        found.append(_length(own, other, [clusters[at] for at in told]))
    return tuple(found)


def _length(first: Sequence[float], second: Sequence[float], clusters: Sequence[str | None]) -> Change:
    estimate = stats.unbounded_difference(first, second, clusters)
    flagged = _matters(estimate, _LEAST_LENGTH * fmean(first))
    ratio = stats.unbounded_ratio(first, second, clusters)
    return Change("tokens", fmean(first), fmean(second), estimate, flagged, ratio)


def _share(
    trait: Trait, first: Sequence[Behaviour], second: Sequence[Behaviour], clusters: Sequence[str | None]
) -> Change:
    one, two = ([1.0 if getattr(each, trait) else 0.0 for each in side] for side in (first, second))
    estimate = stats.difference(one, two, clusters)
    return Change(trait, fmean(one), fmean(two), estimate, _matters(estimate, _LEAST_SHARE))


def _matters(estimate: Estimate, least: float) -> bool:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return False
    return abs(estimate.value) >= least and not estimate.low <= 0.0 <= estimate.high


def _clusters(ids: Sequence[str], tally: Tally) -> list[str | None]:
    """What each answer shares with others: the cluster of its sample, or the problem that it is one attempt at."""
    if tally.task.decoding.n > 1:
        return [key.rpartition("#")[0] for key in ids]
    scored = tally.paired
    return [scored[key].cluster for key in ids]
