"""The command line: the one place that turns errors into text and an exit code."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any

import click
from platformdirs import user_log_path

from evalkit import __version__
from evalkit.base.errors import ExitCode, near_miss
from evalkit.cli.ending import ending, stopped
from evalkit.cli.library_log import fill_closed_streams, libraries_apart
from evalkit.cli.once import refuse_repeated

# Command name -> module of this package and its one-line help. A table, so that --help imports no command.
COMMANDS = {
    "run": ("run", "Compare a baseline with its candidates."),
    "plan": ("plan", "What a run would do, take and be able to see, without starting anything."),
    "perf": ("perf", "What candidates save: latency, throughput and cost beside a baseline."),
    "demo": ("demo", "The same on this machine: small models, no GPU, no network."),
    "quantize": ("quantize", "Make a candidate of a model, with llm-compressor."),
    "score": ("score", "Score answers made elsewhere."),
    "audit": ("audit", "Check the arithmetic of a published model card."),
    "compare": ("compare", "Compare scores made elsewhere, or two runs."),
    "gate": ("gate", "Judge a stored run anew, by another policy."),
    "report": ("report", "Render a run's report again, from the store alone."),
    "card": ("card", "A candidate's model card: how it was made, what it kept, what it saves."),
    "export": ("export", "A run for others: samples as a table, results in a tracker, flips as pages."),
    "view": ("view", "Every run, and any sample of it, on a local page."),
    "history": ("history", "How recovery moved from run to run."),
    "tasks": ("tasks", "List tasks, or show one."),
    "fetch": ("fetch", "Fill the caches ahead of time: prompts and data."),
    "doctor": ("doctor", "Examine this machine and say what is missing."),
    "tools": ("tools", "The environments that evalkit has made: list, make, remove."),
    "completion": ("completion", "Print the shell completion script."),
}


class Commands(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module.

        Raises:
            UsageError: There is no such command.
        """
        if cmd_name not in COMMANDS:
            raise click.UsageError(f"no command '{cmd_name}'; {near_miss(cmd_name, COMMANDS)}", ctx)
        command: click.Command = import_module(f"evalkit.cli.{COMMANDS[cmd_name][0]}").command
        return _with_debug(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of these arguments.

        Raises:
            UsageError: There is no such command, or an option that takes one value is given two.
        """
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            refuse_repeated(command, name or "", ctx, rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Carry out the command.

        Raises:
            Exit: It was stopped. click itself would write a blank line first, also among JSON lines.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            stopped()
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table's own help lines, which cost no import."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _with_debug(command: click.Command) -> click.Command:
    """The command, and those below it, with the option that ``ending`` looks for."""
    if all(one.name != "debug" for one in command.params):
        text = "After a crash, print the traceback in place of keeping it in a file."
        command.params.append(click.Option(["--debug"], is_flag=True, expose_value=False, help=text))
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        _with_debug(below)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evalkit")
def cli() -> None:
    """What did quantization cost, and can I trust the number?

    Exit codes: 0 fine, 1 gate failed, 2 usage or config, 3 undecided, 4 not comparable or incomplete,
    5 infrastructure, or evalkit itself broke off.
    """


def main() -> None:
    """Run the command line and leave with the exit code that the outcome deserves."""
    fill_closed_streams()
    libraries_apart(user_log_path("evalkit"))
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal of another encoding, or a name that holds half a character, is no reason to lose the rest.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(ending(lambda: cli(standalone_mode=False)))
