"""Flips of tasks whose problems are asked several times: the attempts at one are averaged before they are compared.

So the viewer counts what the report counts. One attempt stands for its problem: the one that shows the change best.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.stats import SAME_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def flip(before: float | None, after: float | None) -> str | None:
    """The word for a change of score; None where one of the two is not known."""
    if before is None or after is None:
        return None
    if after < before - SAME_WITHIN:
        return "regressed"
    return "improved" if after > before + SAME_WITHIN else "unchanged"


class ErrorPages:
    """The scores of all attempts of one task."""

    def __init__(self) -> None:
        """Start empty."""
        self._scores: dict[str, dict[int, dict[int, float]]] = {}

    def add(self, problem: str, number: int, model: int, score: float | None) -> None:
        """One model's score of the attempt that is sample ``number``; None when it has no answer."""
        if score is not None:
            self._scores.setdefault(problem, {}).setdefault(model, {})[number] = score

    def flips(self) -> Iterator[tuple[int, int, str]]:
        """Model, sample and flip, once for each problem that the baseline and a candidate have both scored."""
        for scores in self._scores.values():
            base = scores.get(0, {})
            for model, own in scores.items():
                word = flip(fmean(base.values()), fmean(own.values())) if base and model else None
                if word is not None:
                    yield model, _shown(base, own, word), word


def _shown(base: Mapping[int, float], own: Mapping[int, float], word: str) -> int:
    """The first attempt of both models that shows the change best; any, where they have none in common."""
    sign = {"regressed": -1.0, "improved": 1.0, "unchanged": 0.0}[word]
    both = [number for number in own if number in base]
    return max(both, key=lambda number: sign * (own[number] - base[number])) if both else min(own)
