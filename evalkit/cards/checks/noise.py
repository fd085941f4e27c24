"""How wide the interval of a published recovery is when nothing but the number of samples is known."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.cards.checks.averages import members
from evalkit.cards.checks.wholes import wholes
from evalkit.cards.sizes import size_of
from evalkit.stats import PublishedScore, RecoveryInterval, unpaired_recovery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import AccuracyTable, CardScores


_FINE = 0.0005
"""Half a unit of a score's last digit, as a share, from which on rounding counts."""


@dataclass(frozen=True, slots=True)
class Noise:
    """One published comparison and what chance alone could have made of it. Percent throughout."""

    table: str
    row: str
    candidate: str
    n: int
    baseline: float
    score: float
    recovery: float
    low: float
    high: float
    source: str
    """Where the number of samples is from."""

    @property
    def is_noise(self) -> bool:
        """Whether 100 % is inside the interval: a difference that unpaired scores cannot tell from none."""
        return self.low <= 100.0 <= self.high


def noise(table: AccuracyTable) -> Iterator[Noise]:
    """Each row and candidate of a table for which the number of samples is known."""
    rescaled = _rescaled(table)
    for at, row in enumerate(table.rows):
        if row.group in rescaled and (row.kind == "average" or _chance(row)):
            continue
        rows = [row] if row.kind == "task" else members(table, at) if row.kind == "average" else []
        for base, candidate in table.pairs:
            sizes = [_samples(member, candidate) for member in rows]
            if not rows or not all(sizes):
                continue
            scores = [
                _published(table, member, size[0], (base, candidate))
                for size, member in zip(sizes, rows, strict=True)
                if size
            ]
            found = [one for one in scores if one]
            if len(found) < len(rows):
                continue
            interval = unpaired_recovery(found)
            halves = [tuple(_half(table, one, model) for model in (base, candidate)) for one in rows]
            ends = _with_rounding(halves, found, interval)
            if interval.percent is None or ends is None:
                continue
            yield Noise(
                table.place,
                row.name,
                table.models[candidate],
                interval.n,
                100.0 * sum(one.baseline for one in found) / len(found),
                100.0 * sum(one.candidate for one in found) / len(found),
                interval.percent,
                *ends,
                "; ".join(dict.fromkeys(size[1] for size in sizes if size)),
            )


def _with_rounding(
    halves: Sequence[tuple[float, ...]], found: Sequence[PublishedScore], interval: RecoveryInterval
) -> tuple[float, float] | None:
    """The ends of an interval, moved outwards by what rounding may hide where scores have few decimals."""
    if interval.low is None or interval.high is None:
        return None
    if max(max(pair) for pair in halves) < _FINE:
        return interval.low, interval.high
    moved = [
        [
            PublishedScore(one.n, _within(one.baseline - way * half[0]), _within(one.candidate + way * half[1]))
            for one, half in zip(found, halves, strict=True)
        ]
        for way in (-1, 1)
    ]
    low, high = (unpaired_recovery(some) for some in moved)
    return None if low.low is None or high.high is None else (low.low, high.high)


def _half(table: AccuracyTable, row: CardScores, model: int) -> float:
    """Half a unit of a score's last digit, as a share."""
    score = row.scores[model]
    return 0.0 if score is None else float(score.half_unit) / wholes(table, row, (score,))[0]


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _rescaled(table: AccuracyTable) -> set[int]:
    """The groups of rows in which a score is far below what guessing gets: they are rescaled, so that it gets 0."""
    found = set()
    for row in table.rows:
        size, chance = size_of(row.label, row.category), _chance(row)
        for score in row.scores:
            if size is None or not chance or score is None:
                continue
            share = float(score.value / wholes(table, row, (score,))[0])
            if share < chance - 4 * sqrt(chance * (1 - chance) / size.n):
                found.add(row.group)
    return found


def _chance(row: CardScores) -> float:
    size = size_of(row.label, row.category)
    return size.chance if size is not None else 0.0


def _samples(row: CardScores, model: int) -> tuple[int, str] | None:
    """How many samples a row's scores come from, and who says so; None for a score that is no share of them."""
    if row.better == "lower":
        return None
    told = row.n(model)
    if told is not None:
        return told, "the card"
    size = size_of(row.label, row.category)
    return None if size is None else (size.n, f"{size.source}: {size.n:,} {size.what}")


def _published(table: AccuracyTable, row: CardScores, n: int, pair: tuple[int, int]) -> PublishedScore | None:
    """Scores between 0 and 1, whether the card prints percentages or shares."""
    base, cand = (row.scores[model] for model in pair)
    if base is None or cand is None:
        return None
    unit = wholes(table, row, (base, cand))[0]
    scores = stats.share(float(base.value / unit)), stats.share(float(cand.value / unit))
    return None if scores[0] is None or scores[1] is None else PublishedScore(n, scores[0], scores[1])
