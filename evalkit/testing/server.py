"""A small real HTTP server that speaks vLLM's surface, counts what it is asked, and can misbehave.

In a test, in a thread of its own::

    with ModelServer("tiny", part="500-then-fine") as server:
        ...                       # talk to server.url, or `evalkit run --endpoint tiny=URL`
    assert server.asked.total() == 2

It serves ``/health``, ``/version``, ``/v1/models`` and ``/v1/chat/completions`` over kept connections. An answer is
made from the digest of the request's body alone, so that a rerun gets the same answers. What a part does may depend on
how often the same body was asked before, never on the clock or on the order of arrival.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING, Self, TypeAlias
from urllib.parse import urlsplit

from evalkit.testing.replies import FOREVER, Asked, Part, Reply, as_json, error, part_named

if TYPE_CHECKING:
    from collections.abc import Callable

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ModelServer:
    """The server, in a thread of its own while the ``with`` block lasts. Its counts may be read at any time."""

    def __init__(
        self,
        model: str = "tiny",
        part: str | Part = "fine",
        *,
        delay_s: float = 0.0,
        health: int = 200,
        max_model_len: int = 4096,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        """Prepare to serve ``model``; every answer takes ``delay_s``. Port 0 is any free one."""
        self.model = model
        self.part = part_named(part) if isinstance(part, str) else part
        self.delay_s = delay_s
        self.health = health
        self.max_model_len = max_model_len
        self.address = address
        self.asked: Counter[str] = Counter()
        """Digest of a chat request's body to how often it came."""
        self.connections = 0
        """How many were made."""
        self.open = 0
        """How many there are now."""
        self.peak = 0
        """The most chat requests that were here at once."""
        self.on_asked: Callable[[Asked], None] = lambda _: None
        """Called in the server's thread with every chat request, before it is answered."""
        self._here = 0
        self._idle: set[asyncio.StreamWriter] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-server", daemon=True)

    @property
    def url(self) -> str:
        """Its address; the port is known once it listens."""
        return f"http://{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whoever is still connected."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def listen(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_server(self._serve, *self.address, backlog=1024)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def wait_until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Return as soon as ``holds()``, which may look at the counts.

        Raises:
            AssertionError: It takes too long.
        """
        with self._changed:
            if not self._changed.wait_for(holds, within_s):
                raise AssertionError(f"it did not come to that within {within_s} s")

    def close_idle(self) -> None:
        """Close every connection that carries no request now, as vLLM does after 5 s, and wait until they are gone."""
        for writer in list(self._idle):
            self._loop.call_soon_threadsafe(writer.close)
        self.wait_until(lambda: self.open == 0)

    def _count(self, **steps: int) -> None:
        with self._changed:
            for name, step in steps.items():
                setattr(self, name, getattr(self, name) + step)
            self.peak = max(self.peak, self._here)
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._count(connections=1, open=1)
        served = 0
        try:
            while True:
                self._idle.add(writer)
                request = await _read(reader)
                self._idle.discard(writer)
                if request is None or not await self._reply(request, served, (reader, writer)):
                    break
                served += 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side left, or the test is over
        finally:
            self._idle.discard(writer)
            writer.close()
            self._count(open=-1)

    async def _reply(self, request: tuple[str, bytes, str], served: int, streams: Streams) -> bool:
        """Answer one request; False when the connection shall close."""
        path, body, media = request
        reader, writer = streams
        if path != "/v1/chat/completions":
            return await _write(await self.other(path, body), writer)
        if media != "application/json":
            return await _write(error(415, "Unsupported Media Type: Only 'application/json' is allowed"), writer)
        digest = sha256(body).hexdigest()
        asked = Asked(path, body, self.model, self.asked[digest], served)
        self.asked[digest] += 1
        self._count(_here=1)
        try:
            self.on_asked(asked)
            named = json.loads(body).get("model")
            fits = named == self.model
            reply = self.part(asked) if fits else error(404, f"The model `{named}` does not exist.")
            await asyncio.sleep(self.delay_s)
            if reply.wait_s:
                # For ever is until the other side leaves.
                await (asyncio.sleep(reply.wait_s) if reply.wait_s < FOREVER else reader.read(1))
        finally:
            self._count(_here=-1)
        return await _write(reply, writer)

    async def other(self, path: str, body: bytes) -> Reply:
        """What is said to a request that is no chat."""
        del body
        if path == "/health":
            return Reply(self.health)
        if path == "/version":
            return as_json({"version": "0.32.0"})
        if path == "/v1/models":
            entry = {"id": self.model, "object": "model", "owned_by": "vllm", "max_model_len": self.max_model_len}
            return as_json({"object": "list", "data": [entry]})
        return as_json({"detail": "Not Found"}, status=404)


async def _read(reader: asyncio.StreamReader) -> tuple[str, bytes, str] | None:
    """Path, body and media type of the next request; None when the connection ends."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    # A client that speaks to a proxy names the whole address.
    path = urlsplit(first.split(" ")[1]).path
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return path, body, headers.get("content-type", "").partition(";")[0]


async def _write(reply: Reply, writer: asyncio.StreamWriter) -> bool:
    """Send; False when the reply wants the connection closed."""
    encoded = reply.encoded()
    writer.write(encoded if reply.bytes_sent == FOREVER else encoded[: int(reply.bytes_sent)])
    await writer.drain()
    while reply.endless:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()
    return reply.bytes_sent == FOREVER
