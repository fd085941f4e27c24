"""``evalkit completion``: the script that a shell needs for completing commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from evalkit.cli import cli

PROGRAM = "evalkit"


@click.command("completion", help="Print the completion script of a shell, for its start-up file.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    script = found(cli, {}, PROGRAM, "_EVALKIT_COMPLETE").source()
    # To bash a colon ends a word, so that it would complete what stands behind `lm-eval:` alone.
    click.echo(f"COMP_WORDBREAKS=${{COMP_WORDBREAKS//:}}\n{script}" if shell == "bash" else script)
