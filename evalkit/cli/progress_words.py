"""How far a run is, in words that a live table and a plain line share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.printable import counted, one_line, part_of

if TYPE_CHECKING:
    from evalkit.base.events import Outset, Progress, SoFar
    from evalkit.cli.pace import Whole

SO_FAR = "so far; no verdict before the end"
"""Stands with every recovery that is told while a run goes on."""


def outset(event: Outset) -> str:
    """What a run will do, in a line."""
    missing = sum(event.owed.values())
    servers = "no server" if not event.starts else counted(event.starts, "server")
    stored = f" of {event.planned:,}; the store has the others" if missing < event.planned else ""
    return f"{servers} to start, {counted(missing, 'answer')} to get{stored}"


def whole(run: Whole) -> str:
    """How far the whole run is: answers, requests a second, time gone, time left."""
    rate = "" if run.rate is None else f", {run.rate:.1f} a second"
    left = "" if run.left_s is None else f", about {minutes(run.left_s)} left"
    return f"{part_of(run.answered, run.planned, 'answer')}{rate}, {minutes(run.elapsed_s)} gone{left}"


def recovery(event: SoFar) -> str:
    """``99.2 % [97.9, 100.4] of 230 pairs``."""
    ends = "" if event.low is None or event.high is None else f" [{event.low:.1f}, {event.high:.1f}]"
    return f"{event.percent:.1f} %{ends} of {counted(event.paired, 'pair')}"


def failures(event: Progress) -> str:
    """``3 failed (2 deadline, 1 http 5xx)``; empty where nothing has."""
    kinds = sorted(event.failures.items(), key=lambda one: (-one[1], one[0]))
    told = ", ".join(f"{count:,} {one_line(kind).replace('_', ' ')}" for kind, count in kinds)
    return f"{event.failed:,} failed{f' ({told})' if told else ''}" if event.failed else ""


def minutes(seconds: float) -> str:
    """``1:05``, ``2:03:00``."""
    whole_minutes, rest = divmod(round(seconds), 60)
    hours = f"{whole_minutes // 60}:{whole_minutes % 60:02d}:{rest:02d}"
    return f"{whole_minutes}:{rest:02d}" if whole_minutes < 60 else hours


def score(event: Progress) -> str:
    """In percent; a dash where nothing is scored."""
    return "–" if event.score is None else f"{event.score * 100:.2f}"
