"""``evalkit view``: every run, and any sample of it, in the browser."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.base.errors import ExitCode, UsageError, near_miss
from evalkit.cli import completing
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option

if TYPE_CHECKING:
    from types import FrameType

    from evalkit.records.history import PastRun


@click.command(
    "view",
    help="Open a local page over all runs: tables, history, and any sample with its image and every model's answer. "
    "RUN is a run's id, the beginning of one, its folder, or `latest`.",
)
@click.argument("run", required=False, shell_complete=completing.runs)
@click.option(
    *("-o", "--output", "--runs", "output"),
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Where the runs are.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="A port of 127.0.0.1; a free one by default.")
@click.option("--open", "opens", is_flag=True, help="Open the browser at once.")
@task_code_option
def command(run: str | None, output: str, port: int, *, opens: bool) -> int:
    """Serve until Ctrl-C."""
    from evalkit.records import history  # noqa: PLC0415 - --help must not wait for these
    from evalkit.view import Viewer  # noqa: PLC0415

    folder = Path(run).resolve().parent if run and (Path(run) / "run.json").is_file() else Path(output)
    runs = history.past_runs(folder)
    chosen = _chosen(run, runs, folder) if run else None
    try:
        viewer = Viewer(folder, notice, port)
    except OSError as error:
        raise UsageError(
            f"port {port} of 127.0.0.1: {error.strerror}", fix="leave --port out for a free one"
        ) from error
    if chosen is not None and chosen.results is not None:
        _prepare(chosen)
    address = viewer.address(chosen.id if chosen else None)
    click.echo(address)
    notice("the address opens once, on this machine; Ctrl-C ends the viewer")
    if opens:
        click.launch(address)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        sys.stdout.flush()
        viewer.serve()
    except KeyboardInterrupt:
        pass
    return ExitCode.FINE


def _chosen(name: str, runs: list[PastRun], folder: Path) -> PastRun:
    """The run that is meant.

    Raises:
        UsageError: There is none, or several.
    """
    if name == "latest" and runs:
        return runs[-1]
    key = Path(name).name if (Path(name) / "run.json").is_file() else name
    found = [run for run in runs if run.id == key] or [run for run in runs if run.id.startswith(key)]
    if not found:
        raise UsageError(f"no run '{name}' in {folder}", fix=near_miss(name, [run.id for run in runs]))
    if len(found) > 1:
        raise UsageError(f"'{name}' could be {', '.join(run.id for run in found)}", fix="write more of the id")
    return found[0]


def _prepare(run: PastRun) -> None:
    """Make the index of the run's samples, and show how far it is."""
    from evalkit.cli.display import one_bar  # noqa: PLC0415
    from evalkit.view import index  # noqa: PLC0415

    files = index.Files.of(run)
    if index.ready(files) is not None:
        return
    with one_bar() as progress:
        bar = progress.add_task("reading the samples", total=None)
        index.build(files, lambda read, total: progress.update(bar, completed=read, total=total))


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
