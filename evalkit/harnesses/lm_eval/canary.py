"""Whether the fast way may stand for the exact one on a live server: the same questions asked both ways."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.harnesses.lm_eval.wire import Likelihoods

    Pass = Sequence[Likelihoods]
    """The answers to the questions, in their order."""

QUESTIONS: Final = 12
ADMITTED_BY: Final = 4
"""Questions that a further server of the model is asked both ways before it takes part."""
SEED: Final = 4

STEP: Final = 2.0**-4
"""One step of bfloat16 between 8 and 16, where a model's largest logits lie. An exact path that happens to repeat
itself to the bit within a dozen questions shows no spread at all; a tolerance below the resolution of the numbers
themselves would then refuse the fast way for rounding."""


CACHED: Final = 0.5
"""Difference up to which the fast way is accepted where it reads the prefix cache: far beyond what rounding does (0.23
at most on a 12B model of random weights), far below what a wrong cache does."""


@dataclass(frozen=True, slots=True)
class Canary:
    """What the comparison showed."""

    questions: int
    noise: float
    """Largest difference of a log-probability between the exact way and itself."""
    difference: float
    """Largest difference between the fast way, computing whole prompts as the exact one does, and the nearer of the
    exact passes."""
    cached: float
    """The same where the fast way reads the prefix cache, as it does in the run. Few tokens are then left to compute, a
    GPU multiplies small matrices with other kernels than large ones, and their rounding is one that the exact way,
    which always computes whole prompts, cannot show against itself."""
    own_flips: int
    """Questions of which the exact way gives two different answers."""
    flips: int
    """Questions that either pass of the fast way answers otherwise than the exact one, where that agrees with
    itself."""
    cached_flips: int
    """Those of them that only the pass which reads the prefix cache answers otherwise."""

    @property
    def tolerance(self) -> float:
        """The difference up to which the fast way is accepted."""
        return max(self.noise, STEP)

    @property
    def objection(self) -> str | None:
        """Why the fast way is refused; None when it is not."""
        if self.flips:
            where = " when the prefix cache is read" if self.cached_flips == self.flips else ""
            return f"{part_of(self.flips, self.questions, 'question')} got another answer{where}"
        if self.difference > self.tolerance:
            own = f"{self.noise:.3f} between two exact passes"
            return f"a log-probability differs by {self.difference:.3f}, against {own}"
        if self.cached > CACHED:
            return f"a log-probability differs by {self.cached:.3f} when the prefix cache is read"
        return None


def judge(exact: Sequence[Pass], fast: Sequence[Pass]) -> Canary:
    """The comparison of two exact passes and two fast ones (whole prompts, cached prefixes) over the same questions."""
    one, two = exact
    whole, cached = (_difference(exact, each) for each in fast)
    agreed = [at for at, (a, b) in enumerate(zip(one, two, strict=True)) if a.best == b.best]
    without, reading = ({at for at in agreed if each[at].best != one[at].best} for each in fast)
    return Canary(
        questions=len(one),
        noise=_difference([one], two),
        difference=whole,
        cached=cached,
        own_flips=len(one) - len(agreed),
        flips=len(without | reading),
        cached_flips=len(reading - without),
    )


def _difference(exact: Sequence[Pass], other: Pass) -> float:
    """The largest difference of a log-probability from the nearer of the exact passes; 0 where there is none."""
    return max(
        (
            min(abs(value - each[at].values[choice]) for each in exact)
            for at, found in enumerate(other)
            for choice, value in enumerate(found.values)
        ),
        default=0.0,
    )
