"""Pairs of numbers, reduced to what an interval needs: means, their clustered covariance, distinct pairs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from evalkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

Clusters: TypeAlias = "Sequence[str | None] | None"
"""The cluster of each sample; None for a sample that stands alone, or for all of them."""


class Covariance(NamedTuple):
    """Of the two means: variance of mean(x), covariance, variance of mean(y)."""

    x: float
    xy: float
    y: float

    def of_difference(self, ratio: float) -> float:
        """Variance of mean(y) - ``ratio`` * mean(x)."""
        return self.y - 2.0 * ratio * self.xy + ratio * ratio * self.x


@dataclass(frozen=True, slots=True)
class PairTotals:
    """Pairs (x, y) of which the ratio of means, mean y over mean x, is wanted.

    A mean alone has x = 1 throughout. The covariance of the two means is the delete-one-cluster jackknife (Bell and
    McCaffrey 2002, "CR3"): without clusters it is the textbook variance over n, and with few clusters of unequal
    size it does not come out too small as the plain cluster sum does.
    """

    n: int
    clusters: int
    """Equal to ``n`` when every sample stands alone."""
    x: float
    """Mean of x."""
    y: float
    covariance: Covariance
    """All 0 where there is one cluster only."""
    cells: tuple[tuple[float, float, int], ...]
    """Each distinct pair and how often it occurs."""
    carriers: float
    """How many clusters carry the variance of y - ratio * x: (sum e^2)^2 / sum e^4 over the clusters' deviations e.

    For right-or-wrong scores of single samples it is about the number of samples that changed.
    """
    cluster_size: float
    """Of the cluster in which an average sample sits: sum of squared sizes over n; 1 without clusters."""

    @property
    def clustered(self) -> bool:
        """Whether some samples share a cluster."""
        return self.clusters < self.n

    def plain_variance(self, ratio: float) -> float:
        """Variance of mean(y) - ``ratio`` * mean(x) if samples were independent, with n (not n - 1) as divisor."""
        mean = self.y - ratio * self.x
        squares = math.fsum(count * (y - ratio * x - mean) ** 2 for x, y, count in self.cells)
        return squares / self.n**2


def pair_totals(x: Sequence[float], y: Sequence[float], clusters: Clusters = None) -> PairTotals:
    """The totals of at least one pair.

    Raises:
        DataError: the three sequences differ in length.
    """
    require_equal_lengths(x, y, clusters)
    n = len(x)
    mean_x, mean_y = math.fsum(x) / n, math.fsum(y) / n
    cells = Counter(zip(x, y, strict=True))
    groups = _groups(x, y, clusters, cells)
    count = sum(repeats for *_, repeats in groups)
    # A cluster's deviation is how far the means move, up to sign, when the cluster is left out.
    moved = (
        [
            ((sx - size * mean_x) / (n - size), (sy - size * mean_y) / (n - size), repeats)
            for size, sx, sy, repeats in groups
        ]
        if count > 1
        else []
    )
    shrink = (count - 1) / count
    ratio = mean_y / mean_x if mean_x else 0.0
    return PairTotals(
        n=n,
        clusters=count,
        x=mean_x,
        y=mean_y,
        covariance=Covariance(
            x=shrink * math.fsum(repeats * ex * ex for ex, _, repeats in moved),
            xy=shrink * math.fsum(repeats * ex * ey for ex, ey, repeats in moved),
            y=shrink * math.fsum(repeats * ey * ey for _, ey, repeats in moved),
        ),
        cells=tuple((a, b, times) for (a, b), times in sorted(cells.items())),
        carriers=carriers([(ey - ratio * ex, repeats) for ex, ey, repeats in moved]),
        cluster_size=sum(repeats * size * size for size, _, _, repeats in groups) / n,
    )


def carriers(deviations: Sequence[tuple[float, int]]) -> float:
    """How many equal deviations would have this mixture of squares: (sum e^2)^2 / sum e^4; 0 when all are 0."""
    squares = [(e * e, repeats) for e, repeats in deviations]
    largest = max((square for square, _ in squares), default=0.0)
    if largest < 1e-24:  # rounding of deviations that are 0
        return 0.0
    second = math.fsum(repeats * (square / largest) for square, repeats in squares)
    fourth = math.fsum(repeats * (square / largest) ** 2 for square, repeats in squares)
    return second * second / fourth


def require_equal_lengths(x: Sequence[float], y: Sequence[float], clusters: Clusters) -> None:
    """Raise ``DataError`` unless there is one y, and one cluster where clusters are given, for every x."""
    if len(x) != len(y):
        raise DataError(
            f"{len(x)} baseline scores cannot be paired with {len(y)} candidate scores",
            fix="pass only the samples that both answered, in the same order",
        )
    if clusters is not None and len(clusters) != len(x):
        raise DataError(
            f"{len(clusters)} clusters were given for {len(x)} samples",
            fix="give each sample one cluster, or None for a sample that stands alone",
        )


def require_scores(values: Sequence[float], what: str) -> None:
    """Raise ``DataError`` unless every value lies between 0 and 1."""
    for position, value in enumerate(values):
        if not 0.0 <= value <= 1.0:  # also catches nan
            raise DataError(
                f"{what}: score number {position + 1} is {value}",
                fix="scores lie between 0 and 1; divide percentages by 100",
            )


def _groups(
    x: Sequence[float], y: Sequence[float], clusters: Clusters, cells: Counter[tuple[float, float]]
) -> list[tuple[int, float, float, int]]:
    """Size, sum of x, sum of y of each cluster, and how many clusters are alike in these."""
    if clusters is None:
        return [(1, a, b, times) for (a, b), times in sorted(cells.items())]
    members: defaultdict[str | int, list[int]] = defaultdict(list)
    for position, cluster in enumerate(clusters):
        members[position if cluster is None else cluster].append(position)
    alike = Counter(
        (len(rows), math.fsum(x[i] for i in rows), math.fsum(y[i] for i in rows)) for rows in members.values()
    )
    return [(size, sx, sy, times) for (size, sx, sy), times in sorted(alike.items())]
