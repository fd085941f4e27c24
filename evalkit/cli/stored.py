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
