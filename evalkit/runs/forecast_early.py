"""What a run that stops early is expected to ask of its candidate, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalkit.runs.forecast_words import duration
from evalkit.stats import Schedule, early

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Json
    from evalkit.runs.forecast import CostTerms, Forecast

_SEED = 20


@dataclass(frozen=True, slots=True)
class EarlyForecast:
    """A task that is judged alone, or an average, that may stop early."""

    title: str
    threshold: float
    """In percent."""
    samples: int
    """Of the candidate, if all is asked."""
    looks: int
    """Before all is asked; 0 where it is asked whole."""
    expected: tuple[tuple[float, float], ...]
    """True recovery in percent (100, half way to the threshold, the threshold) and the share of samples, 0-1."""
    seconds: float | None
    """For all samples; None where no earlier answers tell."""

    @property
    def text(self) -> str:
        """As a line for people."""
        if not self.looks:
            return f"{self.title}: asked whole, {self.samples:,} samples"
        told = [f"{share:.1%} at a true recovery of {truth:g} %{self._time(share)}" for truth, share in self.expected]
        return f"{self.title}, at {self.threshold:g} %: of {self.samples:,} samples about {', '.join(told)}"

    def _time(self, share: float) -> str:
        return "" if self.seconds is None else f" (~{duration(share * self.seconds)})"

    @property
    def json(self) -> dict[str, Json]:
        """For programs."""
        return {
            "row": self.title,
            "min_recovery": self.threshold,
            "samples": self.samples,
            "looks": self.looks,
            "expected": [{"recovery": truth, "share": share} for truth, share in self.expected],
            "seconds": self.seconds,
        }


def forecasts(found: Sequence[Forecast], terms: CostTerms) -> Iterator[EarlyForecast]:
    """One for each average that has a threshold, and for each task beside them that has one."""
    for category, threshold in terms.averages.items():
        parts = [one for one in found if one.task.category == category]
        yield _forecast(f"{category} average", threshold, parts)
    for one in found:
        if one.task.category not in terms.averages and one.task.name in terms.thresholds:
            yield _forecast(one.task.title, terms.thresholds[one.task.name], [one])


def _forecast(title: str, threshold: float, tasks: Sequence[Forecast]) -> EarlyForecast:
    samples, alone = sum(one.planned for one in tasks), len(tasks) == 1
    units = [one.planned / one.population.cluster_size for one in tasks]
    parts = early.fractions(round(max(units))) if not (alone and tasks[0].task.decoding.n > 1) else ()
    schedule = Schedule(len(parts), early.information(parts) if alone else ())
    growing = [
        early.Growing(
            one.population.standard_error(one.problems) ** 2,
            one.planned,
            tuple(
                1.0
                if not alone and (own < early.FEWEST_UNITS or one.task.decoding.n > 1)
                else min(1.0, part * max(units) / own)
                for part in parts
            ),
        )
        for one, own in zip(tasks, units, strict=True)
    ]
    base = sum(one.population.baseline for one in tasks) / len(tasks)
    truths = (100.0, (100.0 + threshold) / 2.0, threshold) if parts else ()
    gaps = [(truth, (truth - threshold) / 100.0 * base) for truth in truths]
    expected = [(truth, early.expected_share(growing, gap, schedule, _chance())) for truth, gap in gaps]
    return EarlyForecast(title, threshold, samples, len(parts), tuple(expected), _seconds(tasks))


def _chance() -> np.random.Generator:
    return np.random.default_rng(_SEED)


def _seconds(tasks: Sequence[Forecast]) -> float | None:
    """What all samples of one model take, by what the requests that are owed are expected to."""
    each = [
        one.seconds / (one.requests - one.stored) * one.planned
        for one in tasks
        if one.seconds is not None and one.requests > one.stored
    ]
    return sum(each) if len(each) == len(tasks) else None
