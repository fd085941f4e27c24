"""Two models' scores on the same samples become a comparison: pairs, recovery with its interval, flips, bounds.

Samples are paired by id, never by position, so the order of either side is harmless. Where both sides say what
was asked (a digest of the question, the references, the prompt), equal ids with different content are a difference,
and a comparison with a difference has no recovery unless its key was accepted.

``planned`` is the number of samples that should have been compared: the union of both sides' ids, or more where a
side knows the size of its task. A sample without a score on both sides is outside the estimate, inside the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.base.printable import agreeing, counted
from evalkit.comparison import losses
from evalkit.comparison.losses import Lost, worst
from evalkit.comparison.matched import Matched, undefined
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.scores import SampleScore
    from evalkit.base.types import Json
    from evalkit.comparison.losses import Attempts, Range
    from evalkit.stats import Flips, PairTotals, RecoveryInterval

SAMPLES = "samples"
"""Key of the one difference that nobody can accept: the two sides answered other samples. As a setting it is a digest
over all samples' content; equal ones say that equal ids mean equal questions."""

_NAMED = 3
_FEW_PAIRS = 30


@dataclass(frozen=True, slots=True)
class Side:
    """What one model did on one task."""

    label: str
    """How messages name it."""
    scores: Mapping[str, SampleScore]
    """By sample id; several attempts are averaged already."""
    failed: frozenset[str] = frozenset()
    """Planned samples without a score."""
    left_out: frozenset[str] = frozenset()
    """Answered samples that cannot be scored, because their references are at fault: neither side counts them."""
    planned: int = 0
    """How many samples were to be answered, where that is known beyond ``scores`` and ``failed``."""
    available: int | None = None
    """How many samples the task's data has; None when unknown."""
    smoke: bool = False
    """Whether the run was cut short on purpose, after the first samples: they stand for no others."""
    drawn: bool = False
    """Whether its samples are a random part of the task's."""
    content: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Sample id -> part (question, references, prompt) -> digest, where the source tells."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """What must be equal on both sides: task, metric, dialect, revision and so on; unknown ones are left out."""
    cautions: tuple[str, ...] = ()
    """What a reader should hold against these scores."""
    attempts: Attempts | None = None
    """Of samples that are asked several times; a sample with some attempts left still has a score."""
    several: int = 1
    """How often each sample was to be asked."""
    model: str = ""
    """The model as published tables name it, where the source tells."""
    final: frozenset[str] | None = None
    """Ids of answers that are lost and that asking again will not bring; None where the source does not tell."""
    strata: Mapping[str, str] = field(default_factory=dict)
    """Stratum of each sample without a score, where the source tells; that of the others stands in their scores."""

    @property
    def every_stratum(self) -> dict[str, str]:
        """Sample id to its stratum, with a score or without."""
        return {**self.strata, **{key: one.stratum for key, one in self.scores.items() if one.stratum}}

    @property
    def known(self) -> set[str]:
        """Ids of all samples that the source mentions."""
        return {*self.failed, *self.scores, *self.left_out}


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that must be equal on both sides and is not."""

    key: str
    """Its name for ``--accept-difference``."""
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside its baseline on one task, or on the average of several."""

    task: str
    n: int
    """Samples that both scored."""
    planned: int
    failed: int
    """Of ``planned - n``: samples that one side reports as failed."""
    missing: int
    """Of ``planned - n``: samples that one side does not mention."""
    lost: float
    """Share of ``planned`` without a pair; of an average, that of its worst task."""
    baseline: float | None
    """Score on the paired samples, 0-1; over all its own samples when the two cannot be compared."""
    candidate: float | None
    recovery: RecoveryInterval
    flips: Flips | None
    """None when nothing could be paired."""
    ranges: tuple[Range, Range] | None = None
    """Baseline's and candidate's score if all that is lost were wrong, and right; None when nothing is lost."""
    losses: Lost | None = None
    """What has no answer; None when nothing is lost."""
    available: int | None = None
    """How many samples the task's data has; None when unknown."""
    smoke: bool = False
    """Whether only the first samples of the task were asked."""
    drawn: bool = False
    """Whether the samples are a random part of the task's, or of one of the average's tasks."""
    same_answers: bool = False
    """Whether both gave the same answers, word for word, on every pair; False where the texts are not known."""
    differences: tuple[Difference, ...] = ()
    """Why it is not comparable; empty when it is."""
    cautions: tuple[str, ...] = ()
    totals: PairTotals | None = None
    """Of the pairs: what the number of samples that would decide is computed from. None for an average, or for a task
    that is a mean of parts."""
    sizes: tuple[int, ...] = ()
    """How many samples the data of the task, or of each task of the average, has, but for those that are lost; empty
    when that is unknown."""
    parts: tuple[str, ...] = ()
    """The tasks of an average; empty for a task."""
    tasks: tuple[PairTotals, ...] = ()
    """What the interval of an average, or of a task that is a mean of parts, is made from."""
    weights: tuple[float, ...] = ()
    """Of ``tasks`` in the mean, where they do not count alike; those of a mean of parts give its score with theirs."""
    attempts: Attempts | None = None
    """Of the side, or the task of an average, that lost the largest share; None without several attempts."""
    repeated: RecoveryInterval = field(
        default_factory=lambda: undefined("nothing was asked", 0, IntervalQuestion.REPEATED)
    )
    """What asking the same questions once more could change; answers "if repeated"."""
    look: stats.Look | None = None
    """Where the task, or tasks of the average, were not asked to their end: ``recovery`` is then this look's."""

    @property
    def on_benchmark(self) -> RecoveryInterval:
        """What all samples of the benchmark would give; without ends where its size is unknown or no part was drawn.

        Lost answers are not lost by chance: the ends are moved by the worst and the best that they can do. Where all
        others were asked those are the bounds, and nothing is exact.
        """
        if self.look is not None:
            return self.recovery
        tasks = (self.totals,) if self.totals is not None else self.tasks
        if lacks := self._lacks_of_benchmark(tasks):
            return undefined(lacks, self.n, IntervalQuestion.THIS_BENCHMARK)
        found = stats.recovery_on_benchmark(tasks, self.sizes, weights=self.weights)
        if self.bounds is None or found.percent is None or found.low is None or found.high is None:
            return found
        worst, best = self.bounds
        if math.isinf(best):
            return replace(found, low=None, high=None, method=None, reason="what is lost could leave the baseline at 0")
        low, high = found.low + worst - found.percent, found.high + best - found.percent
        return replace(found, low=low, high=high, method="bounds" if found.method == "all asked" else found.method)

    def _lacks_of_benchmark(self, tasks: Sequence[PairTotals]) -> str | None:
        """Why nothing can be said of all samples of the benchmark."""
        if not tasks:
            return self.recovery.reason
        if self.smoke:
            return "the first samples in stored order stand for no others"
        return None if len(self.sizes) == len(tasks) else "how many samples there are is not known"

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Recovery in percent in the worst and the best case for what is lost; None when nothing is.

        The worst case takes lost samples of the candidate as wrong and lost samples of the baseline as right. The
        best case is infinite when the baseline could have scored 0.
        """
        if self.ranges is None or self.ranges[0][1] == 0.0:
            return None
        (base_low, base_high), (cand_low, cand_high) = self.ranges
        return 100.0 * cand_low / base_high, 100.0 * cand_high / base_low if base_low else math.inf


def compare(task: str, baseline: Side, candidate: Side, accepted: Collection[str] = ()) -> Comparison:
    """The comparison of two sides of one task.

    Args:
        task: Its name.
        baseline: One side; its labels and cautions go into messages.
        candidate: The other.
        accepted: Keys of differences that are intended; they become cautions.
    """
    found = differences(baseline, candidate)
    open_ones = tuple(one for one in found if one.key not in accepted or one.key == SAMPLES)
    left_out = baseline.left_out | candidate.left_out
    cautions = list(_cautions(baseline, candidate, [one for one in found if one not in open_ones], left_out))
    baseline, candidate = without(baseline, left_out, candidate), without(candidate, left_out, baseline)
    return _compared(task, (baseline, candidate), open_ones, cautions)


def _compared(
    task: str, sides: tuple[Side, Side], open_ones: tuple[Difference, ...], cautions: list[str]
) -> Comparison:
    """The same, once what is at fault on either side is no part of the task any more."""
    baseline, candidate = sides
    pairs = Matched.of(baseline, candidate)
    # Counted at once: of hundreds of thousands of samples the sets themselves are too large to keep meanwhile.
    planned = max(len(baseline.known | candidate.known), baseline.planned, candidate.planned)
    n, missing = len(pairs.ids), planned - len(baseline.known & candidate.known)
    mean = _mean(baseline.scores.values()), _mean(candidate.scores.values())
    totals = pairs.totals() if n and not open_ones else None
    recovery = undefined("the two are not comparable", n) if open_ones else pairs.recovery(totals)
    lost = None if open_ones else _lost(baseline, candidate, planned - n)
    if totals is not None:
        mean = pairs.means
        cautions += _pairing_cautions(totals, baseline, candidate)
    available = max((size for size in (baseline.available, candidate.available) if size is not None), default=None)
    return Comparison(
        task=task,
        n=n,
        planned=planned,
        failed=planned - n - missing,
        missing=missing,
        lost=(planned - n) / planned if planned else 0.0,
        baseline=mean[0],
        candidate=mean[1],
        recovery=recovery,
        flips=stats.flips(pairs.baseline, pairs.candidate) if totals else None,
        ranges=(_range(baseline, planned), _range(candidate, planned)) if lost else None,
        losses=lost,
        available=available,
        sizes=() if available is None else (available - (planned - n),),
        smoke=baseline.smoke or candidate.smoke,
        drawn=baseline.drawn or candidate.drawn,
        same_answers=pairs.same_answers,
        differences=open_ones,
        cautions=tuple(cautions),
        totals=totals,
        attempts=worst(baseline.attempts, candidate.attempts),
        repeated=pairs.repeated() if totals is not None else replace(recovery, question=IntervalQuestion.REPEATED),
    )


def _cautions(
    baseline: Side, candidate: Side, accepted: Sequence[Difference], left_out: frozenset[str]
) -> Iterator[str]:
    """What the sides bring, what was accepted, and what neither counts."""
    yield from dict.fromkeys((*baseline.cautions, *candidate.cautions))
    for one in accepted:
        yield f"accepted difference: {one.what}"
    if left_out:
        some = f"{counted(len(left_out), 'sample')} {agreeing(len(left_out), 'is', 'are')}"
        yield f"{some} left out on both sides, with references at fault: {_some(left_out)}"


def without(side: Side, left_out: frozenset[str], other: Side) -> Side:
    """The side as if these samples were no part of the task; what it lacks of attempts that the other has is lost."""
    return replace(
        side,
        scores={key: score for key, score in side.scores.items() if key not in left_out} if left_out else side.scores,
        failed=side.failed - left_out,
        final=None if side.final is None else side.final - left_out,
        left_out=frozenset(),
        planned=max(0, side.planned - len(left_out)),
        available=None if side.available is None else max(0, side.available - len(left_out)),
        attempts=losses.with_missing(side.attempts, (side.scores, side.several), (other.scores, other.several)),
    )


def differences(baseline: Side, candidate: Side) -> list[Difference]:
    """Everything that keeps two sides from being comparable."""
    found = [
        Difference(key, f"{key}: {baseline.label} has {_shown(value)}, {candidate.label} has {_shown(other)}")
        for key, value in baseline.settings.items()
        if key in candidate.settings and (other := candidate.settings[key]) != value
    ]
    common = baseline.known & candidate.known
    if not common and baseline.known and candidate.known:
        samples = f"no sample id occurs on both sides ({min(baseline.known)}, ... / {min(candidate.known)}, ...)"
        return [*found, Difference(SAMPLES, samples)]
    unlike: dict[str, list[str]] = {}
    for key in sorted(common):
        for part in _unlike_parts(key, baseline, candidate):
            unlike.setdefault(part, []).append(key)
    return [*found, *(Difference(part, _content_text(part, ids)) for part, ids in unlike.items())]


def _unlike_parts(key: str, baseline: Side, candidate: Side) -> Iterator[str]:
    """Parts of one sample that both sides tell, and tell differently."""
    other = candidate.content.get(key, {})
    for part, digest in baseline.content.get(key, {}).items():
        if other.get(part, digest) != digest:
            yield part
    if key in baseline.scores and key in candidate.scores:
        one, two = baseline.scores[key], candidate.scores[key]
        if one.cluster and two.cluster and one.cluster != two.cluster:
            yield "cluster"
        if one.stratum and two.stratum and one.stratum != two.stratum:
            yield "stratum"


def _content_text(part: str, ids: Sequence[str]) -> str:
    verb = "differ" if part == "references" else "differs"
    return f"the {part} of {counted(len(ids), 'sample')} with the same id {verb}: {_some(ids)}"


def _some(ids: Iterable[str]) -> str:
    named = sorted(ids)
    return ", ".join(named[:_NAMED]) + (", ..." if len(named) > _NAMED else "")


def _shown(value: Json) -> str:
    return "nothing" if value is None else str(value)


def _pairing_cautions(totals: PairTotals, baseline: Side, candidate: Side) -> Iterator[str]:
    """What speaks against the pairs being pairs."""
    alike = SAMPLES in baseline.settings and baseline.settings[SAMPLES] == candidate.settings.get(SAMPLES)
    if not alike and not (baseline.content and candidate.content):
        yield "paired by id alone: the files do not both tell what was asked, so equal ids are taken at their word"
    spread = totals.covariance
    if alike or totals.clusters < _FEW_PAIRS or min(spread.x, spread.y) <= 0.0:
        return
    correlation = spread.xy / math.sqrt(spread.x * spread.y)
    if correlation < 2.0 / math.sqrt(totals.clusters):  # two standard errors of a correlation of 0
        yield (
            f"the two models' scores do not go together (correlation {correlation:.2f}), as if the ids meant "
            "different questions on the two sides"
        )


def _mean(scores: Iterable[SampleScore]) -> float | None:
    values = [score.value for score in scores]
    return math.fsum(values) / len(values) if values else None


def _range(side: Side, planned: int) -> Range:
    return losses.score_range(side.scores.values(), planned, side.several)


def _lost(baseline: Side, candidate: Side, samples: int) -> Lost | None:
    """What has no answer; None when that is nothing."""
    several = max(baseline.several, candidate.several) > 1
    count = sum(one.failed for one in (baseline.attempts, candidate.attempts) if one) if several else samples
    if not max(count, samples):
        return None
    final = losses.final_count([baseline.final, candidate.final], apart=several)
    return Lost(max(count, samples), "attempts" if several else "samples", final)
