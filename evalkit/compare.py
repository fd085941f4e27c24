"""Two models' scores on the same samples become a recovery."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.types import Recovery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.score import Tally


def recovery(baseline: Tally, candidate: Tally) -> Recovery:
    """Recovery on the samples that both answered, with bounds for those that one of them did not.

    The worst bound takes every missing answer of the candidate as wrong and every missing answer of the baseline
    as right; the best bound the other way round.
    """
    common = [key for key in baseline.paired if key in candidate.paired]
    planned = max(baseline.task_score().planned, candidate.task_score().planned)
    if not common:
        return Recovery(None, None, None, 0, planned, None, "no sample was answered by both models")
    base = fmean(baseline.paired[key].value for key in common)
    cand = fmean(candidate.paired[key].value for key in common)
    bounds = _bounds(baseline, candidate) if len(common) < planned else None
    percent, reason = ratio(base, cand)
    return Recovery(percent, base, cand, len(common), planned, bounds, reason)


def average(parts: Sequence[Recovery]) -> Recovery:
    """Recovery of the average: the mean of the task scores of each model, then their ratio."""
    paired, planned = sum(part.paired for part in parts), sum(part.planned for part in parts)
    bases = [part.baseline for part in parts if part.baseline is not None]
    cands = [part.candidate for part in parts if part.candidate is not None]
    if len(bases) < len(parts) or len(cands) < len(parts) or not parts:
        return Recovery(None, None, None, paired, planned, None, "a task of the average has no score")
    base, cand = fmean(bases), fmean(cands)
    percent, reason = ratio(base, cand)
    return Recovery(percent, base, cand, paired, planned, None, reason)


def ratio(baseline: float, candidate: float) -> tuple[float | None, str | None]:
    """``candidate / baseline x 100`` in percent, or None with the reason why it is undefined."""
    if baseline == 0:
        return None, "the baseline scored 0"
    return candidate / baseline * 100, None


def _bounds(baseline: Tally, candidate: Tally) -> tuple[float, float] | None:
    base, cand = baseline.task_score().bounds, candidate.task_score().bounds
    if base is None or cand is None or base[0] == 0:
        return None
    return cand[0] / base[1] * 100, cand[1] / base[0] * 100
