"""A process of its own that judges answers: started when needed and replaced when it dies.

It runs a module of evalkit that takes one JSON object a line on standard input and answers each with one on standard
output.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import evalkit
from evalkit.base.errors import SandboxError

if TYPE_CHECKING:
    from evalkit.base.types import Json

_DEADLINE_S: Final = 600.0
"""For one order, where nothing else is said."""
_CHUNK: Final = 2**16


class JudgeDiedError(Exception):
    """The process ended, or did not answer, at an order; another one is there for the next."""

    def __init__(self, reason: str, *, late: bool = False) -> None:
        super().__init__(reason)
        self.late = late


class JudgeProcess:
    """One such process, for one thread."""

    def __init__(self, module: str) -> None:
        """Start it, by the module's name, with the first order."""
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""

    @property
    def is_fresh(self) -> bool:
        """Whether the next order is the first of its process."""
        return self._process is None

    def ask(self, order: dict[str, Json], deadline_s: float = _DEADLINE_S) -> dict[str, Json]:
        """The answer to an order.

        Raises:
            JudgeDiedError: There is none, or none in time; ``late`` tells which.
            SandboxError: The process cannot be started.
        """
        process = self._process or self._start()
        try:
            line = self._exchange(process, json.dumps(order).encode() + b"\n", deadline_s)
        except (OSError, TimeoutError) as error:
            self.close()
            raise JudgeDiedError(str(error), late=isinstance(error, TimeoutError)) from error
        return json.loads(line)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process."""
        process, self._process, self._read = self._process, None, b""
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        package = str(Path(evalkit.__file__).resolve().parent.parent)
        path = [package, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONWARNINGS": "ignore"},
                bufsize=0,
            )
        except OSError as error:
            raise SandboxError(f"no process for judging can be started ({error})", fix="free some memory") from error
        os.set_blocking(self._process.stdin.fileno(), False)  # type: ignore[union-attr]
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], order: bytes, deadline_s: float) -> bytes:
        """Write an order and read one line; both ends of the pipes are watched, so neither side waits for ever."""
        assert process.stdin is not None  # noqa: S101 - it was opened as a pipe
        assert process.stdout is not None  # noqa: S101
        sink, source, ends = process.stdin.fileno(), process.stdout.fileno(), time.monotonic() + deadline_s
        left = memoryview(order)
        while b"\n" not in self._read:
            readable, writable, _ = select.select([source], [sink] if left else [], [], max(0, ends - time.monotonic()))
            if not readable and not writable:
                raise TimeoutError("no answer in time")
            if writable:
                left = left[os.write(sink, left[:_CHUNK]) :]
            if readable:
                said = os.read(source, _CHUNK)
                if not said:
                    raise OSError(f"the process left with {process.wait()}")
                self._read += said
        line, _, self._read = self._read.partition(b"\n")
        return line
