"""One run of uv: its lines as they come, and its last words when it fails."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_LAST: Final = 20
"""Lines of a failed command that are kept."""
_STOP_PATIENCE_S: Final = 10
_CHATTER: Final = re.compile(r" [-+~] |\s*$|Using Python ")
"""uv lists every package that it has installed, one a line."""
_DOWNLOAD: Final = re.compile(r"\s*Download(?:ing|ed) (?P<name>\S+)(?: \((?P<mib>[\d.]+)MiB\))?")
_LARGE_MIB: Final = 50.0
"""Downloads from this size on are worth a line."""
_LONGEST: Final = 400


class CommandFailedError(Exception):
    """A command that makes an environment did not do what it should."""

    def __init__(self, command: Sequence[str], lines: Sequence[str]) -> None:
        """Keep the command as a person would type it, and what it said last."""
        super().__init__(command, lines)
        self.command = shlex.join(command)
        self.lines = tuple(lines[-_LAST:])

    @property
    def words(self) -> str:
        """Why it failed, in one line: uv's error and the innermost of its causes, or else the last line."""
        starts = [at for at, line in enumerate(self.lines) if re.match(r"\s*(error|cause): ", line)]
        if not starts:
            return "".join(self.lines[-1:]).strip() or "nothing"
        first, last = self.lines[starts[0]].strip().removeprefix("error: "), starts[-1]
        innermost = [] if last == starts[0] else [" ".join(self.lines[last:]).strip().removeprefix("cause: ")]
        return " ".join(": ".join([first, *innermost]).split())[:_LONGEST]


def binary() -> str:
    """Where uv is.

    Raises:
        InfrastructureError: Nowhere.
    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - only who makes an environment needs it

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise InfrastructureError("uv is missing, which makes evalkit's environments", fix="install evalkit again")
    return found


def unheard(line: str) -> None:
    """A listener for commands whose lines nobody waits for."""
    del line


def uv(
    words: Sequence[str], place: Path, tell: Callable[[str], None] = unheard, patience_s: float | None = None
) -> list[str]:
    """Run uv to its end; returns the lines that it wrote.

    Args:
        words: Its arguments.
        place: Where it runs: a folder without a project, whose settings uv would read.
        tell: Hears of each line that says how far it is.
        patience_s: After this time it is ended, and has failed.

    Raises:
        CommandFailedError: With its last words.
    """
    return follow([binary(), *words], place, tell, patience_s)


def follow(
    command: Sequence[str], place: Path, tell: Callable[[str], None] = unheard, patience_s: float | None = None
) -> list[str]:
    """Run any command as `uv` runs uv.

    Raises:
        CommandFailedError: With its last words.
    """
    # An active environment is not the one that is filled, and what else Python is told to load is not part of it.
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}}
    try:
        running = subprocess.Popen(
            command,
            cwd=place,
            env={**env, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise CommandFailedError(command, [f"cannot be started ({error.strerror})"]) from error
    late = threading.Event()
    clock = threading.Timer(patience_s or 0.0, _kill, (running, late))
    try:
        if patience_s:
            clock.start()
        lines = _lines(running, tell)
    except BaseException:
        _end(running)
        raise
    finally:
        clock.cancel()
    if running.returncode:
        raise CommandFailedError(command, [*lines, *_ending(running.returncode, patience_s if late.is_set() else None)])
    return lines


def _kill(running: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    running.kill()


def _lines(running: subprocess.Popen[str], tell: Callable[[str], None]) -> list[str]:
    lines, large = [], set()
    for raw in running.stdout or ():
        line = _PASSWORD.sub("***", printable(raw.rstrip()))
        lines.append(line)
        download = _DOWNLOAD.match(line)
        if download and float(download["mib"] or 0) >= _LARGE_MIB:
            large.add(download["name"])
        if not _CHATTER.match(line) and (not download or download["name"] in large):
            tell(line.strip())
    running.wait()
    return lines


def _ending(status: int, exceeded_s: float | None) -> list[str]:
    """What there is to say of an end that the command did not choose itself."""
    if exceeded_s is not None:
        return [f"error: no end after {exceeded_s:g} s"]
    return [f"error: ended by {signal.strsignal(-status) or -status}"] if status < 0 else []


def _end(running: subprocess.Popen[str]) -> None:
    running.terminate()
    try:
        running.wait(_STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()
