"""The option that names the folder of earlier runs, alike for every command that reads them."""

from __future__ import annotations

from pathlib import Path

import click

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
