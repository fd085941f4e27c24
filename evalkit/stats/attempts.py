"""Several attempts at one sample: their average, pass@k, and what the chance of the attempts alone leaves open."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.stats.interval import fieller
from evalkit.stats.quantiles import two_sided
from evalkit.stats.recovery import ZERO_BASELINE, IntervalQuestion, RecoveryInterval
from evalkit.stats.totals import Covariance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.stats.nights import NightNoise


def within_sample(attempts: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The mean score of each sample's attempts, by sample id in order of first appearance.

    Samples with more attempts than others so weigh no more, and attempts at one sample, which are not independent,
    never count as samples.
    """
    scores: defaultdict[str, list[float]] = defaultdict(list)
    for sample, score in attempts:
        scores[sample].append(score)
    return {sample: math.fsum(values) / len(values) for sample, values in scores.items()}


def pass_at_k(n: int, c: int, k: int) -> float:
    """The probability that at least one of ``k`` attempts passes, estimated from ``c`` passes among ``n`` attempts.

    Unbiased: 1 - C(n - c, k) / C(n, k), as a product that neither overflows nor cancels (Chen et al. 2021,
    "Evaluating Large Language Models Trained on Code"). A task's pass@k is the mean over its samples.

    Raises:
        DataError: not 0 <= c <= n, or not 1 <= k <= n.
    """
    if not 0 <= c <= n:
        raise DataError(f"{c} of {n} attempts cannot pass", fix="count at least 0 and at most n passes")
    if not 1 <= k <= n:
        raise DataError(f"pass@{k} cannot be had from {n} attempts", fix="generate at least k attempts per sample")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def repeated_attempts(
    baseline: Sequence[tuple[float, int]], candidate: Sequence[tuple[float, int]], confidence: float = 0.95
) -> RecoveryInterval:
    """The recovery if the same attempts were drawn once more at the same problems: "if repeated".

    With c_i of n_i attempts of the candidate passing at problem i, and b_i of m_i of the baseline's, the two means are
    independent given the problems, and c_i (1 - c_i) / (n_i - 1) estimates the variance of c_i without bias:

        Var(mean(c) - r * mean(b)) = N^-2 sum_i [c_i (1 - c_i) / (n_i - 1) + r^2 b_i (1 - b_i) / (m_i - 1)]

    put into Fieller's quadratic. It says nothing of other problems.

    Args:
        baseline: Of every problem that both models attempted: the share of attempts that pass, and their number.
        candidate: The same, problem by problem.
        confidence: Of the interval.
    """
    n = len(baseline)
    x, y = (math.fsum(share for share, _ in side) / n if n else 0.0 for side in (baseline, candidate))
    if x == 0.0:
        return _repeated(None, None, n, ZERO_BASELINE if n else "no problem was attempted by both models")
    percent = 100.0 * y / x
    if min(count for _, count in (*baseline, *candidate)) < 2:
        return _repeated(percent, None, n, "a problem with one attempt says nothing of the chance of attempts")
    spread = Covariance(_within(baseline), 0.0, _within(candidate))
    if spread.x + spread.y == 0.0:
        return _repeated(percent, None, n, "all attempts at a problem came out alike, so their chance cannot be seen")
    ends = fieller(x, y, spread, two_sided(confidence))
    if ends is None:
        return _repeated(percent, None, n, "the baseline is within its error of 0: any recovery is possible")
    return replace(_repeated(percent, ends, n, None), chance=spread)


def repeated_askings(recovery: RecoveryInterval, baseline: float, noise: NightNoise) -> RecoveryInterval:
    """The recovery if both models were asked the same samples again, from the baseline's two askings: "if repeated".

    With f the mean squared change of a score between two askings (of 0/1 scores the share that flips), one asking has
    the variance f / 2, so the mean of N of them f / 2N. The candidate is taken to waver as the baseline does:

        r +- 1.96 sqrt((f + r^2 f) / 2N) / B

    Args:
        recovery: Of all N pairs; its percent is kept.
        baseline: The baseline's mean score over them, B.
        noise: What the baseline's two askings say of chance.
    """
    if recovery.percent is None or baseline <= 0.0:
        return _repeated(None, None, recovery.n, ZERO_BASELINE)
    r, variance = recovery.percent / 100.0, noise.f / (2.0 * recovery.n)
    half = two_sided(0.95) * math.sqrt((1.0 + r * r) * variance) / baseline
    found = _repeated(recovery.percent, (r - half, r + half), recovery.n, None)
    return replace(found, method="noise floor", chance=Covariance(variance, 0.0, variance))


def repeated_average(tasks: Sequence[tuple[float, RecoveryInterval]]) -> RecoveryInterval:
    """The average's recovery if the same questions of every task were asked of both models again: "if repeated".

    The tasks' means are independent, so the variances of the two averages are the means of theirs over the number of
    tasks; put into Fieller's quadratic.

    Args:
        tasks: The baseline's mean score on each task, and the task's own recovery if repeated, which has an interval.
    """
    n, count = sum(one.n for _, one in tasks), len(tasks)
    x = math.fsum(base for base, _ in tasks) / count
    y = math.fsum(base * (one.percent or 0.0) / 100.0 for base, one in tasks) / count
    chances = [one.chance for _, one in tasks if one.chance is not None]
    spread = Covariance(*(math.fsum(one[at] for one in chances) / count**2 for at in range(3)))
    ends = fieller(x, y, spread, two_sided(0.95))
    if ends is None:
        return _repeated(100.0 * y / x, None, n, "the baseline is within its error of 0: any recovery is possible")
    return replace(_repeated(100.0 * y / x, ends, n, None), method="combined", chance=spread)


def _within(side: Sequence[tuple[float, int]]) -> float:
    """Variance of the mean over the problems that comes from the attempts alone."""
    return math.fsum(share * (1.0 - share) / (count - 1) for share, count in side) / len(side) ** 2


def _repeated(percent: float | None, ends: tuple[float, float] | None, n: int, reason: str | None) -> RecoveryInterval:
    if ends is None:
        return RecoveryInterval(percent, None, None, None, n, n, reason, IntervalQuestion.REPEATED)
    low, high = 100.0 * max(0.0, ends[0]), 100.0 * ends[1]
    return RecoveryInterval(percent, low, high, "attempts", n, n, reason, IntervalQuestion.REPEATED)
