"""``evalkit run``: the main job."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from evalkit.base.errors import ExitCode
from evalkit.base.printable import printable
from evalkit.cli import completing
from evalkit.cli.ending import stopped
from evalkit.cli.library_log import library_log
from evalkit.config import options as declared
from evalkit.config.option import Group
from evalkit.files import textfile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from evalkit.config.option import Option
    from evalkit.config.run_config import Config
    from evalkit.runs.run import Finished

_TYPES: dict[str, Any] = {
    "text": str,
    "texts": str,
    "pairs": str,
    "files": str,
    "releases": str,
    "flags": str,
    "file": click.Path(dir_okay=False, path_type=Path),
    "count": click.IntRange(min=1),
    "number": click.FLOAT,
}

_COMPLETED: dict[str, Any] = {"--task": completing.tasks, "--suite": completing.suites}


class Grouped(click.Command):
    """A command whose help has the declared options in groups, then its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, a list for each group."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in get_args(Group)}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                known = declared.BY_NAME.get(parameter.name or "")
                groups.setdefault(known.group if known else "Other", []).append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


def having(chosen: Sequence[Option]) -> Callable[[Any], Any]:
    """Give a command some of the declared options."""

    def with_options(function: Any) -> Any:
        for one in reversed(chosen):
            function = _click(one)(function)
        return function

    return with_options


options = having(declared.OPTIONS)
"""Give a command the options of ``run``."""


def _click(one: Option) -> Any:
    """An option as click takes it; what is not given is None, or nothing of several."""
    words = [*([one.short] if one.short else []), one.flag, one.name]
    if one.kind == "switch":
        return click.option(*words, is_flag=True, default=None if one.place else False, help=one.help)
    if one.kind == "choice":
        return click.option(*words, type=click.Choice(one.choices), help=one.help)
    of, completed = _TYPES[one.kind], _COMPLETED.get(one.flag)
    if one.least is not None:
        of = click.IntRange(min=int(one.least)) if one.kind == "count" else click.FloatRange(min=one.least)
    return click.option(
        *words, type=of, multiple=one.several, metavar=one.form or None, help=one.help, shell_complete=completed
    )


@click.command(
    "run", cls=Grouped, help="Compare a baseline with its candidates: serve each, run the same tasks, report recovery."
)
@options
def command(config_file: Path | None, *, as_json: bool, quiet: bool, **given: Any) -> int:
    """Run and show."""
    from evalkit.config import run_config  # noqa: PLC0415 - --help must not wait for it

    settled = run_config.resolved(mapping(config_file), str(config_file), given)
    measured_by = _measured_by(config_file, given) if config_file else ""
    return carry_out(settled, as_json=as_json, quiet=quiet, measured_by=measured_by)


def mapping(file: Path | None) -> dict[str, Any]:
    """What the config file holds."""
    return {} if file is None else textfile.toml(file)


def _measured_by(file: Path, given: Mapping[str, Any]) -> str:
    """`evalkit perf` with the same file, and with what the command line said beside it."""
    from evalkit.config.given import as_mapping  # noqa: PLC0415 - --help must not wait for these
    from evalkit.report import performance_command  # noqa: PLC0415

    return performance_command({"config": str(file), **as_mapping(given)}, here=True)


def carry_out(settled: Config, *, as_json: bool, quiet: bool = False, measured_by: str = "") -> int:
    """Run, show the table and the command that comes next, and return the exit code.

    Args:
        settled: What is run.
        as_json: Whether programs read what is printed.
        quiet: Whether nothing is told of how far it is.
        measured_by: The command that measures the same models; by default the config's own.
    """
    from evalkit.cli.display import display  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.run import run  # noqa: PLC0415

    interruptible()
    try:
        with library_log(Path(settled.output)), display(as_json=as_json, quiet=quiet) as say:
            finished = run(settled, say)
    except KeyboardInterrupt:
        stopped("stopped; every answer so far is stored: run the same command again to continue")
        return ExitCode.INTERRUPTED
    _show(finished, as_json=as_json)
    if not as_json and (words := _next(finished, settled, measured_by)):
        click.echo(f"next: {words}")
    if finished.lost is not None:
        raise finished.lost
    return finished.report.outcome.exit_code


def _next(finished: Finished, settled: Config, measured_by: str) -> str:
    """What makes the rest of a model card: measuring what the candidates save, or the card where that is done."""
    from evalkit import report, serve  # noqa: PLC0415 - --help must not wait for these

    if not settled.candidates:
        return ""
    if finished.report.performance is not None:
        elsewhere = ["--runs", settled.output] if settled.output != "runs" else []
        return shlex.join(["evalkit", "card", finished.id, *elsewhere])
    return measured_by or report.performance_command(serve.shown_config(settled), here=True)


def interruptible() -> None:
    """Give a scheduler's SIGTERM and a closed terminal the same orderly end as Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What came ignored, as under nohup, stays ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _show(finished: Finished, *, as_json: bool) -> None:
    from evalkit import report  # noqa: PLC0415

    if as_json:
        sys.stdout.write(report.results_text(finished.report))
        return
    from rich.text import Text  # noqa: PLC0415

    from evalkit.cli.display import results_console  # noqa: PLC0415
    from evalkit.cli.tables import print_tables  # noqa: PLC0415

    console = results_console()
    first = [(text, "bold") for text in finished.report.outcome.lines]
    first += [(f"before you read on: {text}", "yellow") for text in finished.report.doubts]
    for text, style in [*first, *((text, "") for text in report.sentences(finished.report))]:
        console.print(Text(printable(text), style=style))
    print_tables(finished.report, console)
    for sentence in report.completeness(finished.report):
        console.print(Text(printable(sentence)))
    if finished.nothing_to_do:
        console.print("nothing to do: every outcome was in the store")
    elif finished.reused:
        console.print(f"asked {finished.asked}, reused {finished.reused} from the store")
    console.print(Text(f"report: {finished.folder / 'report.html'}"), soft_wrap=True)
