"""``evalkit fetch``: everything that a run would take from the network, ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.base.errors import EvalkitError, ExitCode
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option

if TYPE_CHECKING:
    from evalkit.base.types import Task


@click.command("fetch", help="Fill the caches ahead of time: published prompts, and with --rows the data sets.")
@click.option("--suite", help="A list of tasks, such as pixtral-card (the default).")
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="A task's name or TOML file; repeat it.")
@click.option("--tasks-dir", multiple=True, type=click.Path(path_type=Path), help="A folder with tasks of your own.")
@task_code_option
@click.option("--rows", is_flag=True, help="Download the data as well (the default suite's are 40 GB).")
def command(suite: str | None, tasks: tuple[str, ...], tasks_dir: tuple[Path, ...], *, rows: bool) -> int:
    """Fetch what can be fetched; one line a task, and the first error's exit code when something could not."""
    from evalkit.tasks import registry  # noqa: PLC0415 - --help must not wait for it

    code = ExitCode.FINE
    for task in registry.chosen(tasks, suite, tasks_dir):
        try:
            click.echo(f"{task.name}: {_fetched(task, rows=rows)}")
        except EvalkitError as error:
            # The other tasks may still be had: go on, and say at the end that not all is well.
            notice(f"{task.name}: {error.message}; {error.fix}")
            code = code or error.exit_code
    return code


def _fetched(task: Task, *, rows: bool) -> str:
    from evalkit import harnesses  # noqa: PLC0415

    return harnesses.harness(task).fetch(task, click.echo, rows=rows)
