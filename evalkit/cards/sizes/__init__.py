"""How many samples the known benchmarks have: a card prints scores, and rarely the number they come from."""

from __future__ import annotations

from evalkit.cards.sizes.names import (
    Size,
    best_of,
    group_names,
    is_benchmark,
    known,
    only_settings,
    part_size,
    runs_in,
    size_of,
)

__all__ = [
    "Size",
    "best_of",
    "group_names",
    "is_benchmark",
    "known",
    "only_settings",
    "part_size",
    "runs_in",
    "size_of",
]
