"""What of a comparison has no answer: how much it is, whether asking again can bring it, and how far it can reach."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from evalkit.base.scores import SampleScore

Range: TypeAlias = tuple[float, float]
"""A score, 0-1, if all that is lost were wrong, and if all of it were right."""
Answered: TypeAlias = "tuple[Mapping[str, SampleScore], int]"
"""One model's scores by sample id, and how often each sample was to be asked."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What has no answer."""

    count: int
    unit: Literal["samples", "attempts", "samples and attempts"] = "samples"
    """Samples without a pair; where a sample is asked several times, attempts of either model without an answer."""
    final: int | None = None
    """Of these: what asking again will not bring. None where the source does not tell."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many of one model's attempts have no answer."""

    label: str
    failed: int
    planned: int

    @property
    def share(self) -> float:
        """Failed of planned, 0-1."""
        return self.failed / self.planned if self.planned else 0.0


def with_missing(told: Attempts | None, own: Answered, other: Answered) -> Attempts | None:
    """The same, with the attempts that a source does not mention: at what the other side answered in full.

    Where both sides have fewer at the same sample, it was to be asked no oftener.
    """
    if told is None:
        return None
    (scores, several), (others, most) = own, other
    lacking = sum(
        several - score.attempts for key, score in scores.items() if key in others and others[key].attempts == most
    )
    silent = max(0, lacking - told.failed)
    return replace(told, failed=told.failed + silent, planned=told.planned + silent)


def worst(*found: Attempts | None) -> Attempts | None:
    """Those that lost the largest share."""
    return max((one for one in found if one is not None), key=lambda one: one.share, default=None)


def score_range(scores: Iterable[SampleScore], planned: int, several: int) -> Range:
    """What one model's score can be over ``planned`` samples that are asked ``several`` times each."""
    found = [(score.value, min(1.0, score.attempts / several)) for score in scores]
    total = math.fsum(value * share for value, share in found)
    lost = planned - math.fsum(share for _, share in found)
    return total / planned, (total + lost) / planned


def together(parts: Sequence[Lost]) -> Lost | None:
    """What several tasks have lost; None when that is nothing."""
    some = [part for part in parts if part.count]
    if not some:
        return None
    final = [part.final for part in some if part.final is not None]
    return Lost(
        sum(part.count for part in some),
        some[0].unit if len({part.unit for part in some}) == 1 else "samples and attempts",
        sum(final) if len(final) == len(some) else None,
    )


def final_count(sides: Sequence[Collection[str] | None], *, apart: bool) -> int | None:
    """How many of the lost ones asking again will not bring; ``apart`` where each side's ids are its own answers."""
    known = [set(side) for side in sides if side is not None]
    if len(known) < len(sides):
        return None
    return sum(map(len, known)) if apart else len(set().union(*known))
