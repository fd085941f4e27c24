"""TCP ports of this machine: a free one, who listens on one, and the door that a server opens."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import Final

import psutil

HOST: Final = "127.0.0.1"
"""Servers are reachable from this machine alone, unless others are to ask them."""

_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
"""Addresses whose listeners a connection to any address of the machine may reach."""


@dataclass(frozen=True, slots=True)
class Door:
    """Where a server listens, and whom it lets in."""

    host: str = HOST
    """An address of the machine that it runs on, IPv4."""
    key: str = ""
    """What whoever asks has to show; empty where everybody may ask.

    vLLM wants it under ``/v1``, ``/v2``, ``/inference`` and ``/cohere`` alone. Others, such as ``/invocations`` and
    ``/tokenize``, stay open: whoever reaches the port can use the model.
    """

    def url(self, port: int) -> str:
        """The address of a server that listens there."""
        return f"http://{self.host}:{port}"

    @property
    def variables(self) -> dict[str, str]:
        """What vLLM is told of it, beside flags: a key on a command line can be read by every user of the machine."""
        return {"VLLM_API_KEY": self.key} if self.key else {}


_given: Final[set[int]] = set()
_turn: Final = threading.Lock()
_TRIES: Final = 100


def free_port(host: str = HOST) -> int:
    """A port of ``host`` that nobody listens on, and that this process was not given before.

    Whoever binds it first has it: who it was is checked afterwards. Two servers that start at the same time must not
    be told the same one: vLLM may set ``SO_REUSEPORT``, and each would then answer for the other.
    """
    with _turn:
        for _ in range(_TRIES):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind((host, 0))
                port = int(probe.getsockname()[1])
            if port not in _given:
                break
        _given.add(port)
        return port


def is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on ``port`` of ``host`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def listeners(port: int, host: str = HOST) -> list[int | None]:
    """Process ids of everyone who listens on ``port`` of ``host``, None for one that belongs to another user.

    There can be several: vLLM may set ``SO_REUSEPORT``, and the system then deals connections out among them.
    Where the system keeps the table from us (macOS), the processes of this user are asked one by one.
    """
    try:
        return [entry.pid for entry in psutil.net_connections("tcp") if _listens(entry, host, port)]
    except psutil.AccessDenied:
        every = psutil.process_iter()
        return [process.pid for process in every if any(_listens(entry, host, port) for entry in _connections(process))]


def _listens(entry: psutil._ntuples.sconn | psutil._ntuples.pconn, host: str, port: int) -> bool:
    address = tuple(entry.laddr)
    return entry.status == psutil.CONN_LISTEN and any(address == (one, port) for one in {host, f"::ffff:{host}", *_ANY})


def _connections(process: psutil.Process) -> list[psutil._ntuples.pconn]:
    try:
        return process.net_connections("tcp")
    except psutil.Error:
        return []


def holder(port: int, host: str = HOST) -> str:
    """Who listens on ``port``, in words for an error."""
    names = []
    for pid in listeners(port, host):
        try:
            names.append("a process of another user" if pid is None else f"pid {pid} ({psutil.Process(pid).name()})")
        except psutil.Error:
            names.append(f"pid {pid}")
    return ", ".join(dict.fromkeys(names)) or "another process"
