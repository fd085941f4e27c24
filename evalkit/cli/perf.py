"""``evalkit perf``: the other half of a model card, latency, throughput and cost."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode
from evalkit.base.printable import counted, printable
from evalkit.cli.ending import stopped
from evalkit.cli.library_log import library_log
from evalkit.cli.run import interruptible, shared
from evalkit.config.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.config.perf_config import PerfConfig
    from evalkit.measuring.perf import PerfFinished
    from evalkit.measuring.preview import PerfOutlook
    from evalkit.perf.outcome import PerfResult
    from evalkit.perf.tables import PerfGrid

_SERVED = ("--vllm", "--vllm-python", "--profile", "--serve-arg", "--serve-env", "--trust-remote-code")


@click.command(
    "perf",
    help="Measure what candidates save: serve each model as `evalkit run` does, measure latency (one query at a time) "
    "and throughput (many at once) for several uses, and put cost beside the baseline's. A finished cell (one model, "
    "use, stream and start) is not measured again.",
)
@shared("--baseline", "--candidate")
@click.option(
    "--use",
    "uses",
    multiple=True,
    metavar="USE",
    help="A use's name or TOML file; repeat it. By default the published card's three: document-vqa, visual-reasoning, "
    "image-captioning. Of text: chat, code-completion, summarization, rag.",
)
@click.option(
    "--price", type=float, metavar="AMOUNT", help="What an hour of one GPU (or of the machine, on a CPU) costs."
)
@click.option("--price-source", metavar="TEXT", help="Whose price that is, and of when: 'NAME, DATE'.")
@click.option("--currency", metavar="NAME", help="Of the price; USD by default.")
@click.option(
    "--prices", metavar="FILE", help="A TOML file of prices, [[price]] with gpu, price, currency, source and date each."
)
@click.option(
    "--engine",
    type=click.Choice(["guidellm", "vllm-bench"]),
    help="Who sends the queries: GuideLLM (the default) in an environment that evalkit makes, or `vllm bench serve` of "
    "the serving interpreter. Rows of two engines are not comparable.",
)
@click.option("--engine-python", metavar="PYTHON", help="The interpreter that has the engine, if not evalkit's own.")
@click.option("--starts", type=click.IntRange(min=1), metavar="N", help="Starts of each server; 2 by default.")
@click.option(
    "--queries",
    type=click.IntRange(min=1),
    metavar="N",
    help="Single-stream queries of each use and start; 50 by default.",
)
@click.option(
    "--queries-at-once",
    type=click.IntRange(min=1),
    metavar="N",
    help="Multi-stream queries of each use and start; by default four times those under way at once, at least 64.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Multi-stream queries under way at once; by default twice the server's batch, at most 256.",
)
@click.option("--warmups", type=click.IntRange(min=0), metavar="N", help="Queries before each cell; 4 by default.")
@click.option("--deadline", "deadline_s", type=float, metavar="SECONDS", help="For one cell; 1800 by default.")
@click.option(
    "--most-idle",
    type=float,
    metavar="SHARE",
    help="The engine's own delay that is borne, as a share of the time; 0.05 by default.",
)
@click.option("--fresh", is_flag=True, help="Measure everything again; earlier figures stay where they are.")
@click.option("--plan", "ahead", is_flag=True, help="Say what would be started and how long it takes; start nothing.")
@shared(*_SERVED, "--output", "--json")
def command(*, as_json: bool, ahead: bool, **given: Any) -> int:
    """Measure and show."""
    from evalkit.config.perf_config import perf_config  # noqa: PLC0415 - --help must not wait for it

    own = {name: value for name, value in given.items() if name not in BY_NAME}
    settled = perf_config({name: value for name, value in given.items() if name in BY_NAME}, own)
    return _look_ahead(settled, as_json=as_json) if ahead else _carry_out(settled, as_json=as_json)


def _carry_out(settled: PerfConfig, *, as_json: bool) -> int:
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
    if finished.lost is not None:
        raise finished.lost
    return finished.exit_code


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
    console.print(
        Text(f"with a run of the same models: evalkit card RUN --perf {finished.folder.name}"), soft_wrap=True
    )


def _tables(result: PerfResult) -> Iterator[tuple[str, PerfGrid]]:
    from evalkit.perf import tables  # noqa: PLC0415
    from evalkit.perf.cells import STREAMS  # noqa: PLC0415

    for stream in STREAMS:
        yield tables.TITLES[stream], tables.stream_table(result, stream)
    if result.savings:
        yield f"Cost beside {result.plan.baseline}", tables.savings_table(result)


def _look_ahead(settled: PerfConfig, *, as_json: bool) -> int:
    from evalkit.cli.display import display  # noqa: PLC0415 - --help must not wait for these
    from evalkit.measuring.preview import look_ahead  # noqa: PLC0415

    with library_log(Path(settled.output)), display(as_json=as_json) as say:
        found = look_ahead(settled, say)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _show_ahead(found)
    return ExitCode.FINE


def _show_ahead(found: PerfOutlook) -> None:
    for label, words in found.commands.items():
        click.echo(f"{label}: {words}")
    click.echo(
        f"{counted(found.starts, 'server')} to start, {counted(found.owed, 'cell')} of {found.cells} to measure with "
        f"{found.engine}, {counted(found.queries, 'query', 'queries')} to send"
    )
    click.echo(found.takes)
