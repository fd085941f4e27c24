"""Data sets with a known recovery, drawn at random: the raw material of the simulation study.

A pair of scores is drawn from a joint distribution given by the baseline score, the discordance (share of samples
that change) and the direction (share of the changes that are for the worse). Clustered pairs are
Dirichlet-multinomial: each cluster has its own distribution around the common one, so that every function of the
pair, flips included, has the stated intra-cluster correlation. Stratified pairs are drawn subject by subject, each
subject with a baseline and a damage of its own that are the same in every data set.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from evalkit.stats import PairTotals
from evalkit.stats.totals import Covariance

SEED = 20250711
BLOCK = 500
"""Data sets that share a random stream; the first block can be drawn again by itself as a check."""

# Questions in each of the 57 test subjects of MMLU.
SUBJECTS = [
    *(100, 135, 152, 100, 265, 144, 100, 100, 100, 173, 102, 100, 235, 114, 145, 378, 126, 100, 310, 203),
    *(100, 165, 198, 193, 390, 270, 238, 151, 545, 216, 204, 237, 223, 131, 121, 108, 163, 112, 103, 234),
    *(100, 783, 346, 895, 306, 311, 324, 282, 1534, 272, 612, 110, 245, 201, 100, 166, 171),
]
FEW_SUBJECTS = {456: [8] * 57, 1026: [18] * 57, 14_042: SUBJECTS}
"""Questions of each subject where a run asks so many, the same of each; all at 14,042."""
# Questions per image, about 4.2 on average as in DocVQA.
PER_IMAGE = [1, 3, 5, 3, 8, 1, 5, 3, 1, 12, 3, 5, 3, 1, 8, 5, 3, 1, 5, 3]
DIRECTIONS = {"even": 1 / 2, "two to one": 2 / 3, "all worse": 1.0}
SMALL, SMALL_SHARE = 0.1, 0.6
"""Fractional scores are 0, 0.9 or 1: three changes in five are small (0.9 to 1 or back), the others whole."""
BREAKS = 0.01
"""With scores of "noise and breaks" all changes are small but for one sample in a hundred, which is lost altogether."""


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    group: str
    n: int
    kind: str
    clusters: str
    baseline: float
    discordance: float
    direction: str

    def generator(self, block: int) -> np.random.Generator:
        """The random stream of one block of this cell: the same on every machine and in any order of cells."""
        name = zlib.crc32(repr(self).encode())
        return np.random.default_rng(np.random.SeedSequence([SEED, name, block]))


@dataclass(frozen=True)
class Joint:
    """The distinct pairs, their probabilities, and the recovery (ratio) that they imply."""

    pairs: np.ndarray
    probabilities: np.ndarray
    ratio: float


def joint(cell: Cell) -> Joint | None:
    """The joint distribution of a cell; None where no such distribution exists."""
    worse = cell.discordance * DIRECTIONS[cell.direction]
    better = cell.discordance - worse
    p = cell.baseline
    if cell.kind == "binary":
        pairs = [(1, 1), (1, 0), (0, 1), (0, 0)]
        masses = [p - worse, worse, better, 1 - p - better]
    elif cell.kind == "noise and breaks":
        high = p - worse - better * (1 - SMALL)
        pairs = [(1, 1), (0, 0), (1, 1 - SMALL), (1, 0), (1 - SMALL, 1)]
        masses = [high, 1 - cell.discordance - high, worse - BREAKS, BREAKS, better]
    else:
        whole = 1 - SMALL_SHARE
        high = (p - worse - better * SMALL_SHARE * (1 - SMALL)) / (1 - SMALL / 10)
        low = 1 - cell.discordance - high
        pairs = [(1, 1), (1 - SMALL,) * 2, (0, 0), (1, 1 - SMALL), (1, 0), (1 - SMALL, 1), (0, 1)]
        masses = [0.9 * high, 0.1 * high, low]
        masses += [worse * SMALL_SHARE, worse * whole, better * SMALL_SHARE, better * whole]
    if min(masses) < -1e-12:
        return None
    values, shares = np.array(pairs, float), np.clip(masses, 0, None)
    shares /= shares.sum()
    means = shares @ values
    return Joint(values, shares, float(means[1] / means[0]))


def sizes_of(cell: Cell) -> tuple[list[int], float]:
    """Cluster sizes and intra-cluster correlation of a clustered cell."""
    shape, correlation = cell.clusters.split(", correlation ")
    if shape == "57 uneven groups":
        return sorted(SUBJECTS, reverse=True), float(correlation)
    if shape != "images":
        count = int(shape.removesuffix(" groups"))
        return [cell.n // count] * count, float(correlation)
    sizes: list[int] = []
    while sum(sizes) < cell.n:
        sizes.append(min(PER_IMAGE[len(sizes) % len(PER_IMAGE)], cell.n - sum(sizes)))
    return sorted(sizes, reverse=True), float(correlation)


def draw(cell: Cell, truth: Joint, block: int) -> list[PairTotals]:
    """One block of data sets, as totals."""
    rng = cell.generator(block)
    if cell.clusters == "-":
        return single_totals(truth.pairs, rng.multinomial(cell.n, truth.probabilities, size=BLOCK))
    if cell.clusters.startswith("strata"):
        sizes = np.array(FEW_SUBJECTS[cell.n])
        counts = np.stack(
            [rng.multinomial(size, shares, size=BLOCK) for size, shares in zip(sizes, subjects(cell), strict=True)],
            axis=1,
        )
        return stratified_totals(truth.pairs, counts, sizes)
    sizes, correlation = sizes_of(cell)
    return clustered_totals(truth.pairs, clustered_counts(rng, np.array(sizes), truth, correlation), np.array(sizes))


def clustered_counts(rng: np.random.Generator, sizes: np.ndarray, truth: Joint, correlation: float) -> np.ndarray:
    """Replicate x cluster x pair: how often each pair occurs in each cluster.

    Small clusters are drawn sample by sample (Polya's urn: copy an earlier sample or draw a fresh one), large ones
    from a Dirichlet distribution of their own; the result has the same distribution. Sizes come in falling order.
    """
    concentration = 1 / correlation - 1
    kinds = len(truth.probabilities)
    if sizes.max() > 20:
        parts = rng.standard_gamma(np.maximum(truth.probabilities * concentration, 1e-12), (BLOCK, len(sizes), kinds))
        return rng.multinomial(sizes, parts / parts.sum(axis=2, keepdims=True))
    edges = np.cumsum(truth.probabilities)[:-1]
    members = np.full((sizes.max(), BLOCK, len(sizes)), -1, np.int8)
    for position in range(sizes.max()):
        filled = int((sizes > position).sum())
        fresh = np.searchsorted(edges, rng.random((BLOCK, filled), np.float32), side="right").astype(np.int8)
        place = rng.random((BLOCK, filled)) * (concentration + position)
        earlier = np.minimum(place.astype(np.int8), max(position - 1, 0))
        copied = np.take_along_axis(members[:, :, :filled], earlier[None], axis=0)[0]
        members[position, :, :filled] = np.where(place < position, copied, fresh)
    return np.stack([(members == kind).sum(axis=0, dtype=np.int16) for kind in range(kinds)], axis=2)


def subjects(cell: Cell) -> np.ndarray:
    """Subject x pair: the probabilities of each subject of a stratified cell.

    Baselines reach from 0.25 below the mean to 0.25 above it. Equal damage flips the same share of every subject;
    unequal damage all falls on every third subject.
    """
    sizes = np.array(FEW_SUBJECTS[cell.n])
    place = np.linspace(-0.25, 0.25, len(sizes))
    base = cell.baseline + place - (place * sizes).sum() / sizes.sum()
    hit = np.ones(len(sizes)) if cell.clusters == "strata, equal damage" else (np.arange(len(sizes)) % 3 == 0) * 1.0
    changed = cell.discordance * hit / ((hit * sizes).sum() / sizes.sum())
    worse = changed * DIRECTIONS[cell.direction]
    better = changed - worse
    found = np.stack([base - worse, worse, better, 1 - base - better], axis=1)
    if found.min() < 0:
        raise ValueError(f"{cell} asks for more than a subject has")
    return found


def single_totals(pairs: np.ndarray, counts: np.ndarray, attempts: int = 1) -> list[PairTotals]:
    """Totals of samples that stand alone; each row of ``counts`` is one data set."""
    n = int(counts[0].sum())
    means = counts @ pairs / n
    moved = (pairs[None] - means[:, None]) / math.sqrt(n * (n - 1))
    return assemble(pairs, counts, moved, counts, Shape(n, attempts=attempts))


def clustered_totals(pairs: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> list[PairTotals]:
    """Totals of clustered samples; ``counts`` is replicate x cluster x pair."""
    n = int(sizes.sum())
    sums = counts @ pairs
    means = sums.sum(axis=1) / n
    shrink = math.sqrt((len(sizes) - 1) / len(sizes))
    moved = shrink * (sums - sizes[None, :, None] * means[:, None]) / (n - sizes)[None, :, None]
    shape = Shape(len(sizes), largest_cluster=int(sizes.max()))
    totals = assemble(pairs, counts.sum(axis=1), moved, np.ones(sums.shape[:2], int), shape)
    # Sums of tenths, without the rounding that would make equal ones differ.
    each = (Counter(map(tuple, row.tolist())) for row in sums.round(9))
    return [
        replace(one, sums=tuple((x, y, times) for (x, y), times in sorted(found.items())))
        for one, found in zip(totals, each, strict=True)
    ]


def stratified_totals(pairs: np.ndarray, counts: np.ndarray, sizes: np.ndarray) -> list[PairTotals]:
    """Totals of samples that stand alone in strata of these sizes; ``counts`` is replicate x stratum x pair."""
    n = int(sizes.sum())
    means = counts @ pairs / sizes[None, :, None]
    weight = np.sqrt(sizes / (sizes - 1)) / n
    moved = weight[None, :, None, None] * (pairs[None, None] - means[:, :, None])
    flat = moved.reshape(len(counts), -1, 2)
    shape = Shape(n, strata=len(sizes))
    return assemble(pairs, counts.sum(axis=1), flat, counts.reshape(len(counts), -1), shape)


@dataclass(frozen=True)
class Shape:
    """What all data sets of a block have in common."""

    clusters: int
    largest_cluster: int = 1
    strata: int = 1
    attempts: int = 1


def assemble(
    pairs: np.ndarray, counts: np.ndarray, moved: np.ndarray, repeats: np.ndarray, shape: Shape
) -> list[PairTotals]:
    """The same arithmetic as ``evalkit.stats.pair_totals``, for many data sets at once (a test compares them).

    ``moved`` is replicate x deviation x (x, y), scaled so that the squares, each ``repeats`` times, are the variance.
    """
    means = counts @ pairs / counts[0].sum()
    second = np.einsum("rg,rgi,rgj->rij", repeats, moved, moved)
    ratio = np.divide(means[:, 1], means[:, 0], out=np.zeros(len(means)), where=means[:, 0] > 0)
    squares = (moved[..., 1] - ratio[:, None] * moved[..., 0]) ** 2 * (repeats > 0)
    largest = squares.max(axis=1)
    scaled = squares / np.where(largest > 0, largest, 1)[:, None]
    fourth = (repeats * scaled**2).sum(axis=1)
    carriers = np.where(largest < 1e-24, 0, (repeats * scaled).sum(axis=1) ** 2 / np.where(fourth > 0, fourth, 1))
    distinct = [(float(x), float(y)) for x, y in pairs]
    return [
        PairTotals(
            n=int(row.sum()),
            clusters=shape.clusters,
            x=float(mean[0]),
            y=float(mean[1]),
            covariance=Covariance(float(v[0, 0]), float(v[0, 1]), float(v[1, 1])),
            cells=tuple((*pair, int(count)) for pair, count in zip(distinct, row, strict=True) if count),
            carriers=float(carried),
            largest_cluster=shape.largest_cluster,
            strata=shape.strata,
            attempts=shape.attempts,
        )
        for row, mean, v, carried in zip(counts, means, second, carriers, strict=True)
    ]
