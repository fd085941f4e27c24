"""The worker: started in its own environment, followed by what it tells, and gone when evalkit is."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from evalkit.base.errors import FullDiskError, InfrastructureError, UsageError
from evalkit.base.events import Stage
from evalkit.base.identity import decoded
from evalkit.base.printable import counted, printable
from evalkit.processes.group import MARK, Group, new_mark, spawn
from evalkit.processes.watcher import Watcher

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from typing import Any

    from evalkit.base.events import Say

WORKER: Final = Path(__file__).with_name("worker.py")
_REFUSED: Final = 3
"""How the worker leaves a job that cannot be done as it was given."""
_POLL_S: Final = 0.2
_TELL_EVERY_S: Final = 15.0
_PATIENCE_S: Final = 2.0
"""Between SIGTERM and SIGKILL: what a worker leaves is removed anyway."""
_LAST_LINES: Final = 12
_TAIL_BYTES: Final = 2**16
_LEFT_OUT: Final = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})
_OWN: Final = {
    # Everything that it reads is on this machine, and was recorded.
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}
_FULL: Final = ("No space left on device", "Disk quota exceeded", "os error 28")
_NO_MEMORY: Final = ("OutOfMemoryError", "out of memory", "MemoryError", "not enough memory")
_NO_TOOL: Final = ("No module named 'llmcompressor'", "No module named 'torch'")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the worker works."""

    python: str
    """Interpreter that has llm-compressor."""
    room: Path
    """Folder of its own, which is removed when nobody holds it any more."""
    log: Path


def carry_out(job: Path, events: Path, place: Place, say: Say) -> Mapping[str, Any]:
    """Have the job done; returns what the worker says of it in the end.

    Raises:
        UsageError: The worker refused the job, or cannot run.
        InfrastructureError: It died; the message says of what, as far as its log and its end tell.
    """
    mark = new_mark()
    env = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    watcher = Watcher(place.log, mark, place.room.parent)
    try:
        command = [place.python, "-P", str(WORKER), str(job)]
        started = _spawned(command, {**env, **_OWN, MARK: mark}, place.log)
        group = Group(started.pid, _created(started.pid), mark)
        watcher.tell(started.pid, group.created)
        told = _Following(events, say)
        try:
            while started.poll() is None:
                told.look()
                time.sleep(_POLL_S)
            told.look()
        finally:
            # Also what it started itself and has left behind.
            left = group.end(_PATIENCE_S)
            started.poll()
    finally:
        watcher.close()
    if left:
        pids = ", ".join(map(str, left))
        raise InfrastructureError(
            f"the worker cannot be stopped, pids {pids} live after SIGKILL", fix="end them as root"
        )
    if started.returncode == _REFUSED and "refused" in told.last:
        raise UsageError(
            f"not quantized: {told.last['refused']['reason']}", fix="correct --ignore, or choose another model"
        )
    if started.returncode or "done" not in told.last:
        raise _death(started.returncode, place, told)
    return told.last["done"]


def _spawned(command: list[str], env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    try:
        return spawn(command, env, log)
    except UsageError as error:
        raise UsageError(error.message, fix="name the Python of an environment that has llm-compressor") from error


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return time.time()  # it has ended already


def _death(status: int, place: Place, told: _Following) -> InfrastructureError | UsageError:
    """Why the worker ended before it was done."""
    lines = _last_lines(place.log)
    text = "\n".join(lines)
    evidence = "\n".join([*lines[-_LAST_LINES:], "", f"log: {place.log}"])
    if any(words in text for words in _NO_TOOL):
        return UsageError(
            f"{place.python} has no llm-compressor",
            fix="leave --python out: evalkit then makes an environment with it; or name one that has it",
            evidence=evidence,
        )
    if any(words in text for words in _FULL):
        return FullDiskError(
            f"{place.room.parent}: no room left while the worker was {told.stage}",
            fix="make room, then run the same command again",
            evidence=evidence,
        )
    if status == -signal.SIGKILL or any(words in text for words in _NO_MEMORY):
        gib = psutil.virtual_memory().total / 2**30
        killed = "was killed, as the system does when memory runs out" if status < 0 else "ran out of memory"
        return InfrastructureError(
            f"the worker {killed} while it was {told.stage} (this machine has {gib:.0f} GiB)",
            fix="the whole model has to fit into memory beside the calibration data: use a larger machine, or fewer "
            "--samples",
            evidence=evidence,
        )
    how = f"was ended by {signal.strsignal(-status) or -status}" if status < 0 else f"ended with status {status}"
    said = "" if status else " without a word that it was done"
    return InfrastructureError(
        f"the worker {how}{said} while it was {told.stage}", fix="see its last lines below", evidence=evidence
    )


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = printable(file.read().decode("utf-8", "replace"))
    except OSError:
        return []
    return [line[:400] for line in text.splitlines() if line.strip()]


class _Following:
    """Reads what the worker tells, and passes on what a person wants to know."""

    def __init__(self, events: Path, say: Say) -> None:
        self.last: dict[str, Mapping[str, Any]] = {}
        """The latest of each kind of event."""
        self.stage = "starting"
        self._events, self._say, self._read = events, say, 0
        self._layer, self._began, self._told = 0, 0.0, 0.0
        say(Stage("loading llm-compressor"))

    def look(self) -> None:
        """Take what is new."""
        for one in self._new():
            kind = str(one.pop("event", ""))
            self.last[kind] = one
            with suppress(KeyError, TypeError, ZeroDivisionError):
                self._take(kind, one)

    def _new(self) -> Iterator[dict[str, Any]]:
        try:
            with self._events.open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):
                found = decoded(line)
                if isinstance(found, dict):
                    yield found

    def _take(self, kind: str, one: Mapping[str, Any]) -> None:
        if kind == "started":
            self._tell("loading the model")
        elif kind == "loaded":
            of, layers = ", ".join(one["sequential_targets"]), counted(one["layers"], "decoder layer")
            self._tell(f"quantizing {counted(one['modules'], 'linear layer')} in {layers} ({of})")
        elif kind == "calibration":
            out = f"; longer than allowed and left out: {one['left_out']}" if one["left_out"] else ""
            self._tell(f"calibrating with {counted(one['samples'], 'chat')}{out}")
        elif kind == "layer":
            self._tell_layer(one)
        elif kind == "writing":
            self._tell("writing the checkpoint")

    def _tell(self, stage: str) -> None:
        self.stage, self._told = stage, time.monotonic()
        self._say(Stage(stage))

    def _tell_layer(self, one: Mapping[str, Any]) -> None:
        """A line for each new layer, and now and then one in between."""
        now, first = time.monotonic(), one["layer"] != self._layer
        if not self._layer:
            self._began = now
        self._layer = one["layer"]
        words = f"quantizing layer {one['layer']} of {one['layers']}"
        if one["of"]:
            doing = "measuring" if one["measuring"] else "passing on"
            words += f": {doing} {one['done']} of {counted(one['of'], 'chat')}{self._left(one, now)}"
        self.stage = words
        if first or now - self._told >= _TELL_EVERY_S:
            self._tell(words)

    def _left(self, one: Mapping[str, Any], now: float) -> str:
        """The time left, once a whole layer has shown how long one takes."""
        passes = (one["layer"] - 1) * 2 + (0 if one["measuring"] else 1)
        done = (passes * one["of"] + one["done"]) / (one["layers"] * 2 * one["of"])
        if one["layer"] < 2:
            return ""
        seconds = (now - self._began) * (1 - done) / done
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"
