"""A small process that ends a server when the evalkit that started it is gone, however it went: kill -9 included.

evalkit holds one end of a pipe, the watcher the other: the system closes evalkit's end with it. The watcher is told the
server's mark before the server is started, so there is no moment at which a server has nobody who watches.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from evalkit.files import scratch
from evalkit.processes import orphans
from evalkit.processes.group import Group

_POLL_S: Final = 0.5
_PATIENCE_S: Final = 2.0
"""Between SIGTERM and SIGKILL: nobody waits for the answers of such a server any more."""
_LOOKS: Final = 6
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]); from evalkit.processes.watcher import main; main(sys.argv[2:])"
)
"""``-m`` would look into the working folder first."""


class Watcher:
    """The watcher of one server, from before its start until after its end."""

    def __init__(self, log: Path, mark: str, folder: Path | None = None) -> None:
        """Start watching for whatever carries ``mark``; ``log`` is the server's, with the note beside it.

        Temporary folders in ``folder`` that nobody holds are removed afterwards, as the system's own are.
        """
        room = str(Path(__file__).resolve().parents[2])
        command = [sys.executable, "-P", "-c", _START, room, str(log.resolve()), mark, str(os.getpid())]
        command += [str(folder.resolve())] if folder else []
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            bufsize=0,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What is sent to evalkit's group, be it Ctrl-C or a kill, must not reach it.
            start_new_session=True,
        )

    def tell(self, pid: int, created: float) -> None:
        """Name the server's leader; vLLM's processes hide their mark, and are found by their group."""
        self._say(json.dumps({"pid": pid, "created": created}).encode() + b"\n")

    def close(self) -> None:
        """Stop watching: the server has ended. One that is only starting itself is not waited for."""
        self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()

    def _say(self, line: bytes) -> None:
        try:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._process.stdin.write(line)
        except OSError:
            return  # Somebody has killed it: the note beside the log is what is left then.


def main(words: list[str]) -> None:
    """Watch: ``LOG MARK PID [FOLDER]``; the pid is evalkit's own."""
    log, mark, parent = Path(words[0]), words[1], int(words[2])
    folders = [Path(word) for word in words[3:]]
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    said, over = b"", False
    while not over:
        ready, _, _ = select.select([0], [], [], _POLL_S)
        part = os.read(0, 4096) if ready else b""
        said += part
        # A process that evalkit has forked may hold its end of the pipe open; its own death shows all the same.
        over = (bool(ready) and not part) or os.getppid() != parent
    _end(log, mark, said)
    for folder in folders:
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove what evalkit held in a folder; one that was written to just now counts as somebody's for a while."""
    for _ in range(_LOOKS):
        scratch.sweep(folder)
        time.sleep(_POLL_S)


def _end(log: Path, mark: str, said: bytes) -> None:
    """End the server, and take back the note about it when nothing is left."""
    known: dict[str, Any] = json.loads(said.splitlines()[0]) if b"\n" in said else {}
    group = Group(known.get("pid"), known.get("created", 0.0), mark)
    left = group.end(_PATIENCE_S)
    if not known:
        # evalkit may have died between the two halves of a start: the server carries its mark a moment later.
        for _ in range(_LOOKS):
            time.sleep(_POLL_S)
            left = group.end(_PATIENCE_S)
    if not left:
        orphans.remove_note(log)
    scratch.sweep()
