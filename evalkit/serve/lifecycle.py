"""A server for one model: started, waited for until it is really ours and healthy, and always stopped."""

from __future__ import annotations

import asyncio
import shlex
import threading
import time
from typing import TYPE_CHECKING, Final, NoReturn

import psutil

from evalkit.base.errors import EvalkitError, InfrastructureError, ServerFailedError, UsageError
from evalkit.client import control
from evalkit.processes import orphans
from evalkit.processes.group import MARK, Group, lives, new_mark, spawn
from evalkit.processes.watcher import Watcher
from evalkit.serve import diagnosis, inherited, launch, ports, stages
from evalkit.serve.gpus import gpus

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from evalkit.base.types import Model
    from evalkit.config.run_config import Serving

_FIRST_POLL_S: Final = 0.02
_POLL_S: Final = 0.25
_DEATH_POLL_S: Final = 0.1
_LOG_TAIL_BYTES: Final = 2**20
"""Enough for the tracebacks of all of vLLM's processes."""
_LAST_LINES: Final = 20
_LONGEST_LINE: Final = 400
_RELEASE_PATIENCES: Final = 3
"""A driver may need longer to take memory back than a process needs to stop: so many times the patience for that."""
_REFUSES: Final = "see serve.args, serve.env and serve.command for what asks for a key or moves its addresses"
_RELEASE_TOLERANCE_MIB: Final = 256
_HERE: Final = ports.Door()


class Server:
    """One start of one model's server, as a context manager: inside it, the server is ready at ``url``.

    ``say(state, detail)`` hears: starting, downloading, loading weights, warming up, capturing graphs, opening the
    port, ready, stopping, stopped.
    """

    def __init__(
        self,
        serving: Serving,
        model: Model,
        log: Path,
        say: Callable[[str, str], None] = lambda _state, _detail: None,
        door: ports.Door = _HERE,
    ) -> None:
        self.model, self.log = model, log
        self.served_name = launch.served_name(model)
        self.command: list[str] = []
        self._serving, self._say, self._door = serving, say, door
        self._port = 0
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._group: Group | None = None
        self._engines: list[psutil.Process] = []
        self._watcher: Watcher | None = None
        self._gpu_before: dict[str, int] = {}
        self._stopping = threading.Event()
        self._ending = threading.Lock()

    @property
    def url(self) -> str:
        """Where the server answers."""
        return self._door.url(self._port)

    @property
    def pid(self) -> int | None:
        """Process id of the server; None before it is started."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        """Start and wait until the server is ready.

        Raises:
            ServerFailedError: It ended, stood still or took too long; the error says why and what to do.
            UsageError: The settings, the interpreter, the port or the log's folder cannot be used.
        """
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self.stop_quietly()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; an error of the stop never hides the one that ended the block."""
        if error is None:
            self.stop()
        else:
            self.stop_quietly()

    def alive(self) -> bool:
        """Whether the server's process runs, and with it every process of vLLM's that was there when it got ready.

        vLLM itself takes some seconds to notice that one of its processes is gone, and answers with errors meanwhile.
        """
        return self._process is not None and self._process.poll() is None and all(map(lives, self._engines))

    async def died(self) -> None:
        """Return as soon as the server is no longer ``alive``, within a fifth of a second."""
        while self.alive():  # noqa: ASYNC110 - only asking the system tells of another process's end
            await asyncio.sleep(_DEATH_POLL_S)

    def diagnose(self) -> diagnosis.Diagnosis:
        """Why the server ended, from its log and its exit status."""
        log, status = self._tail(), self._process.poll() if self._process else None
        gone = [] if status is not None else [one.pid for one in self._engines if not lives(one)]
        return diagnosis.classify(log + "".join(f"\nprocess {pid} died unexpectedly\n" for pid in gone), status)

    def last_words(self) -> str:
        """Evidence for an error: what the log says, its last lines, where it is, and the command to run by hand."""
        lines = [line for line in self._tail().replace("\r", "\n").splitlines() if line.strip()]
        quote = self.diagnose().quote
        if quote and not any(quote in line for line in lines[-_LAST_LINES:]):
            # vLLM's processes complain about each other at length after the one that knows has spoken.
            lines = [*lines[:-_LAST_LINES], quote, "...", *lines[-_LAST_LINES + 2 :]]
        shown = [line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} ..." for line in lines[-_LAST_LINES:]]
        variables = [f"{name}={value}" for name, value in launch.shown(self._serving).items()]
        left_out = [word for name in inherited.dropped(self._serving.env) for word in ("-u", name)]
        by_hand = shlex.join(["env", *left_out, *variables, *self.command])
        return "\n".join([*(shown or ["(the log is empty)"]), "", f"log: {self.log}", f"by hand: {by_hand}"])

    def stop(self) -> None:
        """End the server and everything it started, and wait until its GPU memory is free. Harmless when it is done.

        May be called from another thread while the server starts; the start then ends with an error.

        Raises:
            InfrastructureError: Something of it lives even after SIGKILL.
        """
        self._stopping.set()
        with self._ending:
            if self._group is None or self._process is None:
                self._stop_watching()
                return
            self._say("stopping", f"pid {self._process.pid}")
            left = self._group.end(self._serving.stop_patience_s)
            self._process.poll()
            if left:
                pids = ", ".join(map(str, left))
                raise InfrastructureError(
                    f"{self.served_name}: the server cannot be stopped, pids {pids} live after SIGKILL",
                    fix="end them as root, or wait: they hang in a system call (a GPU driver, a network disk)",
                )
            orphans.remove_note(self.log)
            self._stop_watching()
            self._group = None
            self._say("stopped", self._wait_for_memory())

    def kill(self) -> None:
        """End it at once, also while ``stop`` is patient in another thread."""
        if (group := self._group) is not None:
            group.kill()

    @property
    def _visible(self) -> str | None:
        """The GPUs that it may use, where they were chosen: others may be in use by others."""
        return self._serving.env.get("CUDA_VISIBLE_DEVICES")

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None

    def stop_quietly(self) -> None:
        """Stop while another error is on its way; what cannot be stopped is said, not raised."""
        try:
            self.stop()
        except EvalkitError as error:
            self._say("not stopped", error.message)

    def _start(self) -> None:
        serving, host = self._serving, self._door.host
        if serving.port and not ports.is_free(serving.port, host):
            raise UsageError(
                f"port {serving.port} is taken by {ports.holder(serving.port, host)}",
                fix="end it, choose another port, or leave serve.port out: a free one is then found",
            )
        self._port = serving.port or ports.free_port(host)
        self.command = launch.command(serving, self.model, self._port, host)
        if launch.device(serving) == "gpu":
            self._gpu_before = {gpu.uuid: gpu.used_mib for gpu in gpus(self._visible)}
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._say("starting", "")
        mark = new_mark()
        if self._door.key:
            control.remember_key(self.url, self._door.key)
        self._watcher = Watcher(self.log, mark)
        # A note before the start and one after it: whenever evalkit is killed, its server can be found.
        orphans.write_note(self.log, self.command, mark)
        try:
            variables = {**launch.surroundings(serving), **self._door.variables, MARK: mark}
            self._process = spawn(self.command, variables, self.log)
        except UsageError:
            orphans.remove_note(self.log)
            raise
        try:
            leader = psutil.Process(self._process.pid)
            created = leader.create_time()
        except psutil.Error:
            leader, created = None, time.time()  # It has ended already; the group may still have members.
        self._group = Group(self._process.pid, created, mark)
        self._watcher.tell(self._process.pid, created)
        orphans.write_note(self.log, self.command, mark, leader)

    def _wait_until_ready(self) -> None:
        began = still_since = time.monotonic()
        size, told = -1, ("starting", "")
        while not self._is_ready():
            now = time.monotonic()
            written = self.log.stat().st_size
            if written != size:
                size, still_since = written, now
                reached = stages.stage(self._tail())
                if reached != told:
                    told = reached
                    self._say(*reached)
            if self._stopping.is_set():
                self._fail("it was stopped while it started", "run the same command again")
            if not self.alive():
                self._fail_as_diagnosed()
            if now - still_since > self._serving.stall_s:
                self._fail(
                    f"its log stood still for {self._serving.stall_s:g} s while {told[0]}",
                    "if the machine is merely slow, raise serve.stall_s; otherwise see the log",
                )
            if now - began > self._serving.start_timeout_s:
                self._fail(
                    f"it was not ready after {self._serving.start_timeout_s:g} s (still {told[0]})",
                    "if it only needs longer, as for a large download, raise serve.start_timeout_s; or see the log",
                )
            # Often at first, so that what starts in a moment is not kept waiting.
            self._stopping.wait(min(_POLL_S, _FIRST_POLL_S + (now - began) / 10))
        self._say("ready", f"{self.url}, after {time.monotonic() - began:.0f} s")

    def _is_ready(self) -> bool:
        """Alive, healthy, alone on the port, and serving our model."""
        if not self.alive() or self._group is None or not control.healthy(self.url, timeout_s=2.0):
            return False
        if not self._group.owns(ports.listeners(self._port, self._door.host)):
            if not self.alive():
                return False  # Its own death explains more than the stranger on the port does.
            stranger = ports.holder(self._port, self._door.host)
            self._fail(
                f"port {self._port} is answered by {stranger}, not by the server that was started",
                "run the same command again: a free port is looked for each time",
            )
        try:
            names = [entry["id"] for entry in control.served_models(self.url, timeout_s=5.0)]
        except control.NotNowError:
            return False
        except InfrastructureError as error:
            # It is up, and ours, and says no: waiting changes nothing.
            self._fail(f"it is up but refuses to be asked: {error.message}", _REFUSES)
        if self.served_name not in names:
            self._fail(
                f"it serves {', '.join(names) or 'no model'}, not {self.served_name}",
                "check serve.command and serve.args",
            )
        self._engines = self._group.engines()
        return self.alive()

    def _fail_as_diagnosed(self) -> NoReturn:
        found = self.diagnose()
        self._fail(found.reason, found.fix)

    def _fail(self, reason: str, fix: str) -> NoReturn:
        self._say("did not start", reason)
        raise ServerFailedError(
            f"{self.served_name}: the server did not start: {reason}", fix=fix, evidence=self.last_words()
        )

    def _tail(self) -> str:
        """The end of what this start has written; an earlier start's part of the log is never read."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_start, file.seek(0, 2) - _LOG_TAIL_BYTES))
                return file.read(_LOG_TAIL_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def _wait_for_memory(self) -> str:
        """Wait until the GPUs hold no more than before the start; in words what they hold when the patience ends."""
        deadline = time.monotonic() + _RELEASE_PATIENCES * self._serving.stop_patience_s
        while self._gpu_before:
            kept = {
                gpu.index: gpu.used_mib - self._gpu_before[gpu.uuid]
                for gpu in gpus(self._visible)
                if gpu.used_mib > self._gpu_before.get(gpu.uuid, gpu.used_mib) + _RELEASE_TOLERANCE_MIB
            }
            if not kept:
                break
            if time.monotonic() > deadline:
                held = ", ".join(f"GPU {index} {mib / 1024:.1f} GiB" for index, mib in kept.items())
                return f"more GPU memory is in use than before the start: {held}"
            time.sleep(_POLL_S)
        return ""
