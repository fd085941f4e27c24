"""Commands, from what click knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from evalkit.cli import cli
from reference.declared import UndocumentedError
from reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, in the order of ``evalkit --help``; below a group its own."""
    with click.Context(cli, info_name="evalkit") as context:
        for name in cli.list_commands(context):
            yield from _below(f"evalkit {name}", cast("click.Command", cli.get_command(context, name)))


def text() -> str:
    """A section for each command.

    Raises:
        UndocumentedError: An option has no help.
    """
    return "\n\n".join(_section(name, command) for name, command in commands())


def options(command: click.Command) -> list[click.Option]:
    """The options of a command that are its own."""
    own = [one for one in command.params if isinstance(one, click.Option)]
    return [one for one in own if not one.hidden and one.name not in {"debug", "help"}]


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for under, one in command.commands.items():
            yield from _below(f"{name} {under}", one)


def _section(name: str, command: click.Command) -> str:
    if not command.help:
        raise UndocumentedError(f"{name}: give the command a help text")
    with click.Context(command, info_name=name) as context:
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        rows = [_row(name, option, context) for option in options(command)]
    parts = [f"## {name}", "\n\n".join(_paragraphs(command.help)), f"```text\n{usage}\n```"]
    if rows:
        parts.append(table(["option", "meaning", "default"], rows))
    return "\n\n".join(parts)


def _paragraphs(help_text: str) -> list[str]:
    return [" ".join(part.replace("\b", "").split()) for part in help_text.split("\n\n")]


def _row(name: str, option: click.Option, context: click.Context) -> list[str]:
    if not option.help:
        raise UndocumentedError(f"{name} {option.opts[-1]}: give the option a help text")
    names = ", ".join(code(word) for word in [*option.opts, *option.secondary_opts])
    argument = "" if option.is_flag or option.count else f" {_argument(option, context)}"
    meaning = option.help.rstrip(".") + "."
    default = option.default if isinstance(option.default, str | int | float) and not option.is_flag else ""
    return [names + argument, ("Required. " if option.required else "") + meaning, code(str(default))]


def _argument(option: click.Option, context: click.Context) -> str:
    if isinstance(option.type, click.Choice):
        return ", ".join(code(str(choice)) for choice in option.type.choices)
    return code(option.make_metavar(ctx=context) if option.metavar is None else option.metavar)
