"""Means, clustered errors, paired intervals, flips, pass@k, power: numbers from numbers, without chance or clock."""

from __future__ import annotations

from evalkit.stats.above_chance import ChancePart, above_chance, recovery_above_chance
from evalkit.stats.attempts import pass_at_k, repeated_askings, repeated_attempts, repeated_average, within_sample
from evalkit.stats.early import ERROR as EARLY_ERROR
from evalkit.stats.early import Look, Schedule
from evalkit.stats.flips import SAME_WITHIN, Flips, flips
from evalkit.stats.mean import Estimate, difference, mean, unbounded_difference, unbounded_ratio
from evalkit.stats.nights import NightNoise, Occasions, Shift, noise, recovery_shift, score_shift
from evalkit.stats.population import GUESS_COUNTS_AS, Population, guessed, informed, seen
from evalkit.stats.power import (
    MoreSamples,
    chance_of_degraded,
    chance_of_recovered,
    samples_to_decide,
    samples_to_decide_average,
    visible_drop,
)
from evalkit.stats.recovery import (
    BenchmarkMethod,
    IntervalQuestion,
    LooksMethod,
    PublishedScore,
    RecoveryInterval,
    RepeatedMethod,
    SampledMethod,
    average_recovery,
    recovery,
    recovery_of,
    recovery_on_benchmark,
    unpaired_recovery,
)
from evalkit.stats.several import ONE_SIDED, holm, p_of_loss
from evalkit.stats.shares import ROUNDING, share
from evalkit.stats.totals import Grouping, PairTotals, pair_totals

__all__ = [
    "EARLY_ERROR",
    "GUESS_COUNTS_AS",
    "ONE_SIDED",
    "ROUNDING",
    "SAME_WITHIN",
    "BenchmarkMethod",
    "ChancePart",
    "Estimate",
    "Flips",
    "Grouping",
    "IntervalQuestion",
    "Look",
    "LooksMethod",
    "MoreSamples",
    "NightNoise",
    "Occasions",
    "PairTotals",
    "Population",
    "PublishedScore",
    "RecoveryInterval",
    "RepeatedMethod",
    "SampledMethod",
    "Schedule",
    "Shift",
    "above_chance",
    "average_recovery",
    "chance_of_degraded",
    "chance_of_recovered",
    "difference",
    "flips",
    "guessed",
    "holm",
    "informed",
    "mean",
    "noise",
    "p_of_loss",
    "pair_totals",
    "pass_at_k",
    "recovery",
    "recovery_above_chance",
    "recovery_of",
    "recovery_on_benchmark",
    "recovery_shift",
    "repeated_askings",
    "repeated_attempts",
    "repeated_average",
    "samples_to_decide",
    "samples_to_decide_average",
    "score_shift",
    "seen",
    "share",
    "unbounded_difference",
    "unbounded_ratio",
    "unpaired_recovery",
    "visible_drop",
    "within_sample",
]
