"""A small real HTTP server that speaks vLLM's surface, counts what it is asked, and can misbehave.

In a test, in a thread of its own::

    with ModelServer("tiny", part="500-then-fine") as server:
        ...                       # talk to server.url
    assert server.asked.total() == 2

or as a program, in the place of ``python -m vllm.entrypoints.openai.api_server`` (vLLM's own flags are accepted, and
those that mean nothing here are ignored)::

    python tests/support/servers.py --model tiny --port 8000 --part faults:7 --journal asked.txt

It serves ``/health``, ``/version``, ``/v1/models`` and ``/v1/chat/completions`` over kept connections. An answer is
made from the digest of the request's body alone, so that a rerun gets the same answers. What a part does may depend on
how often the same body was asked before, never on the clock or on the order of arrival.

Parts, by name (``PARTS``); an argument follows a colon:

==================  ====================================================================================
``fine``            answers
``says:PATH``       answers with what the file says at that moment
``status:CODE``     always that status, with an error as vLLM words it (``status:404``)
``500-then-fine``   500 when a body comes for the first time, then an answer
``429-then-fine:S`` 429 with ``Retry-After: S`` when a body comes for the first time, then an answer
``429:S``           429 with ``Retry-After: S``, always
``empty``           200 without a body
``no-json``         200 with a page
``no-choices``      200 with ``choices: []``
``null-content``    200 with ``content: null``
``wrong-model``     200 that names another model
``half-body``       half of a response, then the connection closes
``half-head``       half of a response's head, then the connection closes
``silent-close``    the connection closes without a byte
``closes-reused``   like vLLM with its 5 s behind it: a second request on a connection finds it closed
``never``           takes the request and never answers
``redirect``        307 to another place
``endless``         a chunked body without an end
``faults:SEED``     a seeded third of the sendings goes wrong in one of the ways above; a fourth never does
==================  ====================================================================================

A program has further troubles, before and after it listens: ``--log-mib``, ``--exit-saying``, ``--never-listen``,
``--ignore-sigterm``, ``--die-after``, ``--die-on`` (see ``--help``).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlsplit

FOREVER = float("inf")
REASONS = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    body: bytes
    model: str
    """The model that this server serves."""
    earlier: int = 0
    """How often the same body came before."""
    on_connection: int = 0
    """How many requests the same connection carried before."""

    @property
    def digest(self) -> str:
        return sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Reply:
    """What goes back, and how."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    bytes_sent: float = FOREVER
    """After so many bytes, head included, the connection closes."""
    wait_s: float = 0.0
    endless: bool = False

    def encoded(self) -> bytes:
        length = {"transfer-encoding": "chunked"} if self.endless else {"content-length": str(len(self.body))}
        headers = {"server": "uvicorn", "content-type": "application/json", **length, **self.headers}
        head = f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}\r\n"
        return (head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode() + self.body


Part = Callable[[Asked], Reply]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def as_json(value: Any, **reply: Any) -> Reply:
    """A reply with a JSON body."""
    return Reply(body=json.dumps(value).encode(), **reply)


def error(status: int, message: str, **reply: Any) -> Reply:
    """An error in vLLM's shape."""
    said = {"error": {"message": message, "type": "Error", "param": None, "code": status}}
    return as_json(said, status=status, **reply)


def chat(asked: Asked, text: str | None = "", **changes: Any) -> Reply:
    """An answer in vLLM's shape; ``text`` is what it says, and by default made from the body's digest."""
    digest = asked.digest
    if text == "":
        text = f"Because of {digest[:12]}.\nFinal Answer: {int(digest[:8], 16) % 10}"
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text,
        "refusal": None,
        "tool_calls": [],
        "reasoning": None,
    }
    counts = {"prompt_tokens": 7 + int(digest[8:10], 16), "completion_tokens": 5}
    said = {
        "id": f"chatcmpl-{digest[:32]}",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}],
        "system_fingerprint": "vllm-0.32.0-00000000",
        "usage": {**counts, "total_tokens": sum(counts.values())},
    }
    return as_json(said | changes)


def _first_then_fine(reply: Reply) -> Part:
    return lambda asked: chat(asked) if asked.earlier else reply


def _closes_reused(asked: Asked) -> Reply:
    return replace(chat(asked), bytes_sent=0) if asked.on_connection else chat(asked)


def _cut(share: Callable[[bytes], int]) -> Part:
    def part(asked: Asked) -> Reply:
        reply = chat(asked)
        return replace(reply, bytes_sent=share(reply.encoded()))

    return part


def _faults(seed: str) -> Part:
    wrongs = [
        PARTS[name](argument)
        for name, argument in (
            ("status", "500"),
            ("status", "503"),
            ("429", "0"),
            ("empty", ""),
            ("no-choices", ""),
            ("half-body", ""),
            ("half-head", ""),
            ("silent-close", ""),
        )
    ]

    def part(asked: Asked) -> Reply:
        dice = random.Random(f"{seed} {asked.digest} {asked.earlier}")
        if asked.earlier >= 3 or dice.random() > 1 / 3:
            return chat(asked)
        return dice.choice(wrongs)(asked)

    return part


PARTS: dict[str, Callable[[str], Part]] = {
    "fine": lambda _: chat,
    "says": lambda path: lambda asked: chat(asked, Path(path).read_text()),
    "status": lambda code: lambda _: error(int(code), f"no: status {code}"),
    "500-then-fine": lambda _: _first_then_fine(error(500, "the engine stumbled")),
    "429-then-fine": lambda wait: _first_then_fine(error(429, "too many", headers={"Retry-After": wait})),
    "429": lambda wait: lambda _: error(429, "too many", headers={"Retry-After": wait}),
    "empty": lambda _: lambda _: Reply(),
    "no-json": lambda _: lambda _: Reply(body=b"<html>hello</html>"),
    "no-choices": lambda _: lambda asked: chat(asked, choices=[]),
    "null-content": lambda _: lambda asked: chat(asked, None),
    "wrong-model": lambda _: lambda asked: chat(asked, model="another"),
    "half-body": lambda _: _cut(lambda whole: len(whole) - 100),
    "half-head": lambda _: _cut(lambda whole: whole.index(b"\r\n\r\n") // 2),
    "silent-close": lambda _: _cut(lambda _: 0),
    "closes-reused": lambda _: _closes_reused,
    "never": lambda _: lambda _: Reply(wait_s=FOREVER),
    "redirect": lambda _: lambda _: Reply(307, headers={"Location": "/v1/elsewhere"}),
    "endless": lambda _: lambda _: Reply(endless=True),
    "faults": _faults,
}


def part_named(text: str) -> Part:
    """The part that ``NAME`` or ``NAME:ARGUMENT`` stands for."""
    name, _, argument = text.partition(":")
    return PARTS[name](argument)


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
        return f"http://{self.address[0]}:{self.address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
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
        """Return as soon as ``holds()``, which may look at the counts; fail when it takes too long."""
        with self._changed:
            assert self._changed.wait_for(holds, within_s), f"it did not come to that within {within_s} s"

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


# --- as a program ---------------------------------------------------------------------------------


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A model server for tests, in vLLM's place.", allow_abbrev=False)
    parser.add_argument("--model", default="tiny", help="what is served, under this name unless another is given")
    parser.add_argument("--served-model-name", nargs="+")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--max-model-len", type=int, default=4096)
    parser.add_argument("--part", default="fine", help="how chat requests are answered, such as faults:7")
    parser.add_argument("--delay-s", type=float, default=0.0, help="before every answer")
    parser.add_argument("--journal", help="append the digest of every chat request to this file as it comes in")
    parser.add_argument("--log-mib", type=int, default=0, help="write so much to stderr before listening")
    parser.add_argument("--exit-saying", help="do not listen: write this to stderr and exit with 1")
    parser.add_argument("--never-listen", action="store_true", help="live, and fall silent before listening")
    parser.add_argument("--ignore-sigterm", action="store_true", help="only SIGKILL ends it")
    parser.add_argument("--die-after", type=int, default=0, help="kill itself when so many chat requests have come")
    parser.add_argument("--die-on", nargs="+", default=[], help="kill itself at a request with this text in it")
    parser.add_argument("--die-saying", help="with --die-on: write this file to stderr before")
    return parser.parse_known_args(words)[0]


def log(line: str) -> None:
    sys.stderr.write(f"INFO [servers.py] {line}\n")
    sys.stderr.flush()


def watcher(journal: IO[str] | None, options: argparse.Namespace) -> Callable[[Asked], None]:
    """What a program does with every chat request: write it down, and perhaps die."""
    count = 0

    def on_asked(asked: Asked) -> None:
        nonlocal count
        count += 1
        if journal is not None:
            journal.write(f"{asked.digest}\n")
            journal.flush()
        deadly = [text for text in options.die_on if text.encode() in asked.body]
        if deadly and options.die_saying:
            sys.stderr.write(Path(options.die_saying).read_text(encoding="utf-8"))
            sys.stderr.flush()
        if count == options.die_after or deadly:
            log(f"dying after {count} requests")
            os.kill(os.getpid(), signal.SIGKILL)

    return on_asked


async def serve(options: argparse.Namespace, make: type[ModelServer] = ModelServer) -> None:
    name = options.served_model_name[0] if options.served_model_name else options.model
    server = make(
        name,
        options.part,
        delay_s=options.delay_s,
        max_model_len=options.max_model_len,
        address=(options.host, options.port),
    )
    stop = asyncio.Event()
    if not options.ignore_sigterm:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if options.never_listen:
        log("Loading weights")
        await stop.wait()
        return
    journal = Path(options.journal).open("a", encoding="utf-8") if options.journal else None  # noqa: ASYNC230, SIM115
    server.on_asked = watcher(journal, options)
    await server.listen()
    log(f"Started server process, serving {name} on {server.url}")
    await stop.wait()


def main(words: list[str]) -> int:
    options = arguments(words)
    if options.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(options.log_mib * 2**20 // 128):
        sys.stderr.write(f"{number:08d} ".ljust(127, "l") + "\n")
    why = Path(options.model) / "unservable.txt"
    if options.exit_saying or why.is_file():
        log(options.exit_saying or why.read_text(encoding="utf-8"))
        return 1
    asyncio.run(serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
