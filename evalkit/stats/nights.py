"""The same samples asked on two occasions: whether what came out otherwise is more than chance does by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.errors import DataError
from evalkit.stats.flips import Flips, flips
from evalkit.stats.quantiles import two_sided
from evalkit.stats.totals import require_equal_lengths

if TYPE_CHECKING:
    from collections.abc import Sequence

_PSEUDO = 2.0
"""Whole changes that are added to those seen: few were looked at twice, and none seen does not mean that none occur."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a number moved between two occasions."""

    before: float
    after: float
    noise: float | None
    """What chance alone stays within in 95 of 100 cases, either way; None where noise is not known."""

    @property
    def beyond(self) -> bool | None:
        """Whether it moved by more than chance does by itself; None where noise is not known."""
        return None if self.noise is None else abs(self.after - self.before) > self.noise


@dataclass(frozen=True, slots=True)
class Occasions:
    """One model's scores, 0-1, on the same samples on two occasions."""

    before: Sequence[float]
    after: Sequence[float]
    afresh: bool = True
    """Whether it was asked again: answers that are reused have no chance of their own."""

    @property
    def flips(self) -> Flips:
        """How many answers came out worse and better."""
        return flips(self.before, self.after)


def noise(changes: Sequence[float], attempts: int = 1) -> float:
    """The mean squared change of a score between two askings, f, with two whole changes added to those seen.

    Of 0/1 scores it is the share that flips. Without the addition a small noise floor that happens to see few flips
    would find a change on too many nights on which nothing changed.

    Args:
        changes: Second score less first, of the samples that were asked twice.
        attempts: How many answers a score is the mean of; the square of a whole change of one is then 1 / attempts.

    Raises:
        DataError: Nothing was asked twice.
    """
    if not changes:
        raise DataError("no sample was asked twice", fix="measure noise with --noise-floor")
    return (math.fsum(change * change for change in changes) + _PSEUDO / attempts) / len(changes)


def score_shift(model: Occasions, f: float | None) -> Shift:
    """How far a model's mean score moved; between two askings of N samples chance alone has the variance f / N.

    Raises:
        DataError: No sample, or other numbers of them on the two occasions.
    """
    before, after = _means(model)
    half = None if f is None else two_sided(0.95) * math.sqrt(model.afresh * f / len(model.before))
    return Shift(before, after, half)


def recovery_shift(baseline: Occasions, candidate: Occasions, f: float | None) -> Shift | None:
    """How far the recovery, in percent, moved on samples that both models answered on both occasions.

    One occasion's recovery has the standard error sqrt((f_c + r^2 f_b) / 2N) / B from noise alone, and two of them
    differ by sqrt(2) as much. The candidate is taken to waver as the baseline does; a model whose answers were reused
    does not waver.

    Returns:
        None where the baseline scored 0 on an occasion.

    Raises:
        DataError: No sample, or other numbers of them.
    """
    require_equal_lengths(baseline.before, candidate.before, None)
    (b1, b2), (c1, c2) = _means(baseline), _means(candidate)
    if not b1 or not b2:
        return None
    half = None
    if f is not None:
        r = c1 / b1
        spread = f * (candidate.afresh + r * r * baseline.afresh) / len(baseline.before)
        half = 100.0 * two_sided(0.95) * math.sqrt(spread) / b1
    return Shift(100.0 * c1 / b1, 100.0 * c2 / b2, half)


def _means(model: Occasions) -> tuple[float, float]:
    require_equal_lengths(model.before, model.after, None)
    if not model.before:
        raise DataError("no sample was asked on both occasions")
    return fmean(model.before), fmean(model.after)
