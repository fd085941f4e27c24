"""How many samples the known benchmarks have: a card prints scores, and rarely the number they come from."""

from __future__ import annotations

from evalkit.cards.sizes.names import Size, is_benchmark, known, size_of

__all__ = ["Size", "is_benchmark", "known", "size_of"]
