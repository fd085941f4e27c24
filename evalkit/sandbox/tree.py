"""The processes under a process: who they are, how much memory they hold, and the end of all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from evalkit.base.errors import SandboxError

_PATIENCE_S: Final = 10.0
"""A killed process is gone at once, unless the system holds it in a call."""
_PROC: Final = Path("/proc")


def descendants(root: int) -> dict[int, int]:
    """Process id to resident bytes of everything under ``root``, itself excluded."""
    parents = _everyone() if sys.platform == "linux" else _everyone_slowly()
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in parents.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, int] = {}
    front = children.get(root, [])
    while front:
        found |= {pid: parents[pid][1] for pid in front}
        front = [child for pid in front for child in children.get(pid, []) if child not in found]
    return found


def _everyone() -> dict[int, tuple[int, int]]:
    """Process id to (parent, resident bytes), in one short read per process."""
    found = {}
    page = os.sysconf("SC_PAGE_SIZE")
    for name in os.listdir(_PROC):  # noqa: PTH208 - names are all that is wanted, of thousands
        if name.isdecimal():
            with suppress(OSError):
                # The command stands in brackets and may itself hold any character.
                fields = (_PROC / name / "stat").read_bytes().rpartition(b")")[2].split()
                found[int(name)] = int(fields[1]), int(fields[21]) * page
    return found


def _everyone_slowly() -> dict[int, tuple[int, int]]:
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            found[process.pid] = process.ppid(), process.memory_info().rss
    return found


def resident(pids: dict[int, int], enough: int) -> int:
    """Bytes that processes hold together; where the plain sum passes ``enough``, shared pages are counted once."""
    total = sum(pids.values())
    if total <= enough:
        return total
    return sum(_own_share(pid, plain) for pid, plain in pids.items())


def _own_share(pid: int, plain: int) -> int:
    """Proportional share of a process in its pages, or its plain resident size where the system does not tell."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return plain


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill all under ``process`` and then itself, and collect it.

    The guard of a sandbox without walls adopts what its program leaves behind, so it must go last.

    Raises:
        SandboxError: Something is still there after ten seconds of killing.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        below = descendants(process.pid)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            # Stopped first: a program that forks without end must not outrun the killing.
            for pid in below:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if not below:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    if process.poll() is None:
        raise SandboxError(
            f"process {process.pid} of a sandbox could not be ended",
            fix="end it by hand; the system holds it in a call",
        )
