"""The figures of ``results.json``: what it states of one model's answers, and of two models beside each other.

Scores are between 0 and 1, recoveries and their intervals in percent, all unrounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from evalkit.base.codec import LATER, UNSAID, Count, Items, Numbers, Percent, Share
from evalkit.base.verdicts import Verdict
from evalkit.cards import Standing
from evalkit.config.policy import Tier
from evalkit.stats import (
    BenchmarkMethod,
    IntervalQuestion,
    LooksMethod,
    RepeatedMethod,
    SampledMethod,
)

Ends: TypeAlias = tuple[float, float]
"""Lower and upper end of an interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedScore:
    """One model's result on one task; planned = scored + failed + left_out."""

    planned: Count
    """Samples that were to be asked."""
    scored: Count
    """Samples with an answer that counts."""
    failed: Count
    """Samples without an answer."""
    score: Share | None
    """Mean headline score over the scored samples."""
    metrics: Mapping[str, Share | None]
    """By metric, its mean."""
    bounds: tuple[Share, Share] | None
    """The score if every failed sample were wrong, and if every one were right."""
    failures: Mapping[str, Count]
    """By failure kind."""
    truncated: Count
    """Answers that ended at the token limit."""
    empty: Count
    """Answers without words."""
    unparsed: Count
    """Answers in which the metric found nothing to read."""
    notes: Mapping[str, Count] = field(default_factory=dict)
    """By scoring note."""
    mean_completion_tokens: Annotated[float, Numbers("amount", 0)] | None = None
    """Null where the server does not count them."""
    elsewhere: Mapping[str, Count] = field(default_factory=dict, metadata=UNSAID)
    """By field of the response: answers whose text stood there and not in the content. Left out where there are
    none."""
    reasoned: Count = field(default=0, metadata=UNSAID)
    """Answers with reasoning that the server has cut off, whether a text follows it or not. Left out where there are
    none."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict, metadata=UNSAID)
    """By fault of the references: ids of the answered samples that count in no mean because of it; planned is scored
    + failed + these. Not there where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedIfRepeated:
    """What asking the same questions of both models again could change, by the chance in their answers alone."""

    question: Literal[IntervalQuestion.REPEATED] = IntervalQuestion.REPEATED
    """What the interval is an answer to."""
    interval: Ends | None
    """95 % interval of the recovery, if repeated."""
    interval_method: RepeatedMethod | None
    """How the interval was computed."""
    reason: str | None
    """Why there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOnBenchmark:
    """What all samples of the benchmark would give.

    Once all were asked and scored both ends are the number itself (all asked), with lost ones the worst and the best
    that they can do (bounds).
    """

    question: Literal[IntervalQuestion.THIS_BENCHMARK] = IntervalQuestion.THIS_BENCHMARK
    """What the interval is an answer to."""
    interval: Ends | None
    """95 % interval of the recovery, on this benchmark."""
    interval_method: BenchmarkMethod | None
    """How the interval was computed."""
    reason: str | None
    """Why there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedLost:
    """What has no answer."""

    count: Count
    """Samples without a pair; of a task with several attempts, attempts of either model without an answer."""
    unit: Literal["samples", "attempts", "samples and attempts"]
    """What is counted."""
    final: Count | None = None
    """Of these, what asking again will not bring; null where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedComparison:
    """Two models' scores on the same samples."""

    percent: Percent | None
    """Recovery: candidate / baseline x 100 on the paired samples; null where it is undefined, see reason."""
    interval: Ends | None = None
    """95 % interval of the recovery."""
    interval_method: SampledMethod | LooksMethod | None = None
    """How the interval was computed."""
    question: IntervalQuestion | None = field(default=None, metadata=LATER)
    """What the interval is an answer to."""
    if_repeated: StatedIfRepeated | None = field(default=None, metadata=LATER)
    """Beside it, the interval that answers "if repeated"."""
    on_benchmark: StatedOnBenchmark | None = field(default=None, metadata=LATER)
    """Beside it, the interval that answers "on this benchmark"."""
    reason: str | None = None
    """Why there is no recovery or no interval, or what to hold against the interval."""
    baseline: Share | None = None
    """The baseline's score on the paired samples."""
    candidate: Share | None = None
    """The candidate's score on the paired samples."""
    paired: Count | None = field(default=None, metadata=LATER)
    """Samples that both models answered."""
    planned: Count | None = field(default=None, metadata=LATER)
    """Samples that were to be asked."""
    failed: Count | None = field(default=None, metadata=LATER)
    """Samples without a pair that one side reports as failed."""
    missing: Count | None = field(default=None, metadata=LATER)
    """Samples without a pair that one side does not mention."""
    clusters: Count | None = field(default=None, metadata=LATER)
    """Groups of samples that are not independent; the number of pairs when all are."""
    bounds: tuple[Percent | None, Percent | None] | None = None
    """Recovery in the worst and the best case for what is lost; an end of null is without end; null when nothing is
    lost."""
    lost: StatedLost | None = None
    """What the bounds are about; null when nothing is lost."""
    regressed: Count | None = None
    """Samples whose score fell."""
    improved: Count | None = None
    """Samples whose score rose."""
    mcnemar_p: Share | None = None
    """Exact two-sided p that both directions are equally likely; null unless all scores are 0 or 1."""
    differences: tuple[str, ...] = ()
    """Keys of differences that keep the two from being comparable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedJudgement(StatedComparison):
    """One candidate beside the baseline, with its verdict."""

    verdict: Verdict | None = None
    """Null where there is no threshold."""
    tier: Tier | None = field(default=None, metadata=LATER)
    """What the row counts for in the exit code."""
    min_recovery: Percent | None = None
    """The threshold of this row."""
    sentence: str | None = field(default=None, metadata=LATER)
    """The verdict in one line."""
    reasons: Annotated[tuple[str, ...], Items(least=1)] = ()
    """Why this verdict, then what a reader should hold against it."""
    more: Count | None = None
    """How many more samples would decide with a chance of 50 %, as far as these tell; null where they are too few to
    tell, all are asked, or samples are not what is lacking."""
    more_range: tuple[Count, Count] | None = None
    """How many more samples would decide an undecided row with a chance of 50 % and of 80 %, were there so many."""
    p: Share | None = None
    """One-sided p of a row whose interval lies below its threshold; null otherwise."""
    tested: Count | None = field(default=None, metadata=LATER)
    """How many rows of the candidate were tested together (Holm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedJudgementOfAverage(StatedJudgement):
    """The same for an average of several tasks."""

    parts: tuple[str, ...] = ()
    """Titles of the tasks that the average is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedRatio:
    """One mean as a multiple of another."""

    value: float | None
    """Null where the baseline wrote nothing."""
    interval: Ends | None
    """95 % interval of the ratio; null where it has no ends."""
    question: Literal[IntervalQuestion.LIKE_THESE] | None = field(default=None, metadata=LATER)
    """What the interval is an answer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedChange:
    """How answers came out: shares between 0 and 1, or mean tokens."""

    baseline: float
    """The baseline's figure."""
    candidate: float
    """The candidate's figure."""
    difference: float | None
    """Candidate minus baseline."""
    interval: Ends | None
    """95 % interval of the difference."""
    question: Literal[IntervalQuestion.LIKE_THESE] | None = field(default=None, metadata=LATER)
    """What the interval is an answer to."""
    n: Count
    """Samples that both answered."""
    flagged: bool
    """Whether the change is beyond chance."""
    ratio: StatedRatio | None = field(default=None, metadata=UNSAID)
    """Of tokens alone: the candidate's mean as a multiple of the baseline's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDrift:
    """How a candidate's answers came out beside the baseline's, as far as both models' answers tell."""

    unparsed: StatedChange | None = field(default=None, metadata=UNSAID)
    """Share of answers in which the metric found nothing to read."""
    truncated: StatedChange | None = field(default=None, metadata=UNSAID)
    """Share of answers that ended at the token limit."""
    empty: StatedChange | None = field(default=None, metadata=UNSAID)
    """Share of answers without words."""
    elsewhere: StatedChange | None = field(default=None, metadata=UNSAID)
    """Share of answers whose text stood in another field."""
    tokens: StatedChange | None = field(default=None, metadata=UNSAID)
    """Tokens of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFlips:
    """How many scores changed between two askings of the same samples."""

    regressed: Count
    """Samples whose score fell."""
    improved: Count
    """Samples whose score rose."""
    unchanged: Count
    """Samples whose score is the same."""
    discordance: Share | None
    """The share that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedNoiseFloor:
    """What changed when nothing changed: the baseline asked twice."""

    samples: Count
    """Samples that the baseline was asked twice."""
    baseline_again: StatedFlips
    """The baseline beside itself."""
    candidates: Mapping[str, StatedFlips]
    """By candidate label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPublished:
    """What was published of the same pair, beside what was measured."""

    source: str
    """Where the figures were published."""
    title: str
    """The row as it was printed."""
    baseline: str
    """As it was printed, in percent."""
    candidate: str
    """As it was printed, in percent."""
    recovery: float | None
    """The recovery that was published."""
    measured: float | None
    """The recovery of this run."""
    standing: Standing
    """Where the published recovery lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOwnCard:
    """What was published of the baseline itself beside its score here, with that score's 95 % interval."""

    source: str
    """Whose card."""
    printed: str
    """The figure as printed, in percent."""
    measured: Share | None
    """The baseline's score on all that it answered."""
    low: Share | None
    """Lower end of its 95 % interval."""
    high: Share | None
    """Upper end of its 95 % interval."""
    outside: bool
    """Whether no number of the interval rounds to the printed figure."""
    question: Literal[IntervalQuestion.LIKE_THESE] | None = field(default=None, metadata=LATER)
    """What the interval is an answer to."""
