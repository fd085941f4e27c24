"""``evalkit tools``: the environments that evalkit makes for what it starts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode

if TYPE_CHECKING:
    from evalkit.serve.tools import Environment

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object or list on standard output.")


@click.group(
    "tools",
    invoke_without_command=True,
    help="List the environments that evalkit has made, with their sizes and last use; `make` and `remove` them.",
)
@_JSON
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List, unless a subcommand was named."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@command.command("list", help="List them.")
@_JSON
def list_command(*, as_json: bool) -> None:
    """List."""
    _list(as_json=as_json)


@command.command("make", help="Make an environment with TOOL (vllm, llmcompressor or guidellm), unless it is there.")
@click.argument("tool")
@click.option("--release", default="", metavar="RELEASE", help="Such as 0.32.0; the default release otherwise.")
@_JSON
def make(tool: str, release: str, *, as_json: bool) -> int:
    """Make one, and say where it is."""
    from evalkit.cli.display import display  # noqa: PLC0415
    from evalkit.cli.run import interruptible  # noqa: PLC0415
    from evalkit.config.run_config import Serving  # noqa: PLC0415
    from evalkit.serve import tools  # noqa: PLC0415 - --help must not wait for these

    wanted = tools.recipe(tool, tools.computing_on(Serving()), release)
    interruptible()
    with display(as_json=as_json) as say:
        made = tools.make(wanted, say)
    click.echo(json.dumps(_object(made)) if as_json else f"{made.name}: {made}")
    return ExitCode.FINE


@command.command("remove", help="Remove the environment called NAME (the beginning of its name is enough).")
@click.argument("name")
@_JSON
def remove(name: str, *, as_json: bool) -> None:
    """Remove one."""
    from evalkit.serve import tools  # noqa: PLC0415

    gone = tools.remove(name)
    click.echo(json.dumps(_object(gone)) if as_json else f"removed {gone.name} ({tools.gigabytes(gone.size_bytes)})")


def _list(*, as_json: bool) -> None:
    from evalkit.serve import tools  # noqa: PLC0415

    made = tools.environments()
    if as_json:
        click.echo(json.dumps([_object(one) for one in made]))
        return
    if not made:
        click.echo(f"no environment has been made yet; `evalkit tools make {tools.VLLM}` makes one in {tools.home()}")
        return
    head = "name", "tool", "Python", "size", "made", "last used"
    lines = [head, *map(_cells, made)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    click.echo(f"in {tools.home()}")


def _cells(one: Environment) -> tuple[str, ...]:
    from evalkit.serve.tools import gigabytes  # noqa: PLC0415

    size = gigabytes(one.size_bytes)
    return one.name, f"{one.distribution} {one.release}", one.python, size, _day(one.made), _day(one.used)


def _object(one: Environment) -> dict[str, Any]:
    return {**asdict(one), "folder": str(one.folder), "interpreter": str(one.interpreter), "used": one.used}


def _day(moment: str) -> str:
    return moment[:16].replace("T", " ")
