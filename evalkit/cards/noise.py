"""How wide the interval of a published recovery is when nothing but the number of samples is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.cards.arithmetic import group_rows
from evalkit.cards.sizes import size_of
from evalkit.stats import PublishedScore, unpaired_recovery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.figures import Printed
    from evalkit.cards.published import AccuracyRow, AccuracyTable


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
    for row in table.rows:
        members = [row] if row.kind == "task" else group_rows(table, row)
        if row.kind == "recovery" or not members:
            continue
        sizes = [_samples(member) for member in members]
        for candidate, model in enumerate(table.models[1:], 1):
            scores = [
                _published(size[0], member.scores[0], member.scores[candidate])
                for size, member in zip(sizes, members, strict=True)
                if size
            ]
            found = [one for one in scores if one]
            if len(found) < len(members):
                continue
            interval = unpaired_recovery(found)
            if interval.percent is None or interval.low is None or interval.high is None:
                continue
            yield Noise(
                table.place,
                row.name,
                model,
                interval.n,
                100.0 * sum(one.baseline for one in found) / len(found),
                100.0 * sum(one.candidate for one in found) / len(found),
                interval.percent,
                interval.low,
                interval.high,
                "; ".join(dict.fromkeys(size[1] for size in sizes if size)),
            )


def _samples(row: AccuracyRow) -> tuple[int, str] | None:
    """How many samples a row's scores come from, and who says so."""
    if row.n is not None:
        return row.n, "the card"
    size = size_of(row.name)
    return None if size is None else (size.n, f"{size.source}: {size.n:,} {size.what}")


def _published(n: int, base: Printed | None, cand: Printed | None) -> PublishedScore | None:
    """Scores between 0 and 1, whether the card prints percentages or shares."""
    if base is None or cand is None:
        return None
    unit = 100 if max(base.value, cand.value) > 1 + stats.ROUNDING else 1
    scores = stats.share(float(base.value / unit)), stats.share(float(cand.value / unit))
    return None if scores[0] is None or scores[1] is None else PublishedScore(n, scores[0], scores[1])
