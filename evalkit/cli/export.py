"""``evalkit export``: a run's samples as one table for other tools."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from evalkit.base.errors import UsageError
from evalkit.base.printable import counted
from evalkit.cli.stored import runs_option, task_code_option

if TYPE_CHECKING:
    from evalkit.runs.export import Format, TextFormat

_STREAM = Path("-")


@click.command(
    "export",
    help="Write one line for each sample and model of a run, with answer, scores, flip, a checker's verdict (as JSON), "
    "tokens, latency and failure. RUN is a run's id, the beginning of one, its folder, or `latest`. In CSV a text that "
    "a spreadsheet would take for a formula gets an apostrophe before it; parquet and jsonl hold every text as it is.",
)
@click.argument("run")
@click.option("--format", "kind", type=click.Choice(["parquet", "csv", "jsonl"]), required=True, help="Of the table.")
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
def command(run: str, kind: Format, output: Path | None, runs: Path, *, as_json: bool) -> None:
    """Write, and print where and how much."""
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
