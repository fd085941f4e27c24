"""TCP ports of this machine: a free one, and who listens on one."""

from __future__ import annotations

import socket
import threading
from typing import Final

import psutil

HOST: Final = "127.0.0.1"
"""Servers are reachable from this machine alone."""

_REACHED: Final = {HOST, "0.0.0.0", "::", f"::ffff:{HOST}"}  # noqa: S104 - compared, not bound
"""Addresses whose listeners a connection to ``HOST`` may reach."""


_given: Final[set[int]] = set()
_turn: Final = threading.Lock()
_TRIES: Final = 100


def free_port() -> int:
    """A port of ``HOST`` that nobody listens on, and that this process was not given before.

    Whoever binds it first has it: who it was is checked afterwards. Two servers that start at the same time must not
    be told the same one: vLLM may set ``SO_REUSEPORT``, and each would then answer for the other.
    """
    with _turn:
        for _ in range(_TRIES):
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind((HOST, 0))
                port = int(probe.getsockname()[1])
            if port not in _given:
                break
        _given.add(port)
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` of ``HOST`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that are still closing are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def listeners(port: int) -> list[int | None]:
    """Process ids of everyone who listens on ``port`` of ``HOST``, None for one that belongs to another user.

    There can be several: vLLM may set ``SO_REUSEPORT``, and the system then deals connections out among them.
    Where the system keeps the table from us (macOS), the processes of this user are asked one by one.
    """
    try:
        return [entry.pid for entry in psutil.net_connections("tcp") if _listens(entry, port)]
    except psutil.AccessDenied:
        every = psutil.process_iter()
        return [process.pid for process in every if any(_listens(entry, port) for entry in _connections(process))]


def _listens(entry: psutil._ntuples.sconn | psutil._ntuples.pconn, port: int) -> bool:
    address = tuple(entry.laddr)
    return entry.status == psutil.CONN_LISTEN and any(address == (host, port) for host in _REACHED)


def _connections(process: psutil.Process) -> list[psutil._ntuples.pconn]:
    try:
        return process.net_connections("tcp")
    except psutil.Error:
        return []


def holder(port: int) -> str:
    """Who listens on ``port``, in words for an error."""
    names = []
    for pid in listeners(port):
        try:
            names.append("a process of another user" if pid is None else f"pid {pid} ({psutil.Process(pid).name()})")
        except psutil.Error:
            names.append(f"pid {pid}")
    return ", ".join(dict.fromkeys(names)) or "another process"
