"""A command that is run to its end beside us, and of which nothing is left, however it or we end."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

from evalkit.base.errors import InfrastructureError
from evalkit.processes.group import MARK, Group, new_mark, spawn
from evalkit.processes.orphans import remove_note, write_note
from evalkit.processes.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_POLL_S: Final = 0.5
_PATIENCE_S: Final = 5.0
"""Between SIGTERM and SIGKILL, for what a command leaves behind."""
_TAIL_BYTES: Final = 2**14


def run(
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    deadline_s: float,
    look: Callable[[str], bool] = lambda _: True,
) -> int | None:
    """Run a command as a group of processes of its own; returns its exit status, None when it was ended.

    However this ends, everything that the command has started is gone afterwards: when it ends by itself and leaves
    workers behind, when it takes too long, when evalkit is interrupted, and, by the watcher, when evalkit is killed.

    Args:
        command: The program and its arguments.
        env: All of its variables.
        log: What it writes is appended here.
        deadline_s: How long it may take.
        look: Called now and then with the end of what it has written; False ends it.

    Raises:
        UsageError: The program does not exist, or the log cannot be written.
        InfrastructureError: Something of it lives even after SIGKILL.
    """
    before = log.stat().st_size if log.exists() else 0
    mark = new_mark()
    watcher = Watcher(log, mark)
    group = Group(None, 0.0, mark)
    running: subprocess.Popen[bytes] | None = None
    try:
        write_note(log, command, mark)
        running = spawn(command, {**env, MARK: mark}, log)
        leader, created = _leader(running.pid)
        group = Group(running.pid, created, mark)
        watcher.tell(running.pid, created)
        write_note(log, command, mark, leader)
        until = time.monotonic() + deadline_s
        while (status := running.poll()) is None and time.monotonic() < until and look(tail(log, before)):
            group.remember()
            with suppress(subprocess.TimeoutExpired):
                running.wait(_POLL_S)
        return status
    finally:
        left = group.end(_PATIENCE_S)
        if running is not None:
            running.poll()  # Nobody else collects it.
        if not left:
            remove_note(log)
        watcher.close()
        if left:
            pids = ", ".join(map(str, left))
            raise InfrastructureError(
                f"{command[0]}: what it has started cannot be ended, pids {pids} live after SIGKILL",
                fix="end them as root, or wait: they hang in a system call",
            )


def _leader(pid: int) -> tuple[psutil.Process | None, float]:
    """A process and when it began; None and now of one that has ended already: what it has started may live."""
    try:
        leader = psutil.Process(pid)
        return leader, leader.create_time()
    except psutil.Error:
        return None, time.time()


def tail(log: Path, begin: int = 0) -> str:
    """The end of what was written to a log from ``begin`` on, in bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(begin, file.seek(0, 2) - _TAIL_BYTES))
            return file.read(_TAIL_BYTES).decode("utf-8", "replace").replace("\r", "\n")
    except OSError:
        return ""
