"""What a run would take and what it could see: requests, tokens, time and the smallest visible drop of each task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.types import Json, Task

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
    """Smallest drop of the score, 0-1, that is seen with 80 % power, one-sided at 5 %; None without samples."""
    past: Past | None = None

    @property
    def problems(self) -> int:
        """What is paired: samples, or problems when each is asked several times."""
        return -(-self.planned // self.task.decoding.n)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for every task of a run."""

    models: int
    """How many answer each task."""
    window: int
    """Requests under way at once."""
    discordance: float | None = None
    """The user's guess of the share of samples that change, 0-1; it wins over earlier pairs."""
    repeated: int = 0
    """Samples of each task that the baseline is asked a second time."""


def forecast(
    task: Task, sizes: tuple[int, int], terms: Terms, *, prompt_tokens: float | None, past: Past | None
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
    problems = -(-planned // task.decoding.n)
    each = past.prompt_tokens if past is not None and past.prompt_tokens is not None else prompt_tokens
    words = past.completion_tokens if past is not None and past.completion_tokens is not None else None
    requests = planned * terms.models + min(planned, terms.repeated)
    effect = max(1.0, past.design_effect) if past is not None else 1.0
    return Forecast(
        task=task,
        planned=planned,
        available=available,
        requests=requests,
        prompt_tokens=None if each is None else each * requests,
        completion_tokens=requests * (task.decoding.max_tokens if words is None else words),
        seconds=None if past is None else requests * past.latency_s / min(terms.window, max(1, planned)),
        discordance=share,
        guessed=terms.discordance is not None or known is None,
        drop=stats.minimum_detectable_drop(problems, share, design_effect=effect) if problems else None,
        past=past,
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
    """One sentence for each task: what its estimates rest on."""
    return [f"{one.task.title}: {_basis(one)}." for one in found]


def _basis(one: Forecast) -> str:
    past = one.past
    share = f"{one.discordance * 100:.3g} % of samples change"
    if one.guessed or past is None:
        share += " (a guess; --discordance SHARE states another)"
    else:
        share += f" (as in {past.pairs:,} pairs of run {past.run})"
        if past.design_effect > 1.0:
            share += f", samples that share a cluster widen it {past.design_effect:.2f} times"
    if past is None:
        most = f"answers may have {one.task.decoding.max_tokens} tokens each"
        return f"{share}; no earlier answers, so no time can be told, and {most}"
    return f"{share}; time and tokens as in {past.answers:,} answers of run {past.run}, {past.latency_s:.2f} s each"


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
