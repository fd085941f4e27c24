"""What is alike for every command that reads earlier runs: where they are, their code, how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.base.events import Stage
from evalkit.cli.ending import notice

if TYPE_CHECKING:
    from evalkit.base.events import Event

runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Where the runs and their store are.",
)


def allow_task_code(context: click.Context, _: click.Parameter, value: bool) -> None:
    """Let Python of tasks folders run until the command has ended."""
    if value:
        # Here: `--help` must not wait for it.
        from evalkit.tasks import extensions  # noqa: PLC0415

        context.with_resource(extensions.allowing())


task_code_option = click.option(
    "--allow-task-code",
    is_flag=True,
    expose_value=False,
    callback=allow_task_code,
    help="Run the Python files beside tasks of your own: benchmarks, metrics and harnesses.",
)


def on_the_way(event: Event) -> None:
    """Say on standard error how far it is with what takes long."""
    if isinstance(event, Stage):
        notice(event.text)
