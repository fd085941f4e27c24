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
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from evalkit.base.types import Answer
from evalkit.comparison.score import unit
from evalkit.stats import SAME_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Record, Sample, Score, Task
    from evalkit.comparison.score import Scoring

    Pair: TypeAlias = tuple[Record, Record]
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


def choose(task: Task, candidate: str, pairs: Iterable[Pair], scoring: Scoring, most: int = MOST) -> FlipList:
    """The flips of one task and candidate.

    Args:
        task: What was asked.
        candidate: The candidate's label.
        pairs: Every planned sample with the baseline's and the candidate's outcome; read once, few are kept.
        scoring: The task's.
        most: Flips of each direction to choose.
    """
    best: dict[Direction, _Best] = {"regressed": _Best(most), "improved": _Best(most)}
    for attempts in _units(pairs, task):
        found = _flip(attempts, task, scoring)
        if found is not None:
            best[found.direction].add(_rank(found, task), found)
    worse, better = best["regressed"], best["improved"]
    return FlipList(task.name, candidate, worse.seen, better.seen, tuple(_in_turn([worse.chosen, better.chosen])))


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


def _units(pairs: Iterable[Pair], task: Task) -> Iterable[Sequence[Pair]]:
    """What is paired, each with its attempts."""
    if task.decoding.n == 1:
        return ([pair] for pair in pairs)
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        found.setdefault(unit(pair[0].sample, task), []).append(pair)
    return found.values()


def _flip(attempts: Sequence[Pair], task: Task, scoring: Scoring) -> Flip | None:
    """The flip of one sample with all its attempts; None when it did not flip or has no pair of answers to show."""
    first = [_scored(base, task, scoring) for base, _ in attempts]
    second = [_scored(cand, task, scoring) for _, cand in attempts]
    values = [[found[1][task.headline].value for found in side if found is not None] for side in (first, second)]
    if not all(values):
        return None
    before, after = map(fmean, values)
    if abs(after - before) <= SAME_WITHIN:
        return None
    sign = 1.0 if after > before else -1.0
    both = [
        (base.sample, FlipReply(*one, before), FlipReply(*two, after))
        for (base, _), one, two in zip(attempts, first, second, strict=True)
        if one is not None and two is not None
    ]
    if not both:
        return None

    def shows(found: tuple[Sample, FlipReply, FlipReply]) -> float:
        return sign * (found[2].scores[task.headline].value - found[1].scores[task.headline].value)

    return Flip("improved" if sign > 0 else "regressed", *max(both, key=shows), len(both))


def _scored(record: Record, task: Task, scoring: Scoring) -> tuple[Answer, Mapping[str, Score]] | None:
    outcome = record.outcome
    if not isinstance(outcome, Answer):
        return None
    found = scoring.score(task, record.sample, outcome)
    return None if found[task.headline].left_out else (outcome, found)


def _in_turn(lists: Iterable[Sequence[T]]) -> Iterator[T]:
    """The first of each list, then the second of each, and so on."""
    for row in zip_longest(*([(item,) for item in one] for one in lists), fillvalue=()):
        yield from chain.from_iterable(row)
