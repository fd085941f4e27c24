"""What a person sees while a run works: a live table on a terminal, plain lines elsewhere, JSON lines for machines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress as ProgressBars

from evalkit.cli.library_log import standard_error
from evalkit.cli.live_table import LiveTable
from evalkit.cli.plain_lines import Display, JsonDisplay, PlainLines, Quiet

if TYPE_CHECKING:
    from typing import TextIO

WHOLE_LINES = 10_000
"""Columns of what is no terminal, such as the log of a CI job: there, a line that is broken is found by no search."""


def display(*, as_json: bool, quiet: bool = False, stream: TextIO | None = None) -> Display:
    """The display that fits where the output goes: on standard error, which leaves standard output to the results.

    A job of CI has plain lines although its output may look like a terminal: what is redrawn there fills its log.
    """
    stream = stream or standard_error()
    if as_json or quiet:
        shown = JsonDisplay(stream) if as_json else PlainLines(stream)
        return Quiet(shown) if quiet else shown
    console = Console(file=stream)
    if not console.is_terminal or os.environ.get("CI"):
        return PlainLines(stream)
    return LiveTable(console)


def one_bar(*, as_json: bool = False) -> ProgressBars:
    """A bar that is gone when its work is done; for machines none."""
    console = Console(file=standard_error())
    return ProgressBars(console=console, transient=True, disable=as_json, redirect_stdout=False, redirect_stderr=False)


def results_console() -> Console:
    """Standard output for tables and sentences, as wide as its terminal is, or as they are."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=WHOLE_LINES)
