"""The command line: the one place that turns errors into text and an exit code."""

from __future__ import annotations

import io
import sys
from importlib import import_module

import click

from evalkit import __version__
from evalkit.errors import ConfigError, EvalkitError, ExitCode, near_miss

# Command name -> module of this package and its one-line help. A table, so that --help imports no command.
COMMANDS = {
    "run": ("run", "Compare a baseline with its candidates."),
    "plan": ("plan", "What a run would do, take and be able to see, without starting anything."),
    "demo": ("demo", "The same on this machine: small models, no GPU, no network."),
    "score": ("score", "Score answers made elsewhere."),
    "audit": ("audit", "Check the arithmetic of a published model card."),
    "compare": ("compare", "Compare scores made elsewhere, or two runs."),
    "report": ("report", "Render a run's report again, from the store alone."),
    "export": ("export", "A run's samples as parquet, CSV or JSON lines."),
    "view": ("view", "Every run, and any sample of it, on a local page."),
    "history": ("history", "How recovery moved from run to run."),
    "tasks": ("tasks", "List tasks, or show one."),
    "fetch": ("fetch", "Fill the caches ahead of time: prompts and data."),
    "doctor": ("doctor", "Examine this machine and say what is missing."),
    "completion": ("completion", "Print the shell completion script."),
}


_READER_GONE = 128 + 13
"""What a shell says of a program whose reader has left (SIGPIPE); no verdict has this code."""


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
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table's own help lines, which cost no import."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evalkit")
def cli() -> None:
    """What did quantization cost, and can I trust the number?

    Exit codes: 0 fine, 1 gate failed, 2 usage or config, 3 undecided, 4 not comparable or incomplete,
    5 infrastructure.
    """


def main() -> None:
    """Run the command line and leave with the exit code that the outcome deserves."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal of another encoding, or a name that holds half a character, is no reason to lose the rest.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Abort:
        _say("stopped")
        code = ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except EvalkitError as error:
        _explain(error)
        code = error.exit_code
    except SystemExit as left:
        # The reader of our output has gone (`evalkit tasks | head`): click leaves with 1, which here says "degraded".
        # With 0 it leaves when a shell has asked how to complete a word.
        code = _READER_GONE if left.code else ExitCode.FINE
    sys.exit(int(code or 0))


def _explain(error: EvalkitError) -> None:
    """One line for what is wrong and how to mend it, a line for each where it is several; the evidence under it."""
    # A configuration has a line for each key that is wrong. Any other message may quote texts with lines of their own.
    problems = error.message.splitlines() if isinstance(error, ConfigError) else [error.message]
    for number, problem in enumerate(problems, start=1):
        fix = f"; {error.fix}" if error.fix and number == len(problems) else ""
        _say(" ".join(f"error: {problem}{fix}".split()))
    if error.evidence:
        _say(error.evidence.rstrip())


def _say(text: str) -> None:
    click.echo(text, err=True)
