"""The average of several tasks' comparisons: one row whose interval is combined from theirs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.comparison import losses, matched
from evalkit.comparison.pairs import Comparison, Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.comparison.losses import Range
    from evalkit.stats import Flips, PairTotals, RecoveryInterval


def average(name: str, parts: Sequence[Comparison]) -> Comparison:
    """The average row: the mean of the tasks' scores of each model, their ratio, and its interval."""
    whole = bool(parts) and all(part.totals is not None or part.tasks for part in parts)
    totals, weights = _made_of(parts)
    bases = [part.baseline for part in parts if part.baseline is not None]
    cands = [part.candidate for part in parts if part.candidate is not None]
    n = sum(part.n for part in parts)
    return Comparison(
        task=name,
        n=n,
        planned=sum(part.planned for part in parts),
        failed=sum(part.failed for part in parts),
        missing=sum(part.missing for part in parts),
        lost=max((part.lost for part in parts), default=0.0),
        baseline=math.fsum(bases) / len(bases) if whole else None,
        candidate=math.fsum(cands) / len(cands) if whole else None,
        recovery=stats.average_recovery(totals, weights=weights)
        if whole
        else matched.undefined("a task of the average has no recovery", n),
        flips=_flips_of(parts) if whole else None,
        ranges=_average_ranges(parts) if whole and any(part.ranges for part in parts) else None,
        losses=losses.together([part.losses for part in parts if part.losses is not None]),
        available=_average_available(parts),
        sizes=tuple(size for part in parts for size in part.sizes),
        smoke=any(part.smoke for part in parts),
        drawn=any(part.drawn for part in parts),
        same_answers=bool(parts) and all(part.same_answers for part in parts),
        differences=tuple(
            Difference(one.key, f"{part.task}: {one.what}") for part in parts for one in part.differences
        ),
        parts=tuple(part.task for part in parts),
        tasks=tuple(totals) if whole else (),
        weights=weights if whole else (),
        attempts=losses.worst(*(part.attempts for part in parts)),
        repeated=_repeated(parts, n),
    )


def _made_of(parts: Sequence[Comparison]) -> tuple[list[PairTotals], tuple[float, ...]]:
    """The totals that the mean is made of, and what each weighs; no weights where each of them is a task's scores."""
    found = [(part.totals,) if part.totals is not None else part.tasks for part in parts]
    totals = [one for listed in found for one in listed]
    if not any(part.weights for part in parts):
        return totals, ()
    return totals, tuple(weight for part in parts for weight in part.weights or (1.0,))


def _repeated(parts: Sequence[Comparison], n: int) -> RecoveryInterval:
    """What asking the tasks' questions again could change; without ends where that is not known of one of them."""
    lacking = [part for part in parts if part.repeated.low is None]
    if lacking or not parts:
        alike = len({part.repeated.reason for part in lacking}) == 1 and len(lacking) == len(parts)
        place = "" if alike or not parts else f"{lacking[0].task}: "
        why = f"{place}{lacking[0].repeated.reason}" if parts else "the average has no task"
        return matched.undefined(why, n, stats.IntervalQuestion.REPEATED)
    return stats.repeated_average([(part.baseline or 0.0, part.repeated) for part in parts])


def _average_available(parts: Sequence[Comparison]) -> int | None:
    """How many samples the average can have when all its tasks grow alike: the smallest room sets the pace."""
    room = [part.available / part.planned for part in parts if part.available is not None and part.planned]
    return int(min(room) * sum(part.planned for part in parts)) if parts and len(room) == len(parts) else None


def _average_ranges(parts: Sequence[Comparison]) -> tuple[Range, Range]:
    """The mean of the tasks' ranges; a task that lost nothing has its score for both ends."""
    columns: list[tuple[float, float, float, float]] = []
    for part in parts:
        base, cand = part.baseline or 0.0, part.candidate or 0.0
        (a, b), (c, d) = part.ranges or ((base, base), (cand, cand))
        columns.append((a, b, c, d))
    a, b, c, d = (math.fsum(column) / len(parts) for column in zip(*columns, strict=True))
    return (a, b), (c, d)


def _flips_of(parts: Sequence[Comparison]) -> Flips:
    """The flips of all tasks together. Tasks weigh differently in an average, so there is no common McNemar p."""
    flips = [part.flips for part in parts if part.flips is not None]
    regressed, improved = sum(one.regressed for one in flips), sum(one.improved for one in flips)
    return stats.Flips(regressed, improved, sum(one.unchanged for one in flips), None)
