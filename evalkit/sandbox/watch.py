"""The outside of a sandbox: feeds a guarded program, reads what it writes within bounds, and ends it in time.

Nothing here waits for the program's good will: pipes are read and written only when they are ready, every wait has an
end, and a pipe that something keeps open does not matter, since the guard says when the run is over.
"""

from __future__ import annotations

import math
import os
import selectors
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import SandboxError
from evalkit.sandbox import tree
from evalkit.sandbox.limits import Ended, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK: Final = 2**16
_STDERR_TAIL: Final = 2**13
_SETUP_S: Final = 60.0
"""The guard needs a tenth of a second; on an overloaded machine it may need long."""
_TEARDOWN_S: Final = 5.0
_LOOK_S: Final = 0.1
"""Between two looks at the program's processes."""
_LOOKING_SHARE: Final = 10
"""On a machine of many processes a look takes long: at most a tenth of the time goes into looking."""
_SPARE_PROCESSES: Final = 4
"""The guard and the processes above it, which are not the program's; the walls refuse the program's own earlier."""
_SURELY_CPU: Final = 0.5
"""Share of the limit. The system enforces CPU seconds by clock ticks and reports exact time; under load they differ."""
_SIGKILL: Final = 9
_SIGXCPU: Final = 24


class Watch:
    """One run: start the guard's command, keep to the limits, say how it ended."""

    def __init__(self, limits: Limits, *, walls: bool) -> None:
        """``walls``: the guard's end is the end of everything below it."""
        self._limits = limits
        self._walls = walls
        self._selector = selectors.DefaultSelector()
        self._output = bytearray()
        self._stderr = b""
        self._complained = 0
        self._overflow = False
        self._line = b""
        self._takers: dict[int, Callable[[bytes], None]] = {}
        self._broken = ""
        self._over = False
        self._deadline = time.monotonic() + _SETUP_S
        self._look_at = 0.0
        self._started: float | None = None
        self._ended: tuple[int, float, float] | None = None
        self._error = ""

    def run(self, command: Callable[[int, int], list[str]], orders: bytes, stdin: bytes) -> Ended:
        """Start ``command(control, status)``, give the guard its orders and the program its input, wait for the end.

        Raises:
            SandboxError: The guard could not build the walls or start the program.
        """
        pipes = [os.pipe() for _ in range(5)]
        (their_in, our_in), (our_out, their_out), (our_err, their_err), (control, our_orders), (our_status, status) = (
            pipes
        )
        theirs = [their_in, their_out, their_err, control, status]
        try:
            process = _start(command(control, status), (their_in, their_out, their_err), (control, status))
        except OSError as error:
            _close(our_in, our_out, our_err, our_orders, our_status)
            raise SandboxError(f"{error.filename or 'the sandbox'} could not be started ({error.strerror})") from error
        finally:
            _close(*theirs)
        try:
            self._feed(our_in, stdin)
            self._feed(our_orders, orders)
            self._listen(our_out, self._take_output)
            self._listen(our_err, self._take_stderr)
            self._listen(our_status, self._take_status)
            self._until_over(process)
        finally:
            tree.end(process)
            self._drain()
            for key in list(self._selector.get_map().values()):
                self._drop(key.fd)
            self._selector.close()
        return self._told()

    def _until_over(self, process: subprocess.Popen[bytes]) -> None:
        while not self._over and not self._broken:
            for key, _ in self._selector.select(min(_LOOK_S, max(0.0, self._deadline - time.monotonic()))):
                key.data(key.fd)
            self._keep_limits(process)
        if self._walls and not self._broken:
            # The guard has ended or is about to; with it goes all that is behind the walls.
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TEARDOWN_S)

    def _keep_limits(self, process: subprocess.Popen[bytes]) -> None:
        now = time.monotonic()
        self._over = self._over or process.poll() is not None
        if self._over:
            return
        if self._overflow:
            self._broken = "output"
        elif now >= self._deadline:
            self._broken = "time"
        elif self._started and now >= self._look_at:
            self._look(process.pid)
            self._look_at = now + max(_LOOK_S, _LOOKING_SHARE * (time.monotonic() - now))

    def _look(self, root: int) -> None:
        """The limits that no single process's own limits hold: memory and number of all of them together."""
        below = tree.descendants(root)
        if len(below) > self._limits.processes + _SPARE_PROCESSES:
            self._broken = "processes"
        elif tree.resident(below, self._limits.memory_bytes) > self._limits.memory_bytes:
            self._broken = "memory"

    def _feed(self, pipe: int, data: bytes) -> None:
        os.set_blocking(pipe, False)
        rest = memoryview(data)

        def write(_: int) -> None:
            nonlocal rest
            try:
                rest = rest[os.write(pipe, rest[:_CHUNK]) :]
            except BlockingIOError:
                return
            except BrokenPipeError:
                rest = rest[:0]
            if not rest:
                self._drop(pipe)

        self._selector.register(pipe, selectors.EVENT_WRITE, write if data else self._drop)

    def _listen(self, pipe: int, take: Callable[[bytes], None]) -> None:
        os.set_blocking(pipe, False)
        self._takers[pipe] = take
        self._selector.register(pipe, selectors.EVENT_READ, self._pull)

    def _pull(self, pipe: int) -> bool:
        """Take one chunk; False when there is none for now, or never will be."""
        try:
            chunk = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            self._drop(pipe)
            return False
        self._takers[pipe](chunk)
        return True

    def _drain(self) -> None:
        """Take what still lies in the pipes: its writers are dead, so it has an end, and the bounds hold anyway."""
        for pipe in self._takers:
            while pipe in self._selector.get_map() and not self._overflow and self._pull(pipe):
                pass

    def _drop(self, pipe: int) -> None:
        self._selector.unregister(pipe)
        os.close(pipe)

    def _take_output(self, chunk: bytes) -> None:
        if not self._output and self._started is not None:
            self._deadline = self._started + self._limits.wall_s
        room = self._limits.output_bytes - len(self._output)
        self._overflow = self._overflow or len(chunk) > room
        self._output += chunk[:room]

    def _take_stderr(self, chunk: bytes) -> None:
        self._complained += len(chunk)
        self._overflow = self._overflow or self._complained > self._limits.output_bytes
        self._stderr = (self._stderr + chunk)[-_STDERR_TAIL:]

    def _take_status(self, chunk: bytes) -> None:
        *lines, self._line = (self._line + chunk).split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "started":
                self._started = time.monotonic()
                self._deadline = self._started + min(self._limits.wall_s, self._limits.silent_s)
                self._look_at = self._started + _LOOK_S
            elif word == "ended":
                how, cpu, wall = rest.split()
                self._ended = int(how), float(cpu), float(wall)
                self._over = True
            else:
                self._error = self._error or rest

    def _told(self) -> Ended:
        if self._error or self._started is None:
            tail = self._stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise SandboxError(self._error or " ".join(tail) or f"no start within {_SETUP_S:.0f} s")
        killed_by, returncode, seconds = self._end()
        return Ended(
            returncode=returncode,
            output=bytes(self._output),
            overflow=self._overflow,
            timed_out=killed_by == "time",
            killed_by=killed_by,
            seconds=seconds,
            stderr=bytes(self._stderr),
        )

    def _end(self) -> tuple[str, int | None, float]:
        """What killed it, its exit status, its wall seconds."""
        if self._overflow:
            # Whether the program was still writing when that was seen is chance; that it broke the limit is not.
            self._broken = "output"
        how, cpu_s, seconds = self._ended or (_SIGKILL, 0.0, time.monotonic() - (self._started or 0.0))
        if self._broken:
            return self._broken, None, seconds
        if os.WIFEXITED(how):
            return "", os.WEXITSTATUS(how), seconds
        number = os.WTERMSIG(how)
        if number in {_SIGKILL, _SIGXCPU} and cpu_s >= _SURELY_CPU * math.ceil(self._limits.cpu_s):
            return "time", None, seconds
        return f"signal {number}", -number, seconds


def _start(command: list[str], streams: tuple[int, int, int], more: tuple[int, int]) -> subprocess.Popen[bytes]:
    """Start the guard with nothing of ours but its five pipes: no variable, no folder, no terminal."""
    return subprocess.Popen(
        command,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        pass_fds=more,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
        start_new_session=True,
    )


def _close(*pipes: int) -> None:
    for pipe in pipes:
        os.close(pipe)
