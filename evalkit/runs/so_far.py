"""A candidate's recovery on the pairs that there are by now, while it is being asked. No verdict hangs on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit.base.events import SoFar
from evalkit.comparison.matched import Matched
from evalkit.comparison.pairs import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.comparison.score import Tally
    from evalkit.runs.pending import Ledger

_EVERY_S: Final = 5.0
_SHARE: Final = 50
"""So many times as long as it took to compute it is not computed again: at most 2 % of the time that a run has."""
_FEWEST: Final = 10
"""Pairs below which an interval is so wide that it says nothing."""


@dataclass(slots=True)
class BesideBaseline:
    """What candidates are held against while they answer: the baseline's answers, as far as this run has read them."""

    baseline: Ledger
    clock: Callable[[], float] = time.monotonic
    _due: dict[tuple[str, str], float] = field(default_factory=dict)

    def told(self, number: int, tally: Tally) -> SoFar | None:
        """The recovery by now of the model and task that a tally is of.

        None where it was told just now, or hardly anything is paired yet.

        Args:
            number: Which of the sources it is of.
            tally: What the candidate has come to.
        """
        key, began = (tally.model, tally.task.name), self.clock()
        if began < self._due.get(key, 0.0) or len(tally.paired) < _FEWEST:
            return None
        first = self.baseline.scored(number)
        pairs = Matched.of(Side("", first), Side("", tally.paired))
        found = pairs.recovery(pairs.totals()) if len(pairs.ids) >= _FEWEST else None
        ended = self.clock()
        self._due[key] = ended + max(_EVERY_S, _SHARE * (ended - began))
        if found is None or found.percent is None:
            return None
        return SoFar(tally.model, tally.task.name, len(pairs.ids), found.percent, found.low, found.high)
