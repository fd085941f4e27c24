"""What a run that stops early is expected to ask of its candidate, before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from evalkit.runs.forecast_words import duration
from evalkit.stats import Schedule, early

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from evalkit.base.types import Json, Task
    from evalkit.runs.forecast import CostTerms, Forecast
    from evalkit.stats import Population

_SEED = 20
_MOST_ORDERS = 0.8


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
    first: float
    """Share of the baseline's samples that is asked before the candidate is, 0-1; all of them where it is asked whole.
    More only as a look needs it."""
    seconds: float | None
    """For all samples; None where no earlier answers tell."""

    @property
    def text(self) -> str:
        """As a line for people."""
        if not self.looks:
            return f"{self.title}: asked whole, {self.samples:,} samples"
        told = [f"{share:.1%} at a true recovery of {truth:g} %{self._time(share)}" for truth, share in self.expected]
        first = f"the baseline {self.first:.1%} first, where the store lacks them"
        return f"{self.title}, at {self.threshold:g} %: of {self.samples:,} samples about {', '.join(told)}; {first}"

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
            "baseline_first": self.first,
            "seconds": self.seconds,
        }


class Foreseen(NamedTuple):
    """A task as it is expected to be answered."""

    task: Task
    planned: int
    """Samples of one model."""
    problems: int
    """What is paired."""
    units: float
    """What is drawn together: pictures, pages, or questions that stand alone."""
    population: Population


def forecasts(found: Sequence[Forecast], terms: CostTerms, *, stepwise: bool) -> Iterator[EarlyForecast]:
    """One for each average that has a threshold, and for each task beside them that has one.

    Args:
        found: The tasks.
        terms: What holds for all of them.
        stepwise: Whether the baseline is asked look by look (``runs.early``).
    """
    for category, threshold in terms.averages.items():
        parts = [one for one in found if one.task.category == category]
        yield _forecast(f"{category} average", threshold, parts, stepwise=stepwise)
    for one in found:
        if one.task.category not in terms.averages and one.task.name in terms.thresholds:
            yield _forecast(one.task.title, terms.thresholds[one.task.name], [one], stepwise=stepwise)


def _forecast(title: str, threshold: float, tasks: Sequence[Forecast], *, stepwise: bool) -> EarlyForecast:
    expected = [
        Foreseen(one.task, one.planned, one.problems, one.planned / one.population.cluster_size, one.population)
        for one in tasks
    ]
    parts = _parts(expected)
    schedule, growing = _schedule(expected, parts), _growing(expected, parts)
    truths = (100.0, (100.0 + threshold) / 2.0, threshold) if parts else ()
    told = [
        (truth, early.expected_share(growing, _gap(expected, truth, threshold), schedule, _chance()))
        for truth in truths
    ]
    look = 1 if stepwise else first_look(expected, threshold)
    samples = sum(one.planned for one in tasks)
    first = sum(share[look - 1] * one.planned for share, one in zip(_shares(expected, parts), tasks, strict=True))
    return EarlyForecast(
        title, threshold, samples, len(parts), tuple(told), first / samples if samples else 1.0, _seconds(tasks)
    )


def first_look(tasks: Sequence[Foreseen], threshold: float) -> int:
    """The look up to which the baseline is asked before the candidate is, from 1; one beyond the last for all.

    It is the one by which four orders in five have decided where the candidate is as good as the baseline: a candidate
    that needs more costs the start of two servers.

    Args:
        tasks: One, or those of an average.
        threshold: In percent.
    """
    parts = _parts(tasks)
    if not parts:
        return 1
    gap = _gap(tasks, 100.0, threshold)
    return early.look_by_which(_growing(tasks, parts), gap, _schedule(tasks, parts), _chance(), orders=_MOST_ORDERS)


def _parts(tasks: Sequence[Foreseen]) -> tuple[float, ...]:
    """Of the largest task, after which there are looks."""
    lone = len(tasks) == 1 and tasks[0].task.decoding.n > 1
    return () if lone else early.fractions(round(max(one.units for one in tasks)))


def _schedule(tasks: Sequence[Foreseen], parts: tuple[float, ...]) -> Schedule:
    return Schedule(len(parts), early.information(parts) if len(tasks) == 1 else ())


def _shares(tasks: Sequence[Foreseen], parts: tuple[float, ...]) -> list[tuple[float, ...]]:
    """Of each task's samples, those that each look sees, and all."""
    most, alone = max(one.units for one in tasks), len(tasks) == 1
    whole = [not alone and (one.units < early.FEWEST_UNITS or one.task.decoding.n > 1) for one in tasks]
    return [
        (*(1.0 if all_of_it else min(1.0, part * most / one.units) for part in parts), 1.0)
        for one, all_of_it in zip(tasks, whole, strict=True)
    ]


def _growing(tasks: Sequence[Foreseen], parts: tuple[float, ...]) -> list[early.Growing]:
    return [
        early.Growing(one.population.standard_error(one.problems) ** 2, one.planned, shares[:-1])
        for one, shares in zip(tasks, _shares(tasks, parts), strict=True)
    ]


def _gap(tasks: Sequence[Foreseen], truth: float, threshold: float) -> float:
    """How far from the threshold the score is at a true recovery."""
    return (truth - threshold) / 100.0 * sum(one.population.baseline for one in tasks) / len(tasks)


def _chance() -> np.random.Generator:
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    return np.random.default_rng(_SEED)


def _seconds(tasks: Sequence[Forecast]) -> float | None:
    """What all samples of one model take, by what the requests that are owed are expected to."""
    each = [
        one.seconds / (one.requests - one.stored) * one.planned
        for one in tasks
        if one.seconds is not None and one.requests > one.stored
    ]
    return sum(each) if len(each) == len(tasks) else None
