"""Means, clustered errors, paired intervals, flips, pass@k, power: numbers from numbers, without chance or clock."""

from __future__ import annotations

from evalkit.stats.attempts import pass_at_k, within_sample
from evalkit.stats.flips import SAME_WITHIN, Flips, flips
from evalkit.stats.mean import Estimate, difference, mean, proportion_interval, unbounded_difference
from evalkit.stats.power import minimum_detectable_drop, samples_to_decide, samples_to_decide_average
from evalkit.stats.recovery import (
    PublishedScore,
    RecoveryInterval,
    average_recovery,
    recovery,
    recovery_of,
    unpaired_recovery,
)
from evalkit.stats.shares import ROUNDING, share
from evalkit.stats.totals import PairTotals, pair_totals

__all__ = [
    "ROUNDING",
    "SAME_WITHIN",
    "Estimate",
    "Flips",
    "PairTotals",
    "PublishedScore",
    "RecoveryInterval",
    "average_recovery",
    "difference",
    "flips",
    "mean",
    "minimum_detectable_drop",
    "pair_totals",
    "pass_at_k",
    "proportion_interval",
    "recovery",
    "recovery_of",
    "samples_to_decide",
    "samples_to_decide_average",
    "share",
    "unbounded_difference",
    "unpaired_recovery",
    "within_sample",
]
