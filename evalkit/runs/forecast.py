"""What a run would take and what it could see: requests, tokens, time and the smallest visible drop of each task."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.base.printable import counted, part_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json, Task

_OFTEN = 0.5
"""A task that shows what is true less often than not cannot decide."""
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
    design_effect: float = 1.0
    """Factor by which clusters multiply the variance of the difference."""
    spread: float | None = None
    """Standard deviation of a pair's difference, clusters included, by which fractional scores count as what they are;
    None without pairs."""
    baseline: float | None = None
    """The baseline's score, 0-1; None without answers of it."""


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
    """With the given window, serving's start aside; None without earlier answers."""
    discordance: float
    guessed: bool
    """Whether the discordance is a guess."""
    drop: float | None
    """Smallest drop of the score, 0-1, that the 95 % interval shows with 80 % power; None without samples."""
    past: Past | None = None
    threshold: float | None = None
    """The minimum recovery of its row, in percent; None where none is set."""
    recovered: float | None = None
    """Chance to see "recovered", 0-1, if the true recovery is 100 %; None without a threshold or samples."""
    degraded: float | None = None
    """Chance to see "degraded", 0-1, if the true recovery is one point below the threshold."""
    whole: float | None = None
    """``recovered`` with every sample of the task."""
    stored: int = 0
    """Of ``requests``: those that the store has an answer to."""

    @property
    def cannot_decide(self) -> bool:
        """Whether even all samples of the task would show a full recovery less often than not."""
        return self.whole is not None and self.whole < _OFTEN

    @property
    def problems(self) -> int:
        """What is paired: samples, or problems when each is asked several times."""
        return -(-self.planned // self.task.decoding.n)


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
    stored: Mapping[str, int] = field(default_factory=dict)
    """Task name to answers that the store has of the models, all of them together."""


def forecast(
    task: Task, sizes: tuple[int, int], terms: CostTerms, *, prompt_tokens: float | None, past: Past | None
) -> Forecast:
    """What one task will take.

    Args:
        task: The task.
        sizes: Answers of one model as planned, and in the whole split.
        terms: What holds for every task.
        prompt_tokens: Of a mean sample, estimated from its content; earlier answers know better.
        past: Earlier answers, if there are any.
    """
    planned, available = sizes
    known = past.discordance if past is not None else None
    share = next((one for one in (terms.discordance, known) if one is not None), GUESSED_DISCORDANCE)
    times = task.decoding.n
    problems, whole = -(-planned // times), -(-available // times)
    each = past.prompt_tokens if past is not None and past.prompt_tokens is not None else prompt_tokens
    words = past.completion_tokens if past is not None and past.completion_tokens is not None else None
    requests = planned * terms.models + min(planned, terms.repeated * times)
    stored = min(requests, terms.stored.get(task.name, 0))
    effect = max(1.0, past.design_effect) if past is not None else 1.0
    spread = past.spread if past is not None and terms.discordance is None else None
    level = GUESSED_BASELINE if past is None or past.baseline is None else past.baseline
    threshold = terms.thresholds.get(task.name)

    def chance(count: int, distance: float) -> float | None:
        """In percentage points from the threshold."""
        wide = math.sqrt(share * effect) if spread is None else spread
        return stats.chance_to_show(count, wide, level, distance / 100.0) if threshold is not None and count else None

    return Forecast(
        task=task,
        planned=planned,
        available=available,
        requests=requests,
        prompt_tokens=None if each is None else each * requests,
        completion_tokens=requests * (task.decoding.max_tokens if words is None else words),
        # The attempts at a problem are one request, and each of them knows how long that took.
        seconds=None
        if past is None
        else (requests - stored) / times * past.latency_s / min(terms.window, max(1, problems)),
        discordance=share,
        guessed=terms.discordance is not None or known is None,
        drop=_drop(problems, share, effect, spread),
        past=past,
        threshold=threshold,
        recovered=chance(problems, 100.0 - (threshold or 0.0)),
        degraded=chance(problems, 1.0),
        whole=chance(whole, 100.0 - (threshold or 0.0)),
        stored=stored,
    )


def _drop(problems: int, share: float, effect: float, spread: float | None) -> float | None:
    if not problems:
        return None
    if spread is None:
        return stats.minimum_detectable_drop(problems, share, design_effect=effect)
    return stats.visible_drop(problems, spread)


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
        "min_recovery": one.threshold,
        "chance_recovered_at_100": one.recovered,
        "chance_degraded_one_point_below": one.degraded,
        "cannot_decide": one.cannot_decide,
    }


def table(found: Sequence[Forecast]) -> tuple[list[str], list[list[str]]]:
    """Heading and body: what every task takes, and all of them together."""
    head = ["Task", "Samples", "Requests", "Prompt tokens", "Answer tokens", "Time", "Smallest visible drop"]
    body = [_cells(one) for one in found]
    if len(found) > 1:
        prompts = [one.prompt_tokens for one in found if one.prompt_tokens is not None]
        times = [one.seconds for one in found if one.seconds is not None]
        whole = len(prompts) == len(found), len(times) == len(found)
        exact = all(one.past is not None and one.past.completion_tokens is not None for one in found)
        answers = sum(one.completion_tokens for one in found)
        body.append(
            [
                "All",
                f"{sum(one.planned for one in found):,}",
                f"{sum(one.requests for one in found):,}",
                f"~{_count(sum(prompts))}" if whole[0] else "unknown",
                f"{'~' if exact else 'at most '}{_count(answers)}",
                f"~{duration(sum(times))}" if whole[1] else "unknown",
                "",
            ]
        )
    return head, body


def _cells(one: Forecast) -> list[str]:
    known = one.past is not None and one.past.completion_tokens is not None
    times = one.task.decoding.n
    of = "" if one.planned == one.available else f" of {one.available:,}"
    return [
        one.task.title,
        f"{one.planned:,}{of}" + (f" ({one.problems:,} x {times})" if times > 1 else ""),
        f"{one.requests:,}",
        "unknown" if one.prompt_tokens is None else f"~{_count(one.prompt_tokens)}",
        f"{'~' if known else 'at most '}{_count(one.completion_tokens)}",
        "unknown" if one.seconds is None else f"~{duration(one.seconds)}",
        "–" if one.drop is None else f"{one.drop * 100:.2f} points",
    ]


def bases(found: Sequence[Forecast]) -> list[str]:
    """What the estimates rest on, once for all tasks of which it is the same; then what each threshold meets."""
    same: dict[str, list[str]] = {}
    for one in found:
        same.setdefault(_basis(one), []).append(one.task.title)
    told = [f"{text}." if len(same) == 1 else f"{', '.join(who)}: {text}." for text, who in same.items()]
    return [*told, *(_chances(one) for one in found if one.threshold is not None and one.recovered is not None)]


def _chances(one: Forecast) -> str:
    """What a task with a threshold will be able to say."""
    at = f"{one.threshold:g} %"
    text = (
        f'{one.task.title} at {at}: "recovered" is seen in {_percent(one.recovered)} of runs if the true recovery is '
        f'100 %, "degraded" in {_percent(one.degraded)} if it is one point below'
    )
    return f"{text}; this task cannot decide at {at}." if one.cannot_decide else f"{text}."


def _percent(chance: float | None) -> str:
    return "–" if chance is None else f"{chance * 100:.0f} %"


def _basis(one: Forecast) -> str:
    past = one.past
    share = f"{one.discordance * 100:.3g} % of samples are expected to change"
    if one.guessed or past is None:
        share += " (a guess; --discordance SHARE states another)"
    else:
        share += f" (as in {counted(past.pairs, 'pair')} of run {past.run})"
        if past.design_effect > 1.0:
            share += f", samples that share a cluster widen it {past.design_effect:.2f} times"
    if past is None:
        learn = "the same command as `evalkit run` with --limit 50 tells it"
        return (
            f"{share}; no earlier answers, so no time can be told ({learn}), and answers count as long as they may be"
        )
    if one.stored:
        share += f"; {part_of(one.stored, one.requests, 'answer', ('is', 'are'))} in the store and not in the time"
    answers = counted(past.answers, "answer")
    return f"{share}; time and tokens as in {answers} of run {past.run}, {past.latency_s:.2f} s each"


def _count(number: float) -> str:
    """Two or three digits: an estimate is not better."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """``2 h 10 min``, ``4 min``, ``20 s``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
