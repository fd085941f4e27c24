"""What a run would take and what it could see: requests, tokens, time and the smallest visible drop of each task."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from evalkit import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.random import Generator

    from evalkit.base.types import Json, Task
    from evalkit.stats import Population

_OFTEN = 0.5
"""A row that shows what is true less often than not cannot decide."""
GUESSED_BASELINE = 0.7
"""The baseline's score where nothing was answered yet."""
GUESSED_DISCORDANCE = 0.1
"""Share of samples whose score changes, where no earlier pairs tell: careful quantizations change 2 to 10 % of them."""


@dataclass(frozen=True, slots=True)
class Past:
    """What earlier answers to a task tell."""

    run: str
    """Id of the run that they are from."""
    answers: int
    latency_s: float
    """Mean time from sending to the last byte, with as many requests under way as there were then."""
    prompt_tokens: float | None
    completion_tokens: float | None
    pairs: int = 0
    discordance: float | None = None
    """Share of pairs whose score changed, 0-1; None without pairs."""
    population: Population | None = None
    """What the pairs are, clusters and strata included; None without pairs."""
    baseline: float | None = None
    """The baseline's score, 0-1; None without answers of it."""
    elsewhere: str = ""
    """What the answers were computed on, where that is not what this run would compute on: their time is no guide."""
    others: bool = False
    """Whether they are of other models than this run's."""


@dataclass(frozen=True, slots=True)
class Chances:
    """How often a row with a threshold comes out so, by the gate's own rule."""

    threshold: float
    """The minimum recovery of the row, in percent."""
    recovered: float
    """Chance of "recovered", 0-1, if the true recovery is 100 %."""
    degraded: float
    """Chance of "degraded", 0-1, if the true recovery is one point below the threshold."""
    whole: float
    """``recovered`` with every sample of the task, or of the average's tasks."""

    @property
    def cannot_decide(self) -> bool:
        """Whether even all samples would show a full recovery less often than not."""
        return self.whole < _OFTEN


@dataclass(frozen=True, slots=True)
class Forecast:
    """One task of a run, for each of its models."""

    task: Task
    planned: int
    """Answers of one model: samples, times attempts."""
    available: int
    requests: int
    """Of all models together."""
    prompt_tokens: float | None
    """Of all requests together; an estimate."""
    completion_tokens: float
    """Of all requests together; without earlier answers the most that they can be."""
    seconds: float | None
    """With the given window, serving's start aside; None where no earlier answers tell."""
    discordance: float
    """Share of samples that are expected to change, 0-1."""
    guessed: bool
    """Whether the discordance is nothing but a guess."""
    population: Population
    """What the pairs are expected to be."""
    drop: float | None
    """Smallest drop of the score, 0-1, that the 95 % interval shows with 80 % power; None where none is shown."""
    past: Past | None = None
    chances: Chances | None = None
    """None without a threshold, and where nothing that is asked can be judged."""
    stored: int = 0
    """Of ``requests``: those that the store has an answer to."""
    first_rows: bool = False
    """Whether a part is asked that is not drawn, so that there is no verdict."""

    @property
    def problems(self) -> int:
        """What is paired: samples, or problems when each is asked several times."""
        return -(-self.planned // self.task.decoding.n)

    @property
    def all_problems(self) -> int:
        """The same of the whole split."""
        return -(-self.available // self.task.decoding.n)


@dataclass(frozen=True, slots=True)
class AverageForecast:
    """An average row that has a threshold."""

    category: str
    chances: Chances | None
    """None where a part of it cannot be judged."""

    @property
    def title(self) -> str:
        """As it stands in sentences."""
        return f"{self.category} average"


class Sizes(NamedTuple):
    """Answers of one model to a task."""

    planned: int
    available: int
    """In the whole split."""
    first_rows: bool = False
    """Whether what is planned is the first rows of more, in stored order."""


@dataclass(frozen=True, slots=True)
class CostTerms:
    """What holds for every task of a run."""

    models: int
    """How many answer each task."""
    window: int
    """Requests under way at once."""
    discordance: float | None = None
    """The user's guess of the share of samples that change, 0-1; it wins over earlier pairs."""
    repeated: int = 0
    """Samples of each task that the baseline is asked a second time."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Task name to the minimum recovery of its row, in percent."""
    averages: Mapping[str, float] = field(default_factory=dict)
    """Category to the minimum recovery of its average."""
    stored: Mapping[str, int] = field(default_factory=dict)
    """Task name to answers that the store has of the models, all of them together."""

    @property
    def tested(self) -> int:
        """Rows of a candidate that are held to Holm's rule together."""
        return len(self.thresholds) + len(self.averages)


def forecast(
    task: Task, sizes: Sizes, terms: CostTerms, chance: Generator, *, prompt_tokens: float | None, past: Past | None
) -> Forecast:
    """What one task will take.

    Args:
        task: The task.
        sizes: How much of it is asked.
        terms: What holds for every task.
        chance: What data sets are drawn with, to see what they show.
        prompt_tokens: Of a mean sample, estimated from its content; earlier answers know better.
        past: Earlier answers, if there are any.
    """
    times = task.decoding.n
    problems, whole = -(-sizes.planned // times), -(-sizes.available // times)
    each = past.prompt_tokens if past is not None and past.prompt_tokens is not None else prompt_tokens
    words = past.completion_tokens if past is not None and past.completion_tokens is not None else None
    requests = sizes.planned * terms.models + min(sizes.planned, terms.repeated * times)
    stored = min(requests, terms.stored.get(task.name, 0))
    share, guessed = _discordance(terms, past)
    population = expected_population(task, terms.discordance, past)
    threshold = terms.thresholds.get(task.name)
    row = None if sizes.first_rows or not problems else [(population, problems, whole)]
    return Forecast(
        task=task,
        planned=sizes.planned,
        available=sizes.available,
        requests=requests,
        prompt_tokens=None if each is None else each * requests,
        completion_tokens=requests * (task.decoding.max_tokens if words is None else words),
        # The attempts at a problem are one request, and each of them knows how long that took.
        seconds=None
        if past is None or past.elsewhere
        else (requests - stored) / times * past.latency_s / min(terms.window, max(1, problems)),
        discordance=share,
        guessed=guessed,
        population=population,
        drop=stats.visible_drop(population, problems, chance) if problems else None,
        past=past,
        chances=_chances(row, threshold, terms.tested, chance),
        stored=stored,
        first_rows=sizes.first_rows,
    )


def average(category: str, parts: Sequence[Forecast], terms: CostTerms, chance: Generator) -> AverageForecast:
    """What the average of some tasks, one with a threshold, will be able to say."""
    row = [(one.population, one.problems, one.all_problems) for one in parts]
    judged = not any(one.first_rows or not one.problems for one in parts)
    found = _chances(row if judged else None, terms.averages[category], terms.tested, chance)
    return AverageForecast(category, found)


def _discordance(terms: CostTerms, past: Past | None) -> tuple[float, bool]:
    """The share of samples that change, and whether it is a guess alone."""
    if terms.discordance is not None:
        return terms.discordance, True
    if past is None or past.discordance is None:
        return GUESSED_DISCORDANCE, True
    counts = stats.GUESS_COUNTS_AS
    return (past.pairs * past.discordance + counts * GUESSED_DISCORDANCE) / (past.pairs + counts), False


def expected_population(task: Task, share: float | None, past: Past | None) -> Population:
    """What the pairs will be: a guess, and what earlier pairs make of it by their number.

    Args:
        task: The task.
        share: The user's guess of the share of samples that change, 0-1; it wins over earlier pairs.
        past: Earlier answers, if there are any.
    """
    level = GUESSED_BASELINE
    if past is not None and past.baseline is not None:
        problems = past.answers / task.decoding.n
        level = (problems * past.baseline + stats.GUESS_COUNTS_AS * level) / (problems + stats.GUESS_COUNTS_AS)
    guess = stats.guessed(level, GUESSED_DISCORDANCE if share is None else share, task.decoding.n)
    if past is None or past.population is None:
        return guess
    found = stats.informed(guess, past.population, past.pairs)
    return found if share is None else found.changing(share)


def _chances(
    row: Sequence[tuple[Population, int, int]] | None, threshold: float | None, tested: int, chance: Generator
) -> Chances | None:
    """Of a row whose tasks have so many samples planned, and in all."""
    if row is None or threshold is None or any(population.baseline <= 0.0 for population, _, _ in row):
        return None
    planned = [(population, count) for population, count, _ in row]
    whole = [(population, count) for population, _, count in row]
    below = max(0.0, threshold - 1.0)
    recovered = stats.chance_of_recovered(planned, threshold, 100.0, chance)
    return Chances(
        threshold,
        recovered,
        stats.chance_of_degraded(planned, threshold, below, chance, tested=tested),
        recovered if whole == planned else stats.chance_of_recovered(whole, threshold, 100.0, chance),
    )


def forecast_json(one: Forecast) -> dict[str, Json]:
    """The forecast for programs: shares and drops from 0 to 1, times in seconds."""
    return {
        "task": one.task.name,
        "planned": one.planned,
        "available": one.available,
        "requests": one.requests,
        "prompt_tokens": one.prompt_tokens,
        "completion_tokens": one.completion_tokens,
        "completion_tokens_known": one.past is not None and one.past.completion_tokens is not None,
        "seconds": one.seconds,
        "discordance": one.discordance,
        "discordance_guessed": one.guessed,
        "smallest_visible_drop": one.drop,
        "from_run": one.past.run if one.past else None,
        "stored": one.stored,
        **_chances_json(one.chances),
    }


def average_json(one: AverageForecast) -> dict[str, Json]:
    """The same of an average."""
    return {"category": one.category, **_chances_json(one.chances)}


def _chances_json(one: Chances | None) -> dict[str, Json]:
    return {
        "min_recovery": one and one.threshold,
        "chance_recovered_at_100": one and one.recovered,
        "chance_degraded_one_point_below": one and one.degraded,
        "cannot_decide": one is not None and one.cannot_decide,
    }
