"""``evalkit export``: a run for others: its samples as one table, its results in a tracker, its flips as pages."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from evalkit.base.errors import UsageError
from evalkit.base.printable import counted
from evalkit.cli import completing
from evalkit.cli.stored import on_the_way, runs_option, task_code_option
from evalkit.config.after import TRACKERS

if TYPE_CHECKING:
    from evalkit.runs.export import Format, TextFormat

_STREAM = Path("-")


@click.command(
    "export",
    help="Write one line for each sample and model of a run, with answer, scores, flip, a checker's judgement, "
    "tokens, latency and failure. RUN is a run's id, the beginning of one, its folder, or `latest`. In CSV a text that "
    "a spreadsheet would take for a formula gets an apostrophe before it; parquet and jsonl hold every text as it is. "
    "With --to, the run's scores, recoveries and report are kept by an experiment tracker instead; with --site, the "
    "answers that changed are written as a folder of pages that need no server.",
)
@click.argument("run", shell_complete=completing.runs)
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "jsonl"]), help="Of the table.")
@click.option("--to", "tracker", type=click.Choice(TRACKERS), help="The tracker; its own variables say where it is.")
@click.option("--site", is_flag=True, help="Pages of the most informative flips of each task and candidate.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="PATH",
    help="The file, samples.<format> in the run's folder by default; `-` is standard output (csv and jsonl). Of --site "
    "the folder, `site` in the run's folder by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print where and how much as one JSON object.")
@task_code_option
@runs_option
def command(run: str, output: Path | None, runs: Path, *, as_json: bool, **given: Any) -> None:
    """Write, and print where and how much."""
    kind, tracker, site = given["kind"], given["tracker"], given["site"]
    if sum(one not in {None, False} for one in (kind, tracker, site)) != 1:
        raise UsageError("one of --format, --to and --site is needed", fix="write --format parquet, or --to mlflow")
    if kind is not None:
        _table(run, kind, output, runs, as_json=as_json)
    elif site:
        _site(run, output, runs, as_json=as_json)
    elif output is not None:
        raise UsageError("-o does not go with --to", fix="the tracker's own variables say where it keeps runs")
    else:
        _track(run, tracker, runs, as_json=as_json)


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


def _site(run: str, output: Path | None, runs: Path, *, as_json: bool) -> None:
    """The flips, as pages."""
    from evalkit.records import history  # noqa: PLC0415 - as above
    from evalkit.runs import outcomes, saved_run  # noqa: PLC0415
    from evalkit.view import site  # noqa: PLC0415

    with saved_run.opened(run, runs) as (row, store, folder):
        past = history.past_run(folder.parent, row.id)
        if past is None or past.results is None:
            raise UsageError(f"{folder}: this run has not finished", fix="finish it with the command that began it")
        found = outcomes.gather(saved_run.plan(row), store, on_the_way)
    place = folder / "site" if output is None else output
    count = site.write(past, found.flips, place)
    page = place / "index.html"
    click.echo(json.dumps({"page": str(page), "samples": count}) if as_json else f"{page}: {counted(count, 'sample')}")
