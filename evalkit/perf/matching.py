"""The part of a performance run that is about the checkpoints of an evaluation, told by their digests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.perf.outcome import PerfResult


def of_checkpoints(result: PerfResult, baseline: str, candidates: Mapping[str, str]) -> PerfResult | None:
    """The result with the models that an evaluation has as well; None where it has not both a baseline and a candidate.

    Args:
        result: What was measured.
        baseline: Digest of the evaluation's baseline.
        candidates: Label of each of its candidates to its digest.
    """
    base, *others = result.plan.models
    kept = [one for one in others if one.digest in candidates.values()]
    if base.digest != baseline or not kept:
        return None
    labels = {one.label for one in (base, *kept)}
    return replace(
        result,
        plan=replace(result.plan, models=(base, *kept)),
        rows=tuple(row for row in result.rows if row.model in labels),
        savings=tuple(one for one in result.savings if one.model in labels),
    )
