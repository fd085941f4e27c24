"""``evalkit run``: the main job."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode
from evalkit.base.printable import printable
from evalkit.cli.ending import stopped
from evalkit.cli.library_log import library_log
from evalkit.files import textfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from evalkit.config.run_config import Config
    from evalkit.report import Report
    from evalkit.runs.run import Finished

OPTIONS = (
    click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="TOML file with the same settings; options on the command line win.",
    ),
    click.option("--baseline", metavar="MODEL", help="Hub id or folder; LABEL=MODEL names it in the report."),
    click.option(
        "--candidate", "candidates", multiple=True, metavar="MODEL", help="As --baseline; repeat it for several."
    ),
    click.option("--suite", help="A list of tasks, such as pixtral-card (the default)."),
    click.option("--task", "tasks", multiple=True, metavar="TASK", help="A task's name or TOML file; repeat it."),
    click.option("--tasks-dir", multiple=True, metavar="FOLDER", help="A folder with tasks of your own."),
    click.option(
        "--allow-task-code",
        is_flag=True,
        default=None,
        help="Run the Python files beside those tasks: benchmarks, metrics and harnesses of your own.",
    ),
    click.option("--data", multiple=True, metavar="TASK=FILE", help="Local parquet or JSONL in place of the hub."),
    click.option(
        "--limit",
        type=click.IntRange(min=1),
        metavar="N",
        help="Only N samples of each task, or N problems where they are attempted several times, drawn at random, "
        "pictures with all their questions.",
    ),
    click.option(
        "--images",
        type=click.Choice(["reencode", "original"]),
        help="Send JPEGs as the published tool does, or as stored.",
    ),
    click.option(
        "--dialect", type=click.Choice(["neuralmagic", "mistral", "official"]), help="Whose reading of the metrics."
    ),
    click.option("-o", "--output", metavar="FOLDER", help="Where runs and the samples store live; runs by default."),
    click.option(
        "--fresh", is_flag=True, default=None, help="Ask everything again; earlier answers stay in the store."
    ),
    click.option(
        "--allow-overlong",
        is_flag=True,
        default=None,
        help="Go on although the largest prompt does not fit the model's context.",
    ),
    click.option(
        "--min-recovery",
        type=float,
        metavar="PERCENT",
        help="Judge: the candidate has to keep so much. Exit 0 recovered, 1 degraded, 3 undecided, 4 incomplete.",
    ),
    click.option(
        "--max-failed", type=float, metavar="SHARE", help="Share of samples that may lack a pair; 0.01 by default."
    ),
    click.option(
        "--accept-difference",
        "accept_differences",
        multiple=True,
        metavar="KEY",
        help="A difference between the models that is intended, such as chat_template; repeat it.",
    ),
    click.option(
        "--noise-floor",
        type=click.IntRange(min=1),
        metavar="N",
        help="Ask the baseline N samples of each task twice, to see what changes by itself.",
    ),
    click.option(
        "--published",
        multiple=True,
        metavar="FILE",
        help="A card or TOML table with published figures of the baseline, to hold its scores against; repeat it.",
    ),
    click.option(
        "--unsafe-exec",
        is_flag=True,
        default=None,
        help="Run generated code without a sandbox, on a machine that has none.",
    ),
    click.option("--endpoint", "endpoints", multiple=True, metavar="MODEL=URL", help="Use a server that already runs."),
    click.option(
        "--endpoint-is",
        "endpoint_is",
        multiple=True,
        metavar="MODEL=REVISION",
        help="Vouch for what that server serves: its answers are used again by every run that names the same revision.",
    ),
    click.option(
        "--served-as",
        "served_as",
        multiple=True,
        metavar="MODEL=NAME",
        help="Another name by which that server may speak of the model, such as a gateway's dated one.",
    ),
    click.option("--vllm-python", metavar="PYTHON", help="The interpreter that has vLLM, if not this one."),
    click.option(
        "--vllm",
        multiple=True,
        metavar="RELEASE",
        help="Serve with this release, such as 0.32.0, in an environment that evalkit makes; MODEL=RELEASE for one.",
    ),
    click.option(
        "--profile",
        type=click.Choice(["throughput", "published"]),
        help="Serving flags: vLLM's own batch size, or the published card's.",
    ),
    click.option(
        "--serve-arg",
        "serve_args",
        multiple=True,
        metavar="FLAG=VALUE",
        help="A flag for vLLM, such as max-model-len=4096.",
    ),
    click.option(
        "--serve-env", "serve_env", multiple=True, metavar="NAME=VALUE", help="A variable for vLLM's environment."
    ),
    click.option(
        "--trust-remote-code", is_flag=True, default=None, help="Let the model repository run code of its own."
    ),
    click.option("--window", type=click.IntRange(min=1), metavar="N", help="Requests under way at once."),
    click.option(
        "--patience",
        type=click.FloatRange(min=0),
        metavar="SECONDS",
        help="How long a server that refuses for now (429, 502 to 504, no connection) is asked again; 600 by default.",
    ),
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Results as one JSON object on standard output, progress as JSON lines on standard error.",
    ),
)


def options(function: Any) -> Any:
    """Give a command the options of ``run``."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@click.command("run", help="Compare a baseline with its candidates: serve each, run the same tasks, report recovery.")
@options
def command(config_file: Path | None, *, as_json: bool, **given: Any) -> int:
    """Run and show."""
    from evalkit.config import run_config  # noqa: PLC0415 - --help must not wait for it

    settled = run_config.resolved(mapping(config_file), str(config_file), given)
    return carry_out(settled, as_json=as_json)


def mapping(file: Path | None) -> dict[str, Any]:
    """What the config file holds."""
    return {} if file is None else textfile.toml(file)


def carry_out(settled: Config, *, as_json: bool) -> int:
    """Run, show the table, and return the exit code."""
    from evalkit.cli.display import display  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.run import run  # noqa: PLC0415

    interruptible()
    try:
        with library_log(Path(settled.output)), display(as_json=as_json) as say:
            finished = run(settled, say)
    except KeyboardInterrupt:
        stopped("stopped; every answer so far is stored: run the same command again to continue")
        return ExitCode.INTERRUPTED
    _show(finished, as_json=as_json)
    if finished.lost is not None:
        raise finished.lost
    return finished.report.outcome.exit_code


def interruptible() -> None:
    """Give a scheduler's SIGTERM and a closed terminal the same orderly end as Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What came ignored, as under nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _tables(built: Report) -> Iterator[tuple[list[str], list[list[str]]]]:
    """What a terminal has room for: the scores, the traits of answers that changed, noise, and what was published."""
    from evalkit import report  # noqa: PLC0415

    yield report.table(built)
    head, traits = report.drift_table(built)
    for table in ((head, [row for row in traits if row[-1]]), report.noise_table(built), report.published_table(built)):
        if table[1]:
            yield table


def _show(finished: Finished, *, as_json: bool) -> None:
    from evalkit import report  # noqa: PLC0415

    if as_json:
        sys.stdout.write(report.results_text(finished.report))
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    first = [(text, "bold") for text in finished.report.outcome.lines]
    first += [(f"before you read on: {text}", "yellow") for text in finished.report.doubts]
    for text, style in [*first, *((text, "") for text in report.sentences(finished.report))]:
        console.print(Text(printable(text), style=style))
    for head, body in _tables(finished.report):
        table = Table(*[escape(cell) for cell in head], box=None, pad_edge=False)
        for at in range(2, len(head)):
            table.columns[at].justify = "right"
        for row in body:
            table.add_row(*[Text(printable(cell)) for cell in row], style="bold" if row[1] == report.AVERAGE else "")
        console.print(table)
    for sentence in report.completeness(finished.report):
        console.print(Text(printable(sentence)))
    if finished.nothing_to_do:
        console.print("nothing to do: every outcome was in the store")
    elif finished.reused:
        console.print(f"asked {finished.asked}, reused {finished.reused} from the store")
    console.print(Text(f"report: {finished.folder / 'report.html'}"), soft_wrap=True)
