"""Pairs of numbers, reduced to what an interval needs: means, their clustered covariance, distinct pairs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from evalkit.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

Clusters: TypeAlias = "Sequence[str | None] | None"
"""The cluster of each sample; None for a sample that stands alone, or for all of them."""
_NO_DEVIATION = 1e-24
"""The square of a deviation that is 0 but for rounding."""


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

    Clusters are groups of which other samples would bring others (pictures, pages). Strata are groups that are there
    in any case (the subjects of an exam): what differs between them is no chance, so only what varies within them
    counts, V = sum_h (n_h / n)^2 s_h^2 / n_h (Cochran 1977, "Sampling Techniques", 5.6). A stratum of one cluster has
    no variance of its own: such strata are taken together, a lone one with the smallest of the others, which can only
    make V too large (Cochran's collapsed strata, 5A.12).
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
    largest_cluster: int
    """Samples in the largest cluster; 1 without clusters."""
    strata: int = 1
    """Groups within which the variance was taken, after lone ones were taken together; 1 without strata."""
    attempts: int = 1
    """The fewest attempts that a score is the average of, over both sides of all pairs."""
    sums: tuple[tuple[float, float, int], ...] = ()
    """Each distinct pair of sums of a cluster, and how many clusters have it; empty where samples stand alone."""

    @property
    def clustered(self) -> bool:
        """Whether some samples share a cluster."""
        return self.clusters < self.n


@dataclass(frozen=True, slots=True)
class Grouping:
    """How samples hang together, each field with one entry for each sample."""

    clusters: Clusters = None
    strata: Clusters = None
    """The stratum of each sample; those with None are a stratum of their own. Where a cluster reaches into several
    strata there are none: that samples of one picture go together matters more."""


def pair_totals(
    x: Sequence[float], y: Sequence[float], groups: Clusters | Grouping = None, *, attempts: int = 1
) -> PairTotals:
    """The totals of at least one pair; ``groups`` are clusters unless they are a ``Grouping``.

    Raises:
        DataError: the sequences differ in length.
    """
    grouping = groups if isinstance(groups, Grouping) else Grouping(groups)
    require_equal_lengths(x, y, grouping.clusters)
    require_equal_lengths(x, y, grouping.strata, "strata")
    return counted_totals(_strata(x, y, grouping), Counter(zip(x, y, strict=True)), attempts=attempts)


def counted_totals(
    strata: Sequence[Counter[Unit]], cells: Counter[tuple[float, float]], *, attempts: int = 1
) -> PairTotals:
    """The same from counts: the clusters of each stratum by what they add up to, and the pairs that are in them."""
    n = cells.total()
    mean_x, mean_y = (math.fsum(pair[side] * times for pair, times in cells.items()) / n for side in (0, 1))
    whole = _collapsed(strata)
    moved = [deviation for one in whole for deviation in _deviations(one, n)]
    ratio = mean_y / mean_x if mean_x else 0.0
    count = sum(one.total() for one in strata)
    return PairTotals(
        n=n,
        clusters=count,
        x=mean_x,
        y=mean_y,
        covariance=Covariance(
            x=math.fsum(repeats * ex * ex for ex, _, repeats in moved),
            xy=math.fsum(repeats * ex * ey for ex, ey, repeats in moved),
            y=math.fsum(repeats * ey * ey for _, ey, repeats in moved),
        ),
        cells=tuple((a, b, times) for (a, b), times in sorted(cells.items())),
        carriers=carriers([(ey - ratio * ex, repeats) for ex, ey, repeats in moved]),
        largest_cluster=max(unit.size for one in strata for unit in one),
        strata=len(whole),
        attempts=attempts,
        sums=_sums(strata) if count < n else (),
    )


def many_totals(
    pairs: Sequence[tuple[float, float]], counts: NDArray[np.int64], *, attempts: int = 1
) -> list[PairTotals]:
    """``counted_totals`` of many data sets at once, in which every sample stands alone, and in one stratum.

    Args:
        pairs: Distinct ones.
        counts: A row for each data set, of at least one sample: how often it has each of the pairs.
        attempts: The fewest that a score is the average of.
    """
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    n = counts.sum(axis=1)
    sides = [np.array([pair[side] for pair in pairs]) for side in (0, 1)]
    means = [counts @ values / n for values in sides]
    weight = np.sqrt((n - 1) / n) / np.maximum(n - 1, 1)
    ex, ey = (weight[:, None] * (values - mean[:, None]) for values, mean in zip(sides, means, strict=True))
    ratio = np.divide(means[1], means[0], out=np.zeros(len(n)), where=means[0] > 0.0)
    moments = [(counts * one * two).sum(axis=1).tolist() for one, two in ((ex, ex), (ex, ey), (ey, ey))]
    carried = _carriers(ey - ratio[:, None] * ex, counts).tolist()
    order = sorted(range(len(pairs)), key=pairs.__getitem__)
    found = zip(n.tolist(), *(mean.tolist() for mean in means), *moments, carried, counts.tolist(), strict=True)
    return [
        PairTotals(
            n=size,
            clusters=size,
            x=mean_x,
            y=mean_y,
            covariance=Covariance(xx, xy, yy),
            cells=tuple((*pairs[at], row[at]) for at in order if row[at]),
            carriers=own,
            largest_cluster=1,
            attempts=attempts,
        )
        for size, mean_x, mean_y, xx, xy, yy, own, row in found
    ]


def _carriers(deviations: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """``carriers`` of each row."""
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    squares = np.where(counts > 0, deviations * deviations, 0.0)
    largest = squares.max(axis=1)
    moving = largest >= _NO_DEVIATION
    shares = squares / np.where(moving, largest, 1.0)[:, None]
    second, fourth = (counts * shares).sum(axis=1), (counts * shares * shares).sum(axis=1)
    found: NDArray[np.float64] = np.divide(second * second, fourth, out=np.zeros(len(counts)), where=moving)
    return found


def carriers(deviations: Sequence[tuple[float, int]]) -> float:
    """How many equal deviations would have this mixture of squares: (sum e^2)^2 / sum e^4; 0 when all are 0."""
    squares = [(e * e, repeats) for e, repeats in deviations]
    largest = max((square for square, _ in squares), default=0.0)
    if largest < _NO_DEVIATION:
        return 0.0
    second = math.fsum(repeats * (square / largest) for square, repeats in squares)
    fourth = math.fsum(repeats * (square / largest) ** 2 for square, repeats in squares)
    return second * second / fourth


def require_equal_lengths(x: Sequence[float], y: Sequence[float], groups: Clusters, kind: str = "clusters") -> None:
    """Raise ``DataError`` unless there is one y, and one group where groups are given, for every x."""
    if len(x) != len(y):
        raise DataError(
            f"{len(x)} baseline scores cannot be paired with {len(y)} candidate scores",
            fix="pass only the samples that both answered, in the same order",
        )
    if groups is not None and len(groups) != len(x):
        raise DataError(
            f"{len(groups)} {kind} were given for {len(x)} samples",
            fix="give each sample one, or None for a sample that stands alone",
        )


def require_scores(values: Sequence[float], what: str) -> None:
    """Raise ``DataError`` unless every value lies between 0 and 1."""
    for position, value in enumerate(values):
        if not 0.0 <= value <= 1.0:  # also catches nan
            raise DataError(
                f"{what}: score number {position + 1} is {value}",
                fix="scores lie between 0 and 1; divide percentages by 100",
            )


class Unit(NamedTuple):
    """A cluster: its size and its sums."""

    size: int
    x: float
    y: float


def _strata(x: Sequence[float], y: Sequence[float], grouping: Grouping) -> list[Counter[Unit]]:
    """The clusters of each stratum, alike ones counted together."""
    clusters, strata = grouping.clusters, grouping.strata
    if clusters is None or all(own is None for own in clusters):
        return _alone(x, y, strata)
    members: defaultdict[str | int, list[int]] = defaultdict(list)
    for position in range(len(x)):
        own = None if clusters is None else clusters[position]
        members[position if own is None else own].append(position)
    if strata is None or any(len({strata[i] for i in rows}) > 1 for rows in members.values()):
        strata = [None] * len(x)
    found: defaultdict[str, Counter[Unit]] = defaultdict(Counter)
    for rows in members.values():
        unit = Unit(len(rows), math.fsum(x[i] for i in rows), math.fsum(y[i] for i in rows))
        found[strata[rows[0]] or ""][unit] += 1
    return [found[name] for name in sorted(found)]


def _alone(x: Sequence[float], y: Sequence[float], strata: Clusters) -> list[Counter[Unit]]:
    """The same where every sample stands alone."""
    found: defaultdict[str, Counter[Unit]] = defaultdict(Counter)
    for (own, a, b), times in Counter(zip(strata or [None] * len(x), x, y, strict=True)).items():
        found[own or ""][Unit(1, a, b)] += times
    return [found[name] for name in sorted(found)]


def _sums(strata: Sequence[Counter[Unit]]) -> tuple[tuple[float, float, int], ...]:
    found: Counter[tuple[float, float]] = Counter()
    for one in strata:
        for unit, times in one.items():
            found[unit.x, unit.y] += times
    return tuple((x, y, times) for (x, y), times in sorted(found.items()))


def _collapsed(strata: Sequence[Counter[Unit]]) -> list[Counter[Unit]]:
    """Strata of several clusters each, as far as there are several."""
    several = [one for one in strata if one.total() > 1]
    lone = sum((one for one in strata if one.total() == 1), Counter[Unit]())
    if lone.total() == 1 and several:
        smallest = min(several, key=Counter.total)
        several = [one for one in several if one is not smallest]
        lone = lone + smallest
    return [*several, lone] if lone else several


def _deviations(stratum: Counter[Unit], n: int) -> list[tuple[float, float, int]]:
    """How far leaving a cluster out moves the two means of ``n`` samples, up to sign, and how many clusters do so.

    Scaled so that the squares add up to the variance. The stratum keeps its weight.
    """
    count = stratum.total()
    if count == 1:
        return []
    size = sum(unit.size * times for unit, times in stratum.items())
    mean_x = math.fsum(unit.x * times for unit, times in stratum.items()) / size
    mean_y = math.fsum(unit.y * times for unit, times in stratum.items()) / size
    weight = size / n * math.sqrt((count - 1) / count)
    return [
        (
            weight * (unit.x - unit.size * mean_x) / (size - unit.size),
            weight * (unit.y - unit.size * mean_y) / (size - unit.size),
            times,
        )
        for unit, times in sorted(stratum.items())
    ]
