"""How fast a model answered, read from its stored answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.comparison.score import Tally


@dataclass(frozen=True, slots=True)
class Speed:
    """Latency and rate of one model's answers to one task, as this run's window of requests made them."""

    answers: int
    mean_s: float
    """From sending a request to its complete response; a request that asks several samples counts for each."""
    median_s: float
    p95_s: float
    """The smallest latency that 95 % of the answers do not exceed."""
    tokens_per_s: float | None
    """Answer tokens of one request per second of its latency; None when the server counts no tokens."""


def of(tally: Tally) -> Speed | None:
    """The speed of a tally's answers; None without answers."""
    found = sorted(tally.latencies_s)
    if not found:
        return None
    both = zip(tally.behaviour.values(), tally.latencies_s, strict=True)
    counted = [(one.tokens, latency_s) for one, latency_s in both if one.tokens is not None]
    spent = math.fsum(latency_s for _, latency_s in counted)
    return Speed(
        answers=len(found),
        mean_s=fmean(found),
        median_s=median(found),
        p95_s=found[math.ceil(0.95 * len(found)) - 1],
        tokens_per_s=sum(tokens for tokens, _ in counted) / spent if spent > 0.0 else None,
    )
