"""Experiment trackers that a run's results are sent to, each by its own library and its own settings.

A tracker is a module with one function, ``keep``; what it is given is the same for all (`tracked_run`).
"""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Final, Protocol, cast

from evalkit.base.errors import EvalkitError, InfrastructureError, UsageError
from evalkit.base.printable import one_line
from evalkit.trackers.tracked_run import TrackedRun

if TYPE_CHECKING:
    from pathlib import Path

_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+@")
_MOST: Final = 300


class Tracker(Protocol):
    """A module that knows one tracker's library."""

    def keep(self, run: TrackedRun) -> str:
        """Keep the run, in the place of an earlier copy of it; returns where it can be looked at."""


def send(name: str, folder: Path) -> str:
    """Send the results in a run's folder to a tracker; returns where they can be looked at.

    Args:
        name: One of ``config.after.TRACKERS``.
        folder: The run's.

    Raises:
        UsageError: The tracker is not installed, or the folder has no results.
        InfrastructureError: The tracker did not take them.
    """
    if lacking := missing(name):
        raise UsageError(lacking, fix=f"pip install 'evalkit[{name}]'")
    run = TrackedRun.of(folder)
    try:
        # Libraries greet on standard output, where a result is expected.
        with redirect_stdout(StringIO()):
            tracker = cast("Tracker", import_module(f"evalkit.trackers.to_{name}"))
            return tracker.keep(run)
    except EvalkitError:
        raise
    except Exception as error:  # the library's own, of any kind
        said = _PASSWORD.sub("", one_line(f"{type(error).__name__}: {error}"))[:_MOST]
        again = f"evalkit export {run.id} --to {name}"
        raise InfrastructureError(f"{name} did not take the run: {said}", fix=f"mend it, then: {again}") from error


def missing(name: str) -> str:
    """That a tracker is not installed, in a line; empty where it is."""
    return "" if find_spec(name) else f"{name} is not installed"
