"""``evalkit tasks``: what can be run, and a task of one's own tried."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from evalkit.base.errors import UsageError
from evalkit.base.printable import printable
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option
from evalkit.cli.try_task import check, new, tasks_dir_option
from evalkit.files import textfile
from evalkit.tasks import extensions, registry
from evalkit.tasks.lm_eval import files, index, named
from evalkit.tasks.offers import offers

_SHOWN = 50
"""Names that a search prints unless all are wanted."""


@click.group(
    "tasks",
    invoke_without_command=True,
    help="List tasks and suites, and the benchmarks, metrics and harnesses that task files can name; "
    "`evalkit tasks show NAME` prints a task or a suite.",
)
@tasks_dir_option
@task_code_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List, unless a subcommand was named."""
    if context.invoked_subcommand is None:
        _list(context.obj, as_json=as_json)
    elif as_json:
        raise UsageError(
            f"--json before '{context.invoked_subcommand}'", fix="write it behind: evalkit tasks list --json"
        )


@command.command("list", help="List tasks and suites.")
@tasks_dir_option
@task_code_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_command(tasks_dir: tuple[Path, ...], *, as_json: bool) -> None:
    """List."""
    _list(tasks_dir, as_json=as_json)


@command.command("show", help="Print a task's or a suite's file, and where it is.")
@click.argument("name")
@tasks_dir_option
@task_code_option
@click.pass_obj
def show(tasks_dir: tuple[Path, ...], name: str) -> None:
    """Print the TOML itself: it is what a copy starts from."""
    if named.is_named(name):
        file = files.find(name.removeprefix(named.PREFIX)).path
        click.echo(f"# {file}")
        click.echo(textfile.text(file).rstrip())
        return
    suites = registry.suites(tasks_dir)
    found = suites[name] if name in suites else registry.find([name], tasks_dir)[0]
    click.echo(f"# {found.source}")
    click.echo(textfile.text(Path(found.source)).rstrip())


command.add_command(new)
command.add_command(check)


@command.command("search", help="Find WORD among the names of lm-eval's tasks, each of which --task lm-eval:NAME runs.")
@click.argument("word")
@click.option("--all", "every", is_flag=True, help="Print every name, not the first 50.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def search(word: str, *, every: bool, as_json: bool) -> None:
    """Print names with their kinds, the shortest first."""
    found = index.search(index.cached(files.folder(), files.release()), word)
    if as_json:
        click.echo(
            json.dumps({"lm_eval": files.release(), "found": [{"name": name, "kind": kind} for name, kind in found]})
        )
        return
    if not found:
        raise UsageError(
            f"lm-eval {files.release()} has no task with '{word}' in its name", fix="try a part of the word"
        )
    shown = found if every else found[:_SHOWN]
    width = max(len(name) for name, _ in shown)
    for name, kind in shown:
        click.echo(f"{name:<{width}}  {kind}")
    if len(shown) < len(found):
        click.echo(f"... and {len(found) - len(shown)} more: --all")


def _list(tasks_dir: tuple[Path, ...], *, as_json: bool) -> None:
    tasks, suites = registry.tasks(tasks_dir), registry.suites(tasks_dir)
    for error in registry.broken(tasks_dir):
        notice(f"left out: {error.message}" + (f"; {error.fix}" if error.fix else ""))
    parts = {extensions.KINDS[kind]: one for kind, one in offers(tasks_dir).items()}
    if as_json:
        found = {"tasks": [*map(asdict, tasks.values())], "suites": [*map(asdict, suites.values())]}
        click.echo(json.dumps(found | {name: [*map(asdict, some)] for name, some in parts.items()}))
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
    for name, some in parts.items():
        said = [f"{one.name} ({printable(one.source)})" if one.source else one.name for one in some]
        click.echo(f"{name} that a task file can name\n  {', '.join(said)}")
