"""``evalkit perf``: the other half of a model card, latency, throughput and cost."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode
from evalkit.base.printable import printable
from evalkit.cli.ending import stopped
from evalkit.cli.library_log import library_log
from evalkit.cli.run import Grouped, having, interruptible, mapping
from evalkit.config import options as declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.config.run_config import Config
    from evalkit.measuring.perf import PerfFinished
    from evalkit.measuring.preview import PerfPreview
    from evalkit.perf.outcome import PerfResult
    from evalkit.perf.tables import PerfGrid

_SHARED = [one for one in declared.OPTIONS if one.flag in declared.MEASURED_WITH]


@click.command(
    "perf",
    cls=Grouped,
    help="Measure what candidates save: serve each model as `evalkit run` does, measure latency (one query at a time) "
    "and throughput (many at once) for several uses, and put cost beside the baseline's. A finished cell (one model, "
    "use, stream and start) is not measured again.",
)
@having([*_SHARED, *declared.PERF_OPTIONS])
@click.option("--fresh", is_flag=True, help="Measure everything again; earlier figures stay where they are.")
@click.option("--plan", "ahead", is_flag=True, help="Say what would be started and how long it takes; start nothing.")
def command(config_file: Path | None, *, as_json: bool, ahead: bool, **given: Any) -> int:
    """Measure and show."""
    from evalkit.config import run_config  # noqa: PLC0415 - --help must not wait for it

    settled = run_config.resolved(mapping(config_file), str(config_file), given)
    return _look_ahead(settled, as_json=as_json) if ahead else _carry_out(settled, as_json=as_json)


def _carry_out(settled: Config, *, as_json: bool) -> int:
    from evalkit.cli.display import display  # noqa: PLC0415 - --help must not wait for these
    from evalkit.measuring.perf import perf  # noqa: PLC0415

    interruptible()
    try:
        with library_log(Path(settled.output)), display(as_json=as_json) as say:
            finished = perf(settled, say)
    except KeyboardInterrupt:
        stopped("stopped; every finished cell is kept: run the same command again to continue")
        return ExitCode.INTERRUPTED
    _show(finished, as_json=as_json)
    if not as_json:
        click.echo(f"next: {_next(finished, settled)}")
    if finished.lost is not None:
        raise finished.lost
    return finished.exit_code


def _next(finished: PerfFinished, settled: Config) -> str:
    """What joins both halves of a card; or the run, where these checkpoints have none."""
    from evalkit.report import run_command  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.joining import evaluation  # noqa: PLC0415
    from evalkit.serve import shown_config  # noqa: PLC0415

    run = evaluation(finished.result, Path(settled.output))
    if not run:
        return run_command(shown_config(settled))
    elsewhere = ["--runs", settled.output] if settled.output != "runs" else []
    return shlex.join(["evalkit", "card", run, "--perf", finished.folder.name, *elsewhere])


def _show(finished: PerfFinished, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write((finished.folder / "perf.json").read_text(encoding="utf-8"))
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from evalkit.perf import tables  # noqa: PLC0415

    console = Console()
    for text in finished.result.notices:
        console.print(Text(printable(text), style="bold"))
    for title, (head, body) in _tables(finished.result):
        table = Table(
            *[escape(cell) for cell in head], title=escape(title), title_justify="left", box=None, pad_edge=False
        )
        for row in body:
            table.add_row(*[Text(printable(cell)) for cell in row])
        console.print(table)
    for text in tables.faults(finished.result):
        console.print(Text(printable(text), style="yellow"))
    for text in tables.sentences(finished.result):
        console.print(Text(printable(text)))
    if not finished.measured:
        console.print("nothing to do: every cell was measured before")
    console.print(Text(f"tables: {finished.folder / 'perf.html'}"), soft_wrap=True)


def _tables(result: PerfResult) -> Iterator[tuple[str, PerfGrid]]:
    from evalkit.perf import tables  # noqa: PLC0415
    from evalkit.perf.cells import STREAMS  # noqa: PLC0415

    for stream in STREAMS:
        yield tables.TITLES[stream], tables.stream_table(result, stream)
    if result.savings:
        yield f"Cost beside {result.plan.baseline}", tables.savings_table(result)


def _look_ahead(settled: Config, *, as_json: bool) -> int:
    from evalkit.cli.display import display  # noqa: PLC0415 - --help must not wait for these
    from evalkit.measuring.preview import preview  # noqa: PLC0415

    with library_log(Path(settled.output)), display(as_json=as_json) as say:
        found = preview(settled, say)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _show_ahead(found)
    return ExitCode.FINE


def _show_ahead(found: PerfPreview) -> None:
    for label, words in found.commands.items():
        click.echo(f"{label}: {words}")
    click.echo(found.words)
    click.echo(found.takes)
