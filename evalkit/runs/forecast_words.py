"""A forecast as a person reads it: a table of what a run takes, and notes on what that rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.runs.forecast import GUESSED_DISCORDANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.runs.forecast import AverageForecast, Chances, Forecast


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
        "none" if one.drop is None else f"~{one.drop * 100:.2g} points",
    ]


def bases(found: Sequence[Forecast], averages: Sequence[AverageForecast] = ()) -> list[str]:
    """What the estimates rest on, once for all tasks of which it is the same; then what each threshold meets."""
    return [
        *_told([(_changes(one), one) for one in found]),
        *_told([(_time(one), one) for one in found]),
        *_stored(found),
        *_show(found, averages),
    ]


def _told(notes: Sequence[tuple[tuple[str, str], Forecast]]) -> list[str]:
    """Each text once, with the tasks that it holds for and what it says of each alone; no names where it is of all."""
    same: dict[str, list[tuple[str, str]]] = {}
    for (text, own), one in notes:
        same.setdefault(text, []).append((one.task.title, own))
    told = []
    for text, members in same.items():
        each = ", ".join(f"{title} {own}".rstrip() for title, own in members)
        names = len(same) > 1 or any(own for _, own in members)
        told.append(f"{text}: {each}." if names else f"{text}.")
    return told


def _changes(one: Forecast) -> tuple[str, str]:
    """Where the share of samples that change comes from, and the share."""
    past, share = one.past, f"{one.discordance * 100:.3g} %"
    if one.guessed or past is None:
        return f"{share} of samples are expected to change (a guess; --discordance SHARE states another)", ""
    of = " (of other models)" if past.others else ""
    text = (
        f"samples that are expected to change, as in the pairs of run {past.run}{of} and {stats.GUESS_COUNTS_AS} more "
        f"by the guess of {GUESSED_DISCORDANCE * 100:g} %"
    )
    return text, f"{share} ({past.pairs:,} pairs)"


def _time(one: Forecast) -> tuple[str, str]:
    """Where time and tokens come from."""
    past = one.past
    if past is None:
        learn = "the same command as `evalkit run` with --limit 50 tells it"
        return f"no earlier answers, so no time can be told ({learn}), and answers count as long as they may be", ""
    own = f"({past.answers:,} answers"
    if past.elsewhere:
        return (
            f"tokens as in run {past.run}, which was on {past.elsewhere} and tells no time of this machine",
            f"{own})",
        )
    return f"time and tokens as in run {past.run}", f"{own}, {past.latency_s:.2f} s each)"


def _stored(found: Sequence[Forecast]) -> list[str]:
    parts = [f"{one.task.title} {one.stored:,} of {one.requests:,}" for one in found if one.stored]
    return [f"answers that are in the store and not in the time: {', '.join(parts)}."] if parts else []


def _show(found: Sequence[Forecast], averages: Sequence[AverageForecast]) -> list[str]:
    """What the rows with a threshold will be able to say."""
    rows = [
        *((one.task.title, "task", one.chances) for one in found),
        *((one.title, "average", one.chances) for one in averages),
    ]
    told = [f"{title} {_chances_text(chances, kind)}" for title, kind, chances in rows if chances is not None]
    if not told:
        return []
    head = (
        'chance of "recovered" if the true recovery is 100 %, and of "degraded" if it is one point below the threshold '
        "(simulated, by the rule of the verdicts):"
    )
    return [head, *(f"  {line}" for line in told)]


def _chances_text(one: Chances, kind: str) -> str:
    at = f"{one.threshold:g} %"
    text = f"at {at}: {one.recovered * 100:.0f} % and {one.degraded * 100:.0f} %"
    return f"{text}; this {kind} cannot decide at {at}" if one.cannot_decide else text


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
