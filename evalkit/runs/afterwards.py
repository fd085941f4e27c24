"""When a run has ended: its results are sent to trackers, and a webhook hears of it. Nothing here makes a run fail."""

from __future__ import annotations

import os
from threading import Thread
from typing import TYPE_CHECKING, Final

import requests

from evalkit import trackers
from evalkit.base.errors import EvalkitError
from evalkit.base.events import Stage
from evalkit.base.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalkit.base.events import Say
    from evalkit.config.after import After

VARIABLE: Final = "EVALKIT_NOTIFY"
"""Names the webhook where neither an option nor a key does."""
_PATIENCE_S: Final = 15.0
"""So long a webhook may take, names and redirects included."""
_ONE_STEP_S: Final = 10.0
_JOBS: Final = ("CI_JOB_URL", "BUILDKITE_BUILD_URL", "BUILD_URL")
"""Where GitLab, Buildkite and Jenkins say what page a job has."""


def forewarn(after: After, say: Say) -> None:
    """Say before anything is asked which trackers will not get the results."""
    for name in after.track:
        if lacking := trackers.missing(name):
            say(Stage(f"warning: {lacking}, so the results will not go there; pip install 'evalkit[{name}]'"))


def finished(after: After, folder: Path, lines: Sequence[str], say: Say) -> None:
    """Send a finished run's results on its way.

    Args:
        after: What is wanted.
        folder: The run's.
        lines: What the run comes to.
        say: Hears what was sent, and what could not be.
    """
    for name in after.track:
        try:
            say(Stage(f"sent to {trackers.send(name, folder)}"))
        except EvalkitError as error:
            say(Stage(f"warning: {error.message}; {error.fix}"))
    _tell(after, [*lines, _link(folder)], say)


def failed(after: After, error: EvalkitError, say: Say) -> None:
    """Tell the webhook that a run ended without a report."""
    _tell(after, [f"evalkit ended without a report: {error.message}", *_page()], say)


def _tell(after: After, lines: Sequence[str], say: Say) -> None:
    url = after.notify or os.environ.get(VARIABLE, "")
    if not url:
        return
    answers: list[str] = []
    # A server that sends a byte now and then would keep a single request for ever.
    thread = Thread(target=lambda: answers.append(_post(url, "\n".join(map(_plain, lines)))), daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    if fault := (answers or [f"no answer within {_PATIENCE_S:.0f} s"])[0]:
        say(Stage(f"warning: the webhook was not told: {fault}"))


def _post(url: str, text: str) -> str:
    """Send; what went wrong, in words without the address."""
    try:
        # To nowhere else: a redirect could lead the text into a network that the webhook's owner does not see.
        reply = requests.post(url, json={"text": text}, timeout=_ONE_STEP_S, allow_redirects=False, stream=True)
        reply.close()
    except (requests.RequestException, ValueError) as error:
        return type(error).__name__
    return "" if reply.ok and not reply.is_redirect else f"HTTP {reply.status_code}"


def _plain(line: str) -> str:
    """A line as Slack shows it: a label cannot call a channel or make a link."""
    return one_line(line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _link(folder: Path) -> str:
    """Where to look: the page of the job that this is, and else the report's path."""
    return next(_page(), str((folder / "report.html").absolute()))


def _page() -> Iterator[str]:
    known = os.environ
    if known.get("GITHUB_RUN_ID"):
        yield f"{known.get('GITHUB_SERVER_URL')}/{known.get('GITHUB_REPOSITORY')}/actions/runs/{known['GITHUB_RUN_ID']}"
    yield from (known[name] for name in _JOBS if known.get(name))
