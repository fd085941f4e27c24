"""What the pairs of a task are expected to be, before they are asked: to draw data sets from, for the gate's own rule.

A population is a mixture of clusters (a sample that stands alone is a cluster of one), each some pairs of baseline's
and candidate's score. It begins symmetric: a cluster is as likely the other way round, the two models' scores
exchanged, so that the true recovery is 100 %. Another recovery is reached by making one way round likelier than the
other (``Population.at``), which keeps how many scores change, by how much, and how those of a cluster go together.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from evalkit.base.errors import DataError
from evalkit.stats.flips import SAME_WITHIN
from evalkit.stats.totals import Covariance, Grouping, PairTotals, Unit, counted_totals, many_totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

Cluster: TypeAlias = tuple[tuple[float, float], ...]
"""The pairs (baseline, candidate) of a cluster."""

GUESS_COUNTS_AS = 20
"""Samples that a guess counts as beside pairs that were seen: where a tenth is guessed to change, two of them do (the
pseudo-changes of Agresti and Caffo 2000)."""
_TOGETHER = 0.1
"""Share of the guessed changes of a problem that all attempts at it make together."""
_NORMAL_FROM = 200.0
"""Expected ``PairTotals.carriers`` from which the means of samples that stand alone are drawn from their normal limit:
Fieller's interval, which they have then, knows no more of them."""
_KINDS = 100
"""Kinds of clusters that change, from which on some stand for others."""
_LOST: Cluster = ((1.0, 0.0),)
_WON: Cluster = ((0.0, 1.0),)


@dataclass(frozen=True, slots=True)
class Population:
    """A mixture of clusters."""

    shares: Mapping[Cluster, float]
    """Cluster to the share of all clusters that are such; they add up to 1."""
    strata: tuple[float, ...] = (1.0,)
    """Share of the samples in each stratum; every stratum has the same mixture."""
    attempts: int = 1
    """The fewest attempts that a score is the average of."""

    @property
    def clustered(self) -> bool:
        """Whether some samples share a cluster."""
        return any(len(one) > 1 for one in self.shares)

    @property
    def baseline(self) -> float:
        """Mean score of the baseline."""
        mean = self._mean()
        return mean.x / mean.size

    @property
    def cluster_size(self) -> float:
        """Mean number of samples in a cluster."""
        return self._mean().size

    def standard_error(self, samples: int) -> float:
        """Of the mean difference of two models that are alike but for what changes."""
        mean = self._mean()
        square = math.fsum(share * (unit.y - unit.x) ** 2 for unit, share in self._units())
        return math.sqrt(square / mean.size / samples)

    def at(self, recovery: float) -> Population:
        """A symmetric population moved to a true recovery of so much, as a share (0.98).

        Where all that changes is too little for it, samples that are lost, or won, are mixed in.

        Raises:
            DataError: The recovery is negative, or the baseline scores 0.
        """
        mean = self._mean()
        if recovery < 0.0 or mean.x <= 0.0:
            fix = "it needs a baseline above 0 and a recovery of 0 or more"
            raise DataError(f"a population cannot have the recovery {recovery:g}", fix=fix)
        gap, change = abs(1.0 - recovery), mean.change
        sign = 1.0 if recovery < 1.0 else -1.0
        # Of the baseline's mean, x + tilt change / 2, the difference tilt change has to be 1 - recovery.
        lean = gap * mean.x
        most = change * (1.0 + recovery) / 2.0
        if lean <= most:
            return self._leaning(sign * lean / most) if lean > 0.0 else self
        base = mean.x + sign * change / 2.0
        spare = 1.0 - change - gap * (1.0 - base) if sign > 0.0 else 1.0 - change + gap * base
        share = min(1.0, (gap * base - change) / spare)
        more = Population({_LOST if sign > 0.0 else _WON: 1.0})
        return replace(self, shares=_mixed([(self._leaning(sign), 1.0 - share), (more, share)]))

    def changing(self, discordance: float) -> Population:
        """With such a share of samples changing, as far as all clusters allow; how they change is kept."""
        changed = {one: share for one, share in self.shares.items() if _changed(one)}
        weight, size = math.fsum(changed.values()), self._mean().size
        if not 0.0 < weight < 1.0:
            return self
        moved = math.fsum(share * _changed(one) for one, share in changed.items()) / weight
        there = math.fsum(share * len(one) for one, share in changed.items()) / weight
        elsewhere = (size - weight * there) / (1.0 - weight)
        # Of the share w of clusters that change: w moved = discordance (w there + (1 - w) elsewhere).
        slope = moved - discordance * (there - elsewhere)
        wanted = min(1.0, discordance * elsewhere / slope) if slope > 0.0 else 1.0
        factors = (1.0 - wanted) / (1.0 - weight), wanted / weight
        return replace(self, shares={one: share * factors[one in changed] for one, share in self.shares.items()})

    def draw(self, samples: int, times: int, chance: Generator) -> Iterator[PairTotals]:
        """Data sets of so many samples, a few more or less where clusters are drawn whole.

        Args:
            samples: Of one data set, at least 1.
            times: How many data sets.
            chance: What they are drawn with.
        """
        mean = self._mean()
        clusters = max(1, round(samples / mean.size))
        ratio = mean.y / mean.x if mean.x else 0.0
        squares = [((unit.y - ratio * unit.x) ** 2, share) for unit, share in self._units()]
        second, fourth = (math.fsum(share * square**power for square, share in squares) for power in (1, 2))
        carriers = clusters * second * second / fourth if fourth > 0.0 else 0.0
        if carriers < _NORMAL_FROM or self.clustered:
            return self._counts(clusters, times, chance)
        return self._means(clusters, times, carriers, chance)

    def _counts(self, clusters: int, times: int, chance: Generator) -> Iterator[PairTotals]:
        """Drawn cluster by cluster; of data sets that are alike one is worked out."""
        import numpy as np  # noqa: PLC0415 - a start must not wait for it

        total = math.fsum(self.shares.values())
        weights = [share / total for share in self.shares.values()]
        sizes = [count for count in _apportioned(clusters, self.strata) if count]
        drawn = np.hstack([chance.multinomial(count, weights, size=times) for count in sizes])
        distinct, which = np.unique(drawn, axis=0, return_inverse=True)
        if len(sizes) > 1 or any(len(one) > 1 for one in self.shares):
            found = [self._totals(row) for row in distinct.reshape(len(distinct), len(sizes), -1)]
        else:
            found = many_totals([pair for (pair,) in self.shares], distinct, attempts=self.attempts)
        return (found[at] for at in which.reshape(-1).tolist())

    def _totals(self, drawn: NDArray[np.int64]) -> PairTotals:
        """Of one data set, from how often each stratum (row) has each kind of cluster (column)."""
        kinds = [(unit, Counter(one)) for one, (unit, _) in zip(self.shares, self._units(), strict=True)]
        strata, cells = [], Counter[tuple[float, float]]()
        for row in drawn:
            units = Counter[Unit]()
            for at in row.nonzero()[0].tolist():
                unit, pairs = kinds[at]
                often = int(row[at])
                units[unit] += often
                for pair, count in pairs.items():
                    cells[pair] += count * often
            strata.append(units)
        return counted_totals(strata, cells, attempts=self.attempts)

    def _means(self, clusters: int, times: int, carriers: float, chance: Generator) -> Iterator[PairTotals]:
        """Drawn from the normal limit of the two means."""
        mean = self._mean()
        x, y, scale = mean.x / mean.size, mean.y / mean.size, clusters * mean.size**2
        moved = [(unit.x - unit.size * x, unit.y - unit.size * y, share) for unit, share in self._units()]
        covariance = Covariance(
            math.fsum(share * ex * ex for ex, _, share in moved) / scale,
            math.fsum(share * ex * ey for ex, ey, share in moved) / scale,
            math.fsum(share * ey * ey for _, ey, share in moved) / scale,
        )
        matrix = [[covariance.x, covariance.xy], [covariance.xy, covariance.y]]
        for found_x, found_y in chance.multivariate_normal([x, y], matrix, size=times).tolist():
            yield PairTotals(
                n=round(clusters * mean.size),
                clusters=clusters,
                x=found_x,
                y=max(0.0, found_y),
                covariance=covariance,
                cells=(),  # only the score interval needs them, which is for fewer carriers
                carriers=carriers,
                largest_cluster=1,
                strata=len(self.strata),
                attempts=self.attempts,
            )

    def _leaning(self, tilt: float) -> Population:
        """A share of ``tilt`` of what is better the other way round turned that way, or of what is worse (negative)."""
        leant = {}
        for one, share in self.shares.items():
            difference = math.fsum(y - x for x, y in one)
            leant[one] = share * (1.0 - math.copysign(tilt, tilt * difference) if difference else 1.0)
        return replace(self, shares=leant)

    def _units(self) -> Iterator[tuple[Unit, float]]:
        for one, share in self.shares.items():
            yield Unit(len(one), math.fsum(x for x, _ in one), math.fsum(y for _, y in one)), share

    def _mean(self) -> _Mean:
        units = list(self._units())
        return _Mean(
            math.fsum(share * unit.size for unit, share in units),
            math.fsum(share * unit.x for unit, share in units),
            math.fsum(share * unit.y for unit, share in units),
            math.fsum(share * abs(unit.y - unit.x) for unit, share in units),
        )


class _Mean(NamedTuple):
    """Of a cluster: its samples, the two sums of its scores, and the absolute difference of these."""

    size: float
    x: float
    y: float
    change: float


def guessed(baseline: float, discordance: float, attempts: int = 1) -> Population:
    """Single samples of 0/1 scores of which a share changes, as often for the better as for the worse.

    Of a sample that is asked several times the average is scored. Its attempts change singly, but for a tenth of the
    changes, which all attempts at a problem make together: the variance of a difference is discordance (0.1 + 0.9 /
    attempts). Where the two shares cannot be had together the baseline gives way.

    Args:
        baseline: Mean score, 0-1.
        discordance: Share of samples, or of attempts, that change, 0-1.
        attempts: At each sample.

    Raises:
        DataError: A number outside 0 to 1.
    """
    if not (0.0 <= baseline <= 1.0 and 0.0 <= discordance <= 1.0):
        raise DataError(f"{baseline} and {discordance} are not two shares", fix="give shares between 0 and 1")
    whole = discordance if attempts == 1 else discordance * _TOGETHER
    shares: defaultdict[Cluster, float] = defaultdict(float, {_LOST: whole / 2.0, _WON: whole / 2.0})
    if attempts == 1:
        right = min(1.0 - whole, max(0.0, baseline - whole / 2.0))
        shares[((1.0, 1.0),)] += right
        shares[((0.0, 0.0),)] += 1.0 - whole - right
    else:
        singly = math.sqrt(discordance * (1.0 - _TOGETHER) / attempts / (1.0 - whole)) / 2.0
        step = min(singly, baseline, 1.0 - baseline)
        for sign in (1.0, -1.0):
            shares[((baseline - sign * step, baseline + sign * step),)] += (1.0 - whole) / 2.0
    return Population({one: share for one, share in shares.items() if share > 0.0}, attempts=attempts)


def seen(x: Sequence[float], y: Sequence[float], grouping: Grouping | None = None, *, attempts: int = 1) -> Population:
    """The clusters of at least one pair that was seen, each as likely the other way round.

    Raises:
        DataError: The sequences differ in length.
    """
    clusters = grouping.clusters if grouping else None
    strata = grouping.strata if grouping else None
    members: defaultdict[str | int, list[tuple[float, float]]] = defaultdict(list)
    for at, pair in enumerate(zip(x, y, strict=True)):
        own = None if clusters is None else clusters[at]
        members[at if own is None else own].append(pair)
    shares: defaultdict[Cluster, float] = defaultdict(float)
    for one, weight in _merged(Counter(tuple(sorted(pairs)) for pairs in members.values())).items():
        shares[one] += weight / 2.0 / len(members)
        shares[tuple(sorted((b, a) for a, b in one))] += weight / 2.0 / len(members)
    sizes = sorted(Counter(strata).values()) if strata is not None and clusters is None else [len(x)]
    return Population(dict(shares), tuple(size / len(x) for size in sizes), attempts)


def informed(guess: Population, pairs: Population, samples: int) -> Population:
    """A guess and a population of so many samples seen, as if the guess were ``GUESS_COUNTS_AS`` more of them."""
    clusters = samples / pairs._mean().size  # noqa: SLF001 - of its own module
    share = GUESS_COUNTS_AS / (GUESS_COUNTS_AS + clusters)
    return replace(pairs, shares=_mixed([(guess, share), (pairs, 1.0 - share)]))


def _merged(clusters: Counter[Cluster]) -> dict[Cluster, float]:
    """The clusters in fewer kinds, where scores are fractional: thousands would take minutes to draw.

    Where nothing changes, those of one size and one tenth of a mean score have their mean. Of those that change, were
    they many kinds, every so many-th stands for its neighbours in the order of what it changes.
    """
    found: defaultdict[Cluster, float] = defaultdict(float)
    alike: defaultdict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    changed: list[tuple[float, Cluster, int]] = []
    for one, count in clusters.items():
        mean = math.fsum(x for x, _ in one) / len(one)
        if _changed(one):
            changed.append((abs(math.fsum(y - x for x, y in one)), one, count))
        elif all(x in {0.0, 1.0} for x, _ in one):
            found[one] += count
        else:
            alike[len(one), round(10.0 * mean)].append((mean, count))
    for (size, _), means in alike.items():
        weight = sum(count for _, count in means)
        mean = math.fsum(value * count for value, count in means) / weight
        found[((mean, mean),) * size] += weight
    if len(changed) > _KINDS:
        whole = [one for _, one, count in sorted(changed) for _ in range(count)]
        middles = [whole[(2 * at + 1) * len(whole) // (2 * _KINDS)] for at in range(_KINDS)]
        return {**found, **{one: times * len(whole) / _KINDS for one, times in Counter(middles).items()}}
    return {**found, **{one: float(count) for _, one, count in changed}}


def _changed(cluster: Sequence[tuple[float, float]]) -> int:
    return sum(abs(y - x) > SAME_WITHIN for x, y in cluster)


def _mixed(parts: Iterable[tuple[Population, float]]) -> Mapping[Cluster, float]:
    shares: defaultdict[Cluster, float] = defaultdict(float)
    for population, weight in parts:
        for one, share in population.shares.items():
            shares[one] += weight * share
    return {one: share for one, share in shares.items() if share > 0.0}


def _apportioned(clusters: int, strata: Sequence[float]) -> list[int]:
    """Clusters to strata by their shares, the largest remainders first."""
    exact = [clusters * share for share in strata]
    found = [math.floor(count) for count in exact]
    order = sorted(range(len(exact)), key=lambda at: found[at] - exact[at])
    for at in order[: clusters - sum(found)]:
        found[at] += 1
    return found
