"""The life of a process group: start a command with a log of its own, know all that belongs to it, end all of it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import psutil

from evalkit.base.errors import UsageError, unwritable
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

MARK: Final = "EVALKIT_SERVER"
"""Variable by which a process that left the group is still known as ours; its descendants inherit it."""
_TITLE: Final = "VLLM::"
"""vLLM's own processes rename themselves, which makes their variables unreadable."""
_KILL_PATIENCE_S: Final = 10.0
"""A killed process is gone at once, unless the system holds it in a call (a GPU driver, a network disk)."""
_POLL_S: Final = 0.05


def new_mark() -> str:
    """A value of ``MARK`` that no other start has."""
    return uuid4().hex


def spawn(command: Sequence[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start ``command`` in a session of its own, with the variables ``env`` and no others.

    It appends its output to ``log`` itself, so nobody has to read along.

    A session of its own also keeps Ctrl-C from reaching the server before evalkit has finished its writing.

    Raises:
        UsageError: The program does not exist, or the log cannot be written.
    """
    try:
        private.folder(log.parent)
        output = private.descriptor(log, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise unwritable(log, error, "choose another --output folder") from error
    try:
        return subprocess.Popen(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise UsageError(
            f"{command[0]}: cannot be started ({error.strerror})",
            fix="set serve.python (--vllm-python) to the Python of the environment that has vLLM",
        ) from error
    finally:
        os.close(output)


class Group:
    """A started command and everything that it has started since, also what left its process group."""

    def __init__(self, pid: int | None, created: float, mark: str, *, noted: bool = False) -> None:
        """Know the group by its leader's pid and creation time, and by its mark.

        Args:
            pid: The leader's; None when it is not known, and the mark alone must do.
            created: When the leader was started, in seconds since 1970.
            mark: Value of ``MARK`` in the variables of everything that belongs to the group.
            noted: The group is known from a note of unknown age. Once its leader is gone, its number may have
                passed to unrelated processes, so the number alone then proves nothing.
        """
        self.pid, self.created, self.mark, self.noted = pid, created, mark, noted
        self._known: set[psutil.Process] = set()

    def remember(self) -> None:
        """Note the descendants there are now; worth doing while the leader lives, for what may leave the group."""
        leader = self._leader()
        if leader is not None:
            try:
                # A new set each time: another thread may be reading the old one.
                self._known = self._known.union(leader.children(recursive=True))
            except psutil.Error:
                return

    def members(self, *, thorough: bool = True) -> list[psutil.Process]:
        """Every living process that belongs to the group. Only a thorough look reads all processes' variables."""
        found = {process for process in self._known if lives(process)}
        leader = self._leader()
        number_is_ours = leader is not None or not _lives_at(self.pid)
        for pid in psutil.pids():
            inside = number_is_ours and self.pid in _group_and_session(pid)
            process = _process(pid) if inside or thorough else None
            if process is None or process in found:
                continue
            proven = leader is not None or not self.noted or self._is_named_so(process)
            if (inside and proven) or (thorough and self._is_marked(process)):
                found.add(process)
        self._known = self._known | found
        return sorted(found, key=lambda process: process.pid)

    def engines(self) -> list[psutil.Process]:
        """VLLM's own processes below the leader, each of which the server cannot do without."""
        self.remember()
        return [process for process in self._known if lives(process) and self._is_named_so(process)]

    def end(self, patience_s: float) -> list[int]:
        """Ask everything to stop (SIGTERM), wait, kill what is left; the pids that even then live, normally none.

        Whoever interrupts the wait (a second Ctrl-C) wants it gone at once: everything is then killed.
        """
        self.remember()
        try:
            _signal(self.members(), signal.SIGTERM)
            if self._wait_until_empty(patience_s):
                return []
        except BaseException:
            _signal(self.members(), signal.SIGKILL)
            raise
        deadline = time.monotonic() + _KILL_PATIENCE_S
        while (left := self.members()) and time.monotonic() < deadline:
            # Again and again: a process that is being killed may have started another just before.
            _signal(left, signal.SIGKILL)
            self._wait_until_empty(1.0)
        return [process.pid for process in left]

    def kill(self) -> None:
        """SIGKILL to everything, also while ``end`` is patient in another thread."""
        _signal(self.members(), signal.SIGKILL)

    def owns(self, pids: Iterable[int | None]) -> bool:
        """Whether every one of ``pids``, at least one, belongs to the group."""
        self.remember()
        ours = {process.pid for process in self.members(thorough=False)}
        wanted = set(pids)
        return bool(wanted) and wanted <= ours

    def _wait_until_empty(self, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while self.members(thorough=False):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return not self.members()

    def _leader(self) -> psutil.Process | None:
        """The leader while it lives; None once it is gone, also when another process has its pid by now."""
        process = _process(self.pid)
        try:
            return process if process and abs(process.create_time() - self.created) < 2 else None
        except psutil.Error:
            return None

    def _is_named_so(self, process: psutil.Process) -> bool:
        try:
            return process.name().startswith(_TITLE)
        except psutil.Error:
            return False

    def _is_marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark
        except (psutil.Error, OSError):
            return False


def _process(pid: int | None) -> psutil.Process | None:
    """The living process with this pid."""
    try:
        process = psutil.Process(pid) if pid is not None else None
    except psutil.Error:
        return None
    return process if process and lives(process) else None


def _lives_at(pid: int | None) -> bool:
    return _process(pid) is not None


def lives(process: psutil.Process) -> bool:
    """Whether it is still this process that runs under its pid, and not as a zombie."""
    try:
        return process.is_running() and process.status() not in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
    except psutil.Error:
        return False


def _group_and_session(pid: int) -> tuple[int, int]:
    try:
        return os.getpgid(pid), os.getsid(pid)
    except OSError:
        return 0, 0


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.Error:
            continue
