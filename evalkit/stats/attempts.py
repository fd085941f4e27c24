"""Several attempts at one sample: their average, and pass@k."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from evalkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable


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
