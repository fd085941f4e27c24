"""Which samples changed, and whether one direction is more than chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.stats.quantiles import sign_test
from evalkit.stats.totals import require_equal_lengths, require_scores

if TYPE_CHECKING:
    from collections.abc import Sequence

SAME_WITHIN = 1e-9
"""Scores closer than this differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Flips:
    """Samples on which the candidate does worse, better, or the same as the baseline."""

    regressed: int
    improved: int
    unchanged: int
    mcnemar_p: float | None
    """Exact two-sided p (McNemar 1947) that both directions are equally likely; None unless all scores are 0 or 1."""

    @property
    def discordance(self) -> float | None:
        """The share of samples that changed, between 0 and 1; None without samples."""
        changed = self.regressed + self.improved
        n = changed + self.unchanged
        return changed / n if n else None


def flips(baseline: Sequence[float], candidate: Sequence[float]) -> Flips:
    """The changes between paired scores; on fractional scores any change of direction counts, however small.

    Raises:
        DataError: a score outside 0 to 1, or sequences of different lengths.
    """
    require_equal_lengths(baseline, candidate, None)
    require_scores(baseline, "baseline")
    require_scores(candidate, "candidate")
    changes = [after - before for before, after in zip(baseline, candidate, strict=True)]
    regressed = sum(change < -SAME_WITHIN for change in changes)
    improved = sum(change > SAME_WITHIN for change in changes)
    right_or_wrong = all(score in (0.0, 1.0) for scores in (baseline, candidate) for score in scores)
    return Flips(
        regressed,
        improved,
        len(changes) - regressed - improved,
        sign_test(regressed, improved) if right_or_wrong else None,
    )
