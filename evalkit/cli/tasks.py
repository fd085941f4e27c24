"""``evalkit tasks``: what can be run."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit import registry, textfile


@click.group("tasks", invoke_without_command=True, help="List tasks and suites; `evalkit tasks show NAME` prints one.")
@click.option("--tasks-dir", multiple=True, type=click.Path(path_type=Path), help="A folder with tasks of your own.")
@click.pass_context
def command(context: click.Context, tasks_dir: tuple[Path, ...]) -> None:
    """List, unless a subcommand was named."""
    context.obj = tasks_dir
    if context.invoked_subcommand is None:
        _list(tasks_dir)


@command.command("list", help="List tasks and suites.")
@click.pass_obj
def list_command(tasks_dir: tuple[Path, ...]) -> None:
    """List."""
    _list(tasks_dir)


@command.command("show", help="Print a task's or a suite's file, and where it is.")
@click.argument("name")
@click.pass_obj
def show(tasks_dir: tuple[Path, ...], name: str) -> None:
    """Print the TOML itself: it is what a copy starts from."""
    suites = registry.suites(tasks_dir)
    found = suites[name] if name in suites else registry.find([name], tasks_dir)[0]
    click.echo(f"# {found.source}")
    click.echo(textfile.text(Path(found.source)).rstrip())


def _list(tasks_dir: tuple[Path, ...]) -> None:
    tasks, suites = registry.tasks(tasks_dir), registry.suites(tasks_dir)
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
