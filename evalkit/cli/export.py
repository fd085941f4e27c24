"""``evalkit export``: a run for other tools: its samples as one table, its results in a tracker."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from evalkit.base.errors import UsageError
from evalkit.base.printable import counted
from evalkit.cli import completing
from evalkit.cli.stored import runs_option, task_code_option
from evalkit.config.after import TRACKERS

if TYPE_CHECKING:
    from evalkit.runs.export import Format, TextFormat

_STREAM = Path("-")


@click.command(
    "export",
    help="Write one line for each sample and model of a run, with answer, scores, flip, a checker's verdict (as JSON), "
    "tokens, latency and failure. RUN is a run's id, the beginning of one, its folder, or `latest`. In CSV a text that "
    "a spreadsheet would take for a formula gets an apostrophe before it; parquet and jsonl hold every text as it is. "
    "With --to, the run's scores, recoveries and report are kept by an experiment tracker instead.",
)
@click.argument("run", shell_complete=completing.runs)
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "jsonl"]), help="Of the table.")
@click.option("--to", "tracker", type=click.Choice(TRACKERS), help="The tracker; its own variables say where it is.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    metavar="FILE",
    help="samples.<format> in the run's folder by default; `-` is standard output (csv and jsonl).",
)
@click.option("--json", "as_json", is_flag=True, help="Print where and how much as one JSON object.")
@task_code_option
@runs_option
def command(
    run: str, kind: Format | None, tracker: str | None, output: Path | None, runs: Path, *, as_json: bool
) -> None:
    """Write, and print where and how much."""
    if (kind is None) == (tracker is None):
        raise UsageError("one of --format and --to is needed", fix="write --format parquet, or --to mlflow")
    if kind is not None:
        _table(run, kind, output, runs, as_json=as_json)
    elif output is not None:
        raise UsageError("-o does not go with --to", fix="the tracker's own variables say where it keeps runs")
    else:
        _track(run, str(tracker), runs, as_json=as_json)


def _table(run: str, kind: Format, output: Path | None, runs: Path, *, as_json: bool) -> None:
    """The samples, into a file or to standard output."""
    from evalkit.runs import export, saved_run  # noqa: PLC0415 - --help must not wait for these

    if output == _STREAM and (kind == "parquet" or as_json):
        what = "parquet" if kind == "parquet" else "--json"
        raise UsageError(f"{what} does not go with -o -", fix="name a file, or stream csv or jsonl without --json")
    with saved_run.opened(run, runs) as (row, store, folder):
        plan = saved_run.plan(row)
        if output == _STREAM:
            if isinstance(sys.stdout, TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")
            export.stream(plan, store, sys.stdout, cast("TextFormat", kind))
            return
        path = output or folder / f"samples.{kind}"
        count = export.export(plan, store, path, kind)
    click.echo(json.dumps({"file": str(path), "lines": count}) if as_json else f"{path}: {counted(count, 'line')}")


def _track(run: str, tracker: str, runs: Path, *, as_json: bool) -> None:
    """The results, to a tracker."""
    from evalkit import trackers  # noqa: PLC0415 - as above
    from evalkit.runs import saved_run  # noqa: PLC0415

    found = trackers.send(tracker, saved_run.folder_of(run, runs))
    click.echo(json.dumps({"tracker": tracker, "where": found}) if as_json else found)
