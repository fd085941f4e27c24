"""``evalkit history``: recovery and scores over time."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.base.printable import counted, one_line
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from evalkit.records.history import Point, RunLine
    from evalkit.report import PrintedScores


_ROOM = 60
"""Columns of a terminal from which an id and some numbers have room in a line."""


@click.command("history", help="Show how recovery and scores moved from run to run, and what changed in between.")
@click.option("--task", metavar="TASK", help="One task alone.")
@click.option(
    *("-o", "--output", "--runs", "output"),
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Where the runs are.",
)
@task_code_option
@click.option("--all", "everything", is_flag=True, help="Smoke runs and unfinished ones as well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(task: str | None, output: str, *, everything: bool, as_json: bool) -> None:
    """Print a table for each candidate and task."""
    from evalkit.cli.display import results_console  # noqa: PLC0415 - --help must not wait for them
    from evalkit.records import history  # noqa: PLC0415
    from evalkit.runs import since  # noqa: PLC0415 - --help must not wait for them

    runs = history.past_runs(Path(output))
    chosen = history.counted(runs, everything=everything)
    found = history.lines(chosen, task) if chosen else []
    missing = history.gone_text(history.gone(Path(output)))
    if missing:
        notice(missing)
    from rich.console import Console  # noqa: PLC0415

    # Shown on a terminal alone: the answers of a whole suite take half a minute.
    with Console(stderr=True).status("reading what the last two runs of each task answered"):
        changes = since.findings(found, Path(output))
    told = [changes.get(line.key) for line in found]
    if as_json:
        rows = [{**asdict(line), "since": since.since_json(one)} for line, one in zip(found, told, strict=True)]
        click.echo(json.dumps({"lines": rows}, indent=2))
        return
    left_out = len(runs) - len(chosen)
    if not chosen:
        click.echo(f"no finished run in {output}{_more(left_out)}")
        return
    if not found:
        click.echo(f"no run in {output} has a candidate: recovery is what a candidate keeps of its baseline")

    console = results_console()
    for line, one in zip(found, told, strict=True):
        _show(line, console, () if one is None else since.sentences(one))
    if left_out:
        click.echo(f"{counted(left_out, 'unfinished or smoke run')} left out; --all shows what they have")


def _more(left_out: int) -> str:
    return f"; {left_out} unfinished or smoke: --all shows what they have" if left_out else ""


def _show(line: RunLine, console: Console, found: Iterable[str]) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from evalkit import report  # noqa: PLC0415
    from evalkit.stats import IntervalQuestion  # noqa: PLC0415

    head = Text.assemble((line.title, "bold"), f"  {line.candidate} beside {line.baseline}  ")
    console.print(head.append(_drawn(line), style="cyan"))
    table = Table(box=None, pad_edge=False)
    # An id is there to be copied: where there is some room, it keeps its line, and something else is broken.
    table.add_column("run", no_wrap=console.width >= _ROOM, overflow="fold")
    interval = f"95 % interval\n{IntervalQuestion.LIKE_THESE}"
    for name in ("baseline", "candidate", "recovery (%)", interval, "paired"):
        table.add_column(name, justify="right", overflow="fold")
    judged = any(point.verdict for point in line.points)
    own = any(report.point_scores(point).own for point in line.points)
    for name in (*(["verdict"] if judged else []), *(["on all answered"] if own else [])):
        table.add_column(name, overflow="fold")
    notes: list[str] = []
    for point in line.points:
        mark = ""
        if point.changed:
            notes.append(", ".join(point.changed))
            mark = f"▲{len(notes)} "
        table.add_row(
            Text.assemble((mark, "yellow"), point.run, " (smoke)" if point.smoke else ""),
            *_cells(point, report.point_scores(point), judged=judged, own=own),
        )
    console.print(table)
    for number, note in enumerate(notes, 1):
        console.print(Text.assemble((f"▲{number} ", "yellow"), note))
    for text in found:
        # Whole in its line wherever it goes: a job's summary is searched for it.
        click.echo(one_line(f"{line.title}, {line.candidate}: {text}"))
    console.print()


def _drawn(line: RunLine) -> str:
    """The recoveries as blocks, with a stroke where something changed between two runs."""
    from evalkit.records.history import sparkline  # noqa: PLC0415

    blocks = sparkline([point.percent for point in line.points])
    return "".join(f"│{block}" if one.changed else block for block, one in zip(blocks, line.points, strict=True))


def _cells(point: Point, scores: PrintedScores, *, judged: bool, own: bool) -> list[str]:
    ends = "–" if point.interval is None else f"{point.interval[0]:.2f} to {point.interval[1]:.2f}"
    paired = "–" if point.paired is None else f"{point.paired}/{point.planned}"
    recovery = "–" if point.percent is None else f"{point.percent:.2f}"
    verdict = [(point.verdict or "").replace("_", " ")] if judged else []
    return [
        scores.baseline,
        scores.candidates["candidate"],
        recovery,
        ends,
        paired,
        *verdict,
        *([scores.own] if own else []),
    ]
