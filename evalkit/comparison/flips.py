"""Which changed answers are worth a look: the flips of one task and candidate, the most informative first.

A sample flips when the candidate's headline score differs from the baseline's: regressed or improved. The order among
flips of one direction, and why:

1. The largest change of score: a right answer that became wrong says more than one that lost a tenth.
2. Answers that both ended by themselves and could be read go before truncated and unreadable ones: those are explained
   by the token limit or the format, and the report counts them elsewhere.
3. The longer the two answers agree from their beginning, the earlier: greedy decoding parts at one word, and the later
   that is, the more exactly it shows what quantization moved.
4. The sample's id, so that the order is the same every time.

Both directions alternate, a regression first: an improvement is the measure of how much of the loss is chance.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain, zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

from evalkit.comparison.score import unit
from evalkit.stats import SAME_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Answer, Sample, Score, Task
    from evalkit.comparison.score import ScoredRecord

    Pair: TypeAlias = tuple[ScoredRecord, ScoredRecord]
    """The baseline's and the candidate's outcome of one planned sample."""
    Rank: TypeAlias = tuple[float, bool, int, int, str]

Direction: TypeAlias = Literal["regressed", "improved"]
T = TypeVar("T")

MOST = 25
"""Flips of one direction that a report shows of each task and candidate."""


@dataclass(frozen=True, slots=True)
class FlipReply:
    """One model's answer to a sample that flipped."""

    answer: Answer
    scores: Mapping[str, Score]
    """By metric, of this answer."""
    value: float
    """Headline score of what is paired, 0-1: of a sample that was asked several times the mean over its attempts."""


@dataclass(frozen=True, slots=True)
class Flip:
    """One sample that the two models did not answer equally well."""

    direction: Direction
    sample: Sample
    """Its images carry their digest only."""
    baseline: FlipReply
    candidate: FlipReply
    attempts: int = 1
    """Attempts that both models answered; ``sample`` is the one that shows the change best."""


@dataclass(frozen=True, slots=True)
class FlipList:
    """The flips of one task and candidate."""

    task: str
    candidate: str
    regressed: int
    """All of them, chosen or not."""
    improved: int
    chosen: tuple[Flip, ...]
    """The most informative first."""


class FlipChoice:
    """Chooses the flips of one task and candidate while the samples pass by; few are kept."""

    def __init__(self, task: Task, candidate: str, most: int = MOST) -> None:
        """Choose at most ``most`` flips of each direction; ``candidate`` is its label."""
        self._task, self._candidate = task, candidate
        self._best: dict[Direction, _Best] = {"regressed": _Best(most), "improved": _Best(most)}
        self._attempts: dict[str, list[Pair]] = {}
        """By problem; a sample that is asked once is looked at at once."""

    def add(self, baseline: ScoredRecord, candidate: ScoredRecord) -> None:
        """Look at one planned sample with both models' outcomes."""
        if self._task.decoding.n > 1:
            key = unit(baseline.sample, self._task)
            self._attempts.setdefault(key, []).append((baseline, candidate))
        elif not _equal(baseline, candidate, self._task.headline):
            self._look([(baseline, candidate)])

    def list(self) -> FlipList:
        """What was chosen, when every planned sample has been looked at."""
        for attempts in self._attempts.values():
            self._look(attempts)
        self._attempts.clear()
        worse, better = self._best["regressed"], self._best["improved"]
        chosen = tuple(_in_turn([worse.chosen, better.chosen]))
        return FlipList(self._task.name, self._candidate, worse.seen, better.seen, chosen)

    def _look(self, attempts: Sequence[Pair]) -> None:
        found = _flip(attempts, self._task.headline)
        if found is not None:
            self._best[found.direction].add(_rank(found, self._task), found)


def in_turn(lists: Iterable[FlipList]) -> Iterator[tuple[FlipList, Flip]]:
    """The chosen flips of all lists, one of each in turn: a budget that ends is then short for all of them alike."""
    return _in_turn([[(one, flip) for flip in one.chosen] for one in lists])


class _Best:
    """The best ranked of many flips; holds a few times as many as it is asked for, never all."""

    def __init__(self, most: int) -> None:
        self.seen = 0
        self._most = most
        self._held: list[tuple[Rank, Flip]] = []

    def add(self, rank: Rank, flip: Flip) -> None:
        self.seen += 1
        self._held.append((rank, flip))
        if len(self._held) > 4 * self._most:
            self._held = self._first()

    @property
    def chosen(self) -> list[Flip]:
        return [flip for _, flip in self._first()]

    def _first(self) -> list[tuple[Rank, Flip]]:
        return sorted(self._held, key=lambda held: held[0])[: self._most]


def _rank(flip: Flip, task: Task) -> Rank:
    """Smaller is more informative; the module says why."""
    sides = (flip.baseline, flip.candidate)
    explained = any(one.answer.finish_reason == "length" or one.scores[task.headline].parsed is None for one in sides)
    agreed = _agreed(flip.baseline.answer.text or "", flip.candidate.answer.text or "")
    name = flip.sample.id
    return -abs(flip.candidate.value - flip.baseline.value), explained, -agreed, len(name), name


def _agreed(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    shorter = min(len(one), len(other))
    return bisect_left(range(1, shorter + 1), True, key=lambda length: one[:length] != other[:length])


def _equal(baseline: ScoredRecord, candidate: ScoredRecord, headline: str) -> bool:
    """Whether two outcomes are no flip at the first glance, as most are: a failure, or equal scores."""
    one, two = baseline.scores.get(headline), candidate.scores.get(headline)
    return one is None or two is None or abs(two.value - one.value) <= SAME_WITHIN


def _flip(attempts: Sequence[Pair], headline: str) -> Flip | None:
    """The flip of one sample with all its attempts; None when it did not flip or has no pair of answers to show."""
    values = [
        [one.scores[headline].value for one in side if one.counted(headline)] for side in zip(*attempts, strict=True)
    ]
    if not all(values):
        return None
    before, after = map(fmean, values)
    if abs(after - before) <= SAME_WITHIN:
        return None
    sign = 1.0 if after > before else -1.0
    both = [pair for pair in attempts if all(one.counted(headline) for one in pair)]
    if not both:
        return None

    def shows(pair: Pair) -> float:
        return sign * (pair[1].scores[headline].value - pair[0].scores[headline].value)

    base, cand = max(both, key=shows)
    replies = (_reply(base, before), _reply(cand, after))
    return Flip("improved" if sign > 0 else "regressed", base.sample, *replies, len(both))


def _reply(record: ScoredRecord, value: float) -> FlipReply:
    return FlipReply(cast("Answer", record.outcome), record.scores, value)


def _in_turn(lists: Iterable[Sequence[T]]) -> Iterator[T]:
    """The first of each list, then the second of each, and so on."""
    for row in zip_longest(*([(item,) for item in one] for one in lists), fillvalue=()):
        yield from chain.from_iterable(row)
