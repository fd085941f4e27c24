"""A task whose score is the mean of its parts' scores, each counting alike: what that makes of its comparison.

A sample of a part of n counts 1/n: the mean over parts is a mean over samples with weights, and its parts are strata:
V = (1/P^2) sum_p s_p^2 / n_p (Cochran 1977, 5.2). The interval is that of single samples, on scores with these weights,
and is not combined from the parts' own: 57 subjects in each of which few answers change say more together than each by
itself. That holds while no small part hides behind the changes in large ones, so only parts of about one size
(`_OF_ONE_SIZE`) are taken together, and what these come to is combined as the tasks of an average are.
"""

from __future__ import annotations

import math
from dataclasses import replace
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, Final

from evalkit import stats
from evalkit.base.scores import SampleScore
from evalkit.comparison import losses, matched, pairs
from evalkit.comparison.matched import Matched
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from evalkit.comparison.losses import Range
    from evalkit.comparison.pairs import Comparison, Side
    from evalkit.stats import PairTotals, RecoveryInterval


ALIKE: Final = "parts count alike"
"""Key of the setting by which a side says that its score is the mean of its parts' scores."""
_OF_ONE_SIZE: Final = 4
"""How many times as large as the smallest the largest of the parts may be whose samples are taken together."""


def compare(
    task: str,
    baseline: Side,
    candidate: Side,
    accepted: Collection[str] = (),
    parts: Mapping[str, str] | None = None,
) -> Comparison:
    """The comparison of two sides of one task; where both say so (`ALIKE`), of the mean of its parts' scores.

    All else is what `pairs.compare` has. Bounds count what is lost in the part that it is of; what no side tells the
    part of, in the part where it moves the score most.

    Args:
        task: Its name.
        baseline: One side.
        candidate: The other.
        accepted: Keys of differences that are intended.
        parts: Id of each sample to its part, also of those without an answer; left out: the strata that the sides tell.
    """
    whole = pairs.compare(task, baseline, candidate, accepted)
    if parts is None:
        parts = {**baseline.every_stratum, **candidate.every_stratum}
    if whole.totals is None or not (baseline.settings.get(ALIKE) and candidate.settings.get(ALIKE)):
        return whole
    left_out = baseline.left_out | candidate.left_out
    sides = pairs.without(baseline, left_out, candidate), pairs.without(candidate, left_out, baseline)
    members = _members(sides, parts)
    if len(members) < 2:
        return whole
    found = {name: Matched.of(*(_only(side, ids) for side in sides)) for name, ids in members.items()}
    return _of_parts(replace(whole, ranges=_ranges(sides, members, whole), totals=None, sizes=()), found, members)


def _of_parts(whole: Comparison, found: Mapping[str, Matched], members: Mapping[str, set[str]]) -> Comparison:
    """The same with the means of the parts, their recovery, and what that is made of."""
    repeated = _repeated(found.values(), whole.n)
    if not all(part.ids for part in found.values()):
        lacks = matched.undefined("one of its parts has no pair of answers", whole.n)
        return replace(whole, baseline=None, candidate=None, recovery=lacks, repeated=repeated)
    means = [part.means for part in found.values()]
    baseline, candidate = (math.fsum(one) / len(means) for one in zip(*means, strict=True))
    blocks = _blocks(found)
    totals = [_totals({name: found[name] for name in block}) for block in blocks]
    weights = [_weight([len(found[name].ids) for name in block], len(found)) for block in blocks]
    recovery = stats.recovery_of(totals[0]) if len(totals) == 1 else stats.average_recovery(totals, weights=weights)
    if recovery.percent is not None:
        # From the means that are shown, so that equal scores give 100 to the last digit.
        recovery = replace(recovery, percent=candidate / baseline * 100)
    return replace(
        whole,
        baseline=baseline,
        candidate=candidate,
        recovery=recovery,
        sizes=tuple(_size(block, found, members, whole) for block in blocks) if whole.available is not None else (),
        tasks=tuple(totals),
        weights=tuple(weights),
        repeated=repeated,
    )


def _members(sides: tuple[Side, Side], parts: Mapping[str, str]) -> dict[str, set[str]]:
    """Each part with the ids of what either side has of it, in the order of the parts."""
    found: dict[str, set[str]] = {name: set() for name in parts.values()}
    for key in sides[0].known | sides[1].known:
        name = parts.get(key) or parts.get(key.rpartition("[")[0])  # parts of answers have ids of their own
        if name is not None:
            found[name].add(key)
    return {name: ids for name, ids in found.items() if ids}


def _only(side: Side, ids: Collection[str]) -> Side:
    return replace(side, scores={key: side.scores[key] for key in ids if key in side.scores})


def _blocks(found: Mapping[str, Matched]) -> list[list[str]]:
    """The parts, those of about one size together, the smallest first."""
    blocks: list[list[str]] = []
    for name in sorted(found, key=lambda one: (len(found[one].ids), one)):
        if not blocks or len(found[name].ids) > _OF_ONE_SIZE * len(found[blocks[-1][0]].ids):
            blocks.append([])
        blocks[-1].append(name)
    return blocks


def _totals(block: Mapping[str, Matched]) -> PairTotals:
    """Of the samples of a block: the smallest part's as they are, and those of larger ones counting less."""
    fewest = min(len(part.ids) for part in block.values())
    ids, sides = list[str](), (list[SampleScore](), list[SampleScore]())
    for name, part in block.items():
        worth = fewest / len(part.ids)
        ids += part.ids
        for side, scores in zip(sides, (part.first, part.second), strict=True):
            side += [replace(one, value=one.value * worth, stratum=name) for one in scores]
    return Matched(tuple(ids), tuple(sides[0]), tuple(sides[1])).totals()


def _weight(sizes: Sequence[int], parts: int) -> float:
    """What a block's mean of such scores counts in the mean over all ``parts``."""
    return sum(sizes) / min(sizes) / parts


def _size(
    block: Collection[str], found: Mapping[str, Matched], members: Mapping[str, set[str]], whole: Comparison
) -> int:
    """How many samples there are of a block, but for those that are lost: a limit takes its share of each part."""
    paired, asked = sum(len(found[name].ids) for name in block), sum(len(members[name]) for name in block)
    return max(paired, round((whole.available or 0) * asked / whole.planned) - (asked - paired))


def _repeated(parts: Collection[Matched], n: int) -> RecoveryInterval:
    """What asking again could change, where every sample was asked several times."""
    again = [(part.means[0], part.repeated()) for part in parts if part.ids]
    if len(again) < len(parts) or any(one.low is None for _, one in again):  # also where the baseline was asked twice
        why = "what asking again would change is not known of a mean of parts' scores"
        return matched.undefined(why, n, IntervalQuestion.REPEATED)
    return stats.repeated_average(again)


def _ranges(sides: tuple[Side, Side], members: Mapping[str, set[str]], whole: Comparison) -> tuple[Range, Range] | None:
    """Each side's mean if all that it lost were wrong, and right; None where nothing is lost."""
    if whole.losses is None:
        return None
    elsewhere = max(0, whole.planned - sum(map(len, members.values())))
    planned = [len(ids) for ids in members.values()]
    first, second = (_range([_only(side, ids) for ids in members.values()], planned, elsewhere) for side in sides)
    return first, second


def _range(parts: Sequence[Side], planned: Sequence[int], elsewhere: int) -> Range:
    """Of one side's parts; ``elsewhere`` are lost samples of which nobody knows the part."""
    ends = [
        losses.score_range(one.scores.values(), size, one.several) for one, size in zip(parts, planned, strict=True)
    ]
    low = _lowest([low * size for (low, _), size in zip(ends, planned, strict=True)], planned, elsewhere)
    wrong = _lowest([(1.0 - high) * size for (_, high), size in zip(ends, planned, strict=True)], planned, elsewhere)
    return low, 1.0 - wrong


def _lowest(sums: Sequence[float], sizes: Sequence[int], more: int) -> float:
    """The lowest mean of the parts' means when so ``more`` samples of 0 are in parts that nobody knows.

    Each goes where it lowers the mean most; that finds the lowest, because a part's mean falls less with each.
    """
    heap = [(-total / size / (size + 1), total, size) for total, size in zip(sums, sizes, strict=True)]
    heapify(heap)
    for _ in range(more):
        _, total, size = heap[0]
        heapreplace(heap, (-total / (size + 1) / (size + 2), total, size + 1))
    return math.fsum(total / size for _, total, size in heap) / len(heap)
