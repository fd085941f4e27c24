"""Which samples a run with a limit asks: a part that is drawn at random, and is the same one everywhere.

The order is that of a digest of each sample's name under a fixed seed, so that it depends on nothing but the names:
both models, every machine and every later run draw alike, and a smaller limit's samples are among a larger one's. What
goes together (a picture, a page, a problem) is drawn as a whole; fixed groups (subjects) give their share.
"""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SEED: Final = "evalkit draw 1"


def whole_units(units: Sequence[str], limit: int) -> list[int]:
    """Places of ``limit`` samples or a few more, in ascending order; those that share a unit come together.

    Units are taken in drawn order until ``limit`` samples are reached, the last one as a whole. To stop there, and not
    before the unit that would go beyond, is what leaves the mean over samples unbiased (Wald's equation).

    Args:
        units: The unit of each sample: what it is drawn together with, or its own name.
        limit: How many samples are wanted at least; all where there are no more.
    """
    sizes = Counter(units)
    taken, count = set(), 0
    for unit in sorted(sizes, key=_rank):
        if count >= limit:
            break
        taken.add(unit)
        count += sizes[unit]
    return [place for place, unit in enumerate(units) if unit in taken]


def shares(strata: Mapping[str, Sequence[str]], limit: int) -> dict[str, list[int]]:
    """Places of ``limit`` samples by stratum, in ascending order, each stratum giving its share, to about one.

    The r-th of a stratum's N in drawn order (r from 0) has the place (r + u) / N among all samples, u being uniform
    by the stratum's name: of any part each stratum expects exactly its share, so the mean over samples is unbiased,
    and what differs between strata is no chance (systematic sampling from strata, Cochran 1977, 5 and 8).

    Args:
        strata: Name to the ids of its samples, by which they are drawn, in any order.
        limit: How many are wanted; all where there are no more.
    """
    order = []
    for name, ids in strata.items():
        start = int.from_bytes(_rank(name)[:8]) / 2.0**64
        drawn = sorted((_rank(key), place) for place, key in enumerate(ids))
        order += [((turn + start) / len(ids), name, place) for turn, (_, place) in enumerate(drawn)]
    found: dict[str, list[int]] = {name: [] for name in strata}
    for _, name, place in sorted(order)[:limit]:
        found[name].append(place)
    return {name: sorted(places) for name, places in found.items()}


def _rank(name: str) -> bytes:
    return sha256(f"{_SEED}\0{name}".encode("utf-8", "surrogatepass")).digest()
