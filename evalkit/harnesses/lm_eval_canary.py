"""Whether the fast way may stand for the exact one on a live server: the same questions asked both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.harnesses.lm_eval_requests import Likelihoods
    from evalkit.types import Json

QUESTIONS: Final = 12
SEED: Final = 4

STEP: Final = 2.0**-4
"""One step of bfloat16 between 8 and 16, where a model's largest logits lie. An exact path that happens to repeat
itself to the bit within a dozen questions shows no spread at all; a tolerance below the resolution of the numbers
themselves would then refuse the fast way for rounding."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What the comparison showed."""

    questions: int
    noise: float
    """Largest difference of a log-probability between the exact way and itself."""
    difference: float
    """Largest difference between the fast way and the nearer of the exact ones."""
    own_flips: int
    """Questions of which the exact way gives two different answers."""
    flips: int
    """Questions that the fast way answers otherwise than the exact one, where that agrees with itself."""

    @property
    def tolerance(self) -> float:
        """The difference up to which the fast way is accepted."""
        return max(self.noise, STEP)

    @property
    def objection(self) -> str | None:
        """Why the fast way is refused; None when it is not."""
        if self.flips:
            return f"{self.flips} of {self.questions} questions got another answer"
        if self.difference > self.tolerance:
            own = f"{self.noise:.3f} between two exact passes"
            return f"a log-probability differs by {self.difference:.3f}, against {own}"
        return None

    @property
    def facts(self) -> dict[str, Json]:
        """The figures, for the report."""
        return {
            "canary questions": self.questions,
            "largest difference of a log-probability": self.difference,
            "largest difference of the exact way from itself": self.noise,
            "accepted difference": self.tolerance,
            "answers that differ": self.flips,
            "answers of the exact way that differ from itself": self.own_flips,
        }


def judge(first: Sequence[Likelihoods], second: Sequence[Likelihoods], fast: Sequence[Likelihoods]) -> Canary:
    """The comparison of two exact passes and a fast one over the same questions, in the same order."""
    noise = difference = 0.0
    own_flips = flips = 0
    for one, two, quick in zip(first, second, fast, strict=True):
        for a, b, c in zip(one.values, two.values, quick.values, strict=True):
            noise = max(noise, abs(a - b))
            difference = max(difference, min(abs(a - c), abs(b - c)))
        own_flips += one.best != two.best
        flips += one.best == two.best != quick.best
    return Canary(len(first), noise, difference, own_flips, flips)
