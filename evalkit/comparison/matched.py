"""The samples that both sides of a comparison have scored, and what they come to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from evalkit.base.scores import SampleScore
    from evalkit.comparison.pairs import Side
    from evalkit.stats import PairTotals, RecoveryInterval

ASKED_ONCE = "every sample was asked once, so noise is not known (--noise-floor 500 asks the baseline twice)"
"""Why nothing is said of what asking again would give."""


@dataclass(frozen=True)  # without slots, which would leave no room for what is worked out once
class Matched:
    """The samples that both sides scored, in the order of their ids."""

    ids: tuple[str, ...]
    first: tuple[SampleScore, ...]
    second: tuple[SampleScore, ...]

    @classmethod
    def of(cls, baseline: Side, candidate: Side) -> Matched:
        """Those of two sides."""
        # Sorted, so that shuffling a file cannot change even the last digit of a result.
        ids = tuple(sorted(baseline.scores.keys() & candidate.scores.keys()))
        return cls(ids, tuple(baseline.scores[key] for key in ids), tuple(candidate.scores[key] for key in ids))

    @cached_property
    def baseline(self) -> tuple[float, ...]:
        """The baseline's scores."""
        return tuple(score.value for score in self.first)

    @cached_property
    def candidate(self) -> tuple[float, ...]:
        """The candidate's scores."""
        return tuple(score.value for score in self.second)

    def totals(self) -> PairTotals:
        """What the interval is computed from."""
        groups = stats.Grouping(
            clusters=[one.cluster or two.cluster for one, two in zip(self.first, self.second, strict=True)],
            strata=[one.stratum or two.stratum for one, two in zip(self.first, self.second, strict=True)],
        )
        fewest = min(score.attempts for score in chain(self.first, self.second))
        return stats.pair_totals(self.baseline, self.candidate, groups, attempts=fewest)

    def repeated(self) -> RecoveryInterval:
        """What the chance of the attempts alone leaves open; without ends where samples are asked once."""
        base, cand = ([(score.value, score.attempts) for score in side] for side in (self.first, self.second))
        several = all(max(count for _, count in side) > 1 for side in (base, cand))
        return (
            stats.repeated_attempts(base, cand)
            if several
            else undefined(ASKED_ONCE, len(base), IntervalQuestion.REPEATED)
        )

    def recovery(self, totals: PairTotals | None) -> RecoveryInterval:
        """Recovery with its interval; undefined without totals."""
        found = stats.recovery_of(totals) if totals else stats.recovery((), ())
        # From the means that are shown, so that equal scores give 100 to the last digit.
        return found if found.percent is None else replace(found, percent=self.means[1] / self.means[0] * 100)

    @property
    def same_answers(self) -> bool:
        """Whether both gave the same answers, word for word, on every pair."""
        both = zip(self.first, self.second, strict=True)
        return bool(self.ids) and all(one.said is not None and one.said == two.said for one, two in both)

    @cached_property
    def means(self) -> tuple[float, float]:
        """The scores on the pairs, 0-1."""
        n = len(self.ids)
        return math.fsum(self.baseline) / n, math.fsum(self.candidate) / n


def undefined(reason: str, n: int, question: IntervalQuestion = IntervalQuestion.LIKE_THESE) -> RecoveryInterval:
    """No interval that answers ``question``, and why; ``n`` pairs there were."""
    return stats.RecoveryInterval(None, None, None, None, n, 0, reason, question)
