"""``evalkit tasks``: what can be run, and a task of one's own tried."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from evalkit.base.errors import UsageError
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option
from evalkit.cli.try_task import check, new
from evalkit.files import textfile
from evalkit.tasks import registry


@click.group("tasks", invoke_without_command=True, help="List tasks and suites; `evalkit tasks show NAME` prints one.")
@click.option("--tasks-dir", multiple=True, type=click.Path(path_type=Path), help="A folder with tasks of your own.")
@task_code_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(context: click.Context, tasks_dir: tuple[Path, ...], *, as_json: bool) -> None:
    """List, unless a subcommand was named."""
    context.obj = tasks_dir
    if context.invoked_subcommand is None:
        _list(tasks_dir, as_json=as_json)
    elif as_json:
        raise UsageError(
            f"--json before '{context.invoked_subcommand}'", fix="write it behind: evalkit tasks list --json"
        )


@command.command("list", help="List tasks and suites.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_command(tasks_dir: tuple[Path, ...], *, as_json: bool) -> None:
    """List."""
    _list(tasks_dir, as_json=as_json)


@command.command("show", help="Print a task's or a suite's file, and where it is.")
@click.argument("name")
@click.pass_obj
def show(tasks_dir: tuple[Path, ...], name: str) -> None:
    """Print the TOML itself: it is what a copy starts from."""
    suites = registry.suites(tasks_dir)
    found = suites[name] if name in suites else registry.find([name], tasks_dir)[0]
    click.echo(f"# {found.source}")
    click.echo(textfile.text(Path(found.source)).rstrip())


command.add_command(new)
command.add_command(check)


def _list(tasks_dir: tuple[Path, ...], *, as_json: bool) -> None:
    tasks, suites = registry.tasks(tasks_dir), registry.suites(tasks_dir)
    for error in registry.broken(tasks_dir):
        notice(f"left out: {error.message}" + (f"; {error.fix}" if error.fix else ""))
    if as_json:
        found = {"tasks": list(map(asdict, tasks.values())), "suites": list(map(asdict, suites.values()))}
        click.echo(json.dumps(found))
        return
    width = max(map(len, [*tasks, *suites]))
    click.echo("tasks")
    for task in tasks.values():
        place = task.dataset.id or "own files"
        click.echo(
            f"  {task.name:<{width}}  {task.title}: {task.headline} ({task.dialect}), {place} {task.dataset.split}"
        )
    click.echo("suites")
    for suite in suites.values():
        click.echo(f"  {suite.name:<{width}}  {suite.title}: {', '.join(suite.tasks)}")
