"""The web server of the viewer: on this machine alone, at a port that is free."""

from __future__ import annotations

import secrets
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from evalkit.view.access import Access
from evalkit.view.pages import Pages
from evalkit.view.templates import link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Viewer:
    """A viewer with its address; ``serve`` runs until it is interrupted."""

    def __init__(self, output: Path, say: Callable[[str], None], port: int = 0) -> None:
        """Take a port of 127.0.0.1, a free one for 0, to show the runs of ``output``.

        Raises:
            OSError: The port is taken.
        """
        # asyncio sends small pieces at once only where the socket names TCP: without, each page takes 40 ms more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        # From here on a browser may connect: it waits while the server starts.
        self._socket.listen(64)
        self._token = secrets.token_urlsafe(32)
        self.port = int(self._socket.getsockname()[1])
        self.pages = Pages(output, say)

    def address(self, run: str | None = None) -> str:
        """The address that opens the viewer, once: at one run, or at the list of all."""
        path = link("runs", run, token=self._token) if run else link(token=self._token)
        return f"http://127.0.0.1:{self.port}{path}"

    def serve(self) -> None:
        """Answer until SIGINT or SIGTERM."""
        # While samples are read in the background, a page gets its turn after 1 ms each time that it waits, not 5.
        sys.setswitchinterval(0.001)
        config = uvicorn.Config(
            Access(self.pages.app(), self.port, self._token),
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        uvicorn.Server(config).run(sockets=[self._socket])
