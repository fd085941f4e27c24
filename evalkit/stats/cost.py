"""What a query costs: from latency or rate and the price of an hour to queries per dollar, and back.

The one place for this arithmetic: ``evalkit perf`` goes forwards through it, ``evalkit audit`` both ways. All functions
take floats, or fractions where a printed figure has to be exact. With P the price of an hour of the whole machine, one
query at a time that takes L seconds gives 3600 / (P L) queries per dollar, and Q queries a second give 3600 Q / P.
"Dollar" stands for one unit of whatever currency P is in.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Stream: TypeAlias = Literal["single-stream", "multi-stream"]
"""One query after the other, where a latency in seconds is measured; or as many at once as are taken, where queries a
second are."""
N = TypeVar("N", float, Fraction)

SECONDS_PER_HOUR: Final = 3600


def per_dollar(stream: Stream, measured: N, price: N) -> N:
    """Queries per dollar.

    Args:
        stream: What was measured.
        measured: Seconds or queries a second, above 0.
        price: Of an hour, above 0.
    """
    return SECONDS_PER_HOUR / (price * measured) if stream == "single-stream" else SECONDS_PER_HOUR * measured / price


def price(stream: Stream, measured: N, queries: N) -> N:
    """The price of an hour at which ``measured`` gives so many queries per dollar."""
    # Single-stream it is the same formula with price and queries in each other's place.
    return per_dollar(stream, measured, queries)


def ratio(stream: Stream, baseline: N, candidate: N) -> N:
    """How many times less a query of the candidate costs on the same machine; the price cancels."""
    return baseline / candidate if stream == "single-stream" else candidate / baseline


def mean_ratio(ratios: Sequence[N]) -> N:
    """The plain mean over use cases: what published cards call the average cost reduction."""
    return sum(ratios[1:], ratios[0]) / len(ratios)


def pooled_ratio(baseline: Sequence[N], candidate: Sequence[N]) -> N:
    """How many times less it costs to ask one query of each use case, from queries per dollar (or in any other unit).

    It is the mean of the ratios, each weighted by what a query of its use case costs with the candidate.
    """
    spent, less = [1 / one for one in baseline], [1 / one for one in candidate]
    return sum(spent[1:], spent[0]) / sum(less[1:], less[0])


def cheaper_percent(found: N) -> N:
    """A cost ratio as the share of the money that is saved: 1.55 is 35 % cheaper. Below 0 where it costs more."""
    return 100 * (1 - 1 / found)
