"""One server that answers: its connections, its deadlines, how much it may have under way, and when it is lost."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from evalkit import __version__
from evalkit.base.errors import InfrastructureError
from evalkit.base.printable import counted
from evalkit.base.types import PASSING, Failure, FailureKind
from evalkit.client import load
from evalkit.client.control import authorization, proxy_for, server_root
from evalkit.client.gate import Gate
from evalkit.client.patience import Patience
from evalkit.client.tries import Tried, broken, one_failure, refused, wait_before_try, with_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

    from aiohttp.abc import AbstractStreamWriter

    from evalkit.base.types import Outcome, Replies
    from evalkit.client.completions import Names
    from evalkit.client.request import Request, SendingPolicy

_HEADERS: Final = {
    "Accept": "application/json",
    # Answers are short; unpacking them would cost the client more than it saves the wire.
    "Accept-Encoding": "identity",
    "User-Agent": f"evalkit/{__version__}",
}

_KEEPALIVE_S: Final = 3.0
"""Shorter than the 5 s after which vLLM closes an idle connection (``VLLM_HTTP_TIMEOUT_KEEP_ALIVE``)."""

_ERROR_BODY_BYTES: Final = 64 * 2**10
_METRICS_BYTES: Final = 2**20


class Replica:
    """A server as one asks it, on two pools of connections; open between ``open`` and ``close``."""

    def __init__(self, url: str, names: Names, policy: SendingPolicy, *, one_of_several: bool = False) -> None:
        """Prepare to ask the model of these names at ``url``; nothing is sent yet.

        Where it is ``one_of_several``, losing it does not end what is asked: ``lost`` tells, and the others go on.

        Raises:
            UsageError: ``url`` is not the address of an HTTP server.
        """
        self.root = server_root(url)
        self.patience = Patience(policy)
        """How long the server has said nothing, and how long that is borne."""
        self.gate = Gate(policy)
        """Whether the server refuses for now, and for how long it has."""
        self.window = load.Window(policy.window, policy.widest)
        self.under_way: dict[int, Request] = {}
        """What was sent and has no outcome that was taken yet, by ``id``."""
        self.answered = 0
        """Requests that brought an answer."""
        self.lost = asyncio.Event()
        """Whether it answers nothing any more, where others do."""
        self.gone = False
        """Whether it is asked no more: what it has under way goes to others."""
        self.aside: Callable[[Request], bool] = lambda _: False
        """Of that, what goes to nobody."""
        self.widened: Callable[[], None] = lambda: None
        """Called when more may be under way than before."""
        self._names, self._policy, self._one_of_several = names, policy, one_of_several
        self._mute = ""
        self._kept: aiohttp.ClientSession
        self._new: aiohttp.ClientSession
        self._looking: list[asyncio.Task[None]] = []
        self._failed_in_a_row = 0

    async def open(self) -> None:
        """Make the pools."""
        # The window bounds the connections; a second bound would only hide a mistake in the first.
        self._kept = self._pool(aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S))
        self._new = self._pool(aiohttp.TCPConnector(limit=0, force_close=True))
        self._looking.append(asyncio.create_task(self._look_after()))
        if self._policy.widest > self._policy.window:
            self._looking.append(asyncio.create_task(self._look_at_load()))

    async def close(self) -> None:
        """Give the connections back."""
        for looking in self._looking:
            looking.cancel()
        await asyncio.wait(self._looking)
        await self._kept.close()
        await self._new.close()

    def begin(self) -> None:
        """Count failures in a row anew."""
        self._failed_in_a_row = 0

    def _pool(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_note_new_connection)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**_HEADERS, **authorization(self.root)},
            auto_decompress=False,
            # Looked up once; aiohttp would ask the environment, in a thread, for every request.
            trust_env=False,
            proxy=proxy_for(self.root),
            trace_configs=[trace],
        )

    async def _look_after(self) -> None:
        """Ask a silent server's ``/health`` beside the requests: one that is gone need not be waited for."""
        while True:
            await asyncio.sleep(self._policy.look_s / 3)
            silent_s = self.patience.silent_s
            if silent_s < self._policy.look_s:
                continue
            try:
                await self._get("/health")
            except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError):
                self.patience.end_all(f"the server is gone: no answer for {silent_s:.0f} s, and no connection")
            except (aiohttp.ClientError, OSError):  # as silent as the rest
                if silent_s > self._policy.patience_s:
                    self._mute = f"{self.root}: no answer for {silent_s:.0f} s, nor from /health"
                    self.patience.end_all("the server says nothing at all")

    async def _look_at_load(self) -> None:
        """Fit the window to what the server says of its queue and its KV cache."""
        while True:
            await asyncio.sleep(self._policy.look_at_load_s)
            if not self.under_way:
                continue
            try:
                said = load.read(await self._get("/metrics"))
            except (aiohttp.ClientError, OSError):
                continue
            if said is None:
                return  # another server than vLLM: it will not say it later either
            before = self.window.size
            self.window.adjust(said, len(self.under_way))
            if self.window.size > before:
                self.widened()

    async def _get(self, path: str) -> str:
        asked = aiohttp.ClientTimeout(total=self._policy.look_s)
        async with self._new.get(
            self.root + path, allow_redirects=False, timeout=asked, trace_request_ctx=_Wire()
        ) as response:
            said, _ = await _read(response, _METRICS_BYTES)
            return said.decode(errors="replace")

    async def answer(self, request: Request, body: bytes) -> Outcome | Replies:
        """Try until there is an outcome that stands."""
        earlier: list[FailureKind] = []
        put_off = 0
        first: float | None = None
        while True:
            looks = await self.gate.enter()
            try:
                tried = await self._try(request, body, self._kept)
            finally:
                self.gate.leave(looked=looks)
            said = tried.outcome
            if isinstance(said, tuple):
                return tuple(one and replace(one, latency_s=tried.seconds, tries=len(earlier) + 1) for one in said)
            outcome = replace(said, latency_s=tried.seconds, tries=len(earlier) + 1)
            if not isinstance(outcome, Failure):
                return outcome
            first = first or asyncio.get_running_loop().time()
            if tried.for_now and not self.gate.over(first):
                put_off += 1
                earlier.append(outcome.kind)
                continue
            if self._mute or not tried.again or outcome.tries - put_off >= self._policy.tries:
                return with_history(outcome, earlier)
            earlier.append(outcome.kind)
            await asyncio.sleep(wait_before_try(len(earlier) + 1, tried.retry_after_s, self._policy))

    async def _try(self, request: Request, body: bytes, session: aiohttp.ClientSession) -> Tried:
        """Send once; a kept connection that turns out to be closed does not count."""
        wire = _Wire()
        started = time.perf_counter()
        try:
            tried = await self._exchange(request, body, session, wire)
        except (aiohttp.ClientError, OSError) as error:
            if session is self._kept and wire.was_stale(error):
                # The other kept connections may be closed as well, so the request goes out on a new one.
                return await self._try(request, body, self._new)
            failure = broken(error, self.patience.words(request))
            # With many tokens it means that the server has answered nobody for long: so would the next try be.
            silent = failure.kind is FailureKind.DEADLINE and request.more_tokens > 0
            tried = Tried(failure, again=not silent, for_now=failure.kind is FailureKind.NOT_CONNECTED)
        if tried.for_now and isinstance(tried.outcome, Failure):
            self.gate.note_refused(tried.outcome.message, tried.retry_after_s)
        elif wire.answered:
            self.gate.note_taken()
        tried.seconds = time.perf_counter() - started
        return tried

    async def _exchange(self, request: Request, body: bytes, session: aiohttp.ClientSession, wire: _Wire) -> Tried:
        """One request and its response; network trouble is raised."""
        url = self.root + request.path
        connecting = aiohttp.ClientTimeout(total=None, sock_connect=self._policy.connect_s)
        async with (
            self.patience.wait_for(request),
            session.post(
                url, data=_Body(body), allow_redirects=False, trace_request_ctx=wire, timeout=connecting
            ) as response,
        ):
            wire.answered = True
            self.patience.note_response()
            if response.status != 200:
                said, _ = await _read(response, _ERROR_BODY_BYTES)
                return refused(response, said)
            said, whole = await _read(response, self._policy.response_bytes)
            if not whole:
                message = f"the response is longer than {self._policy.response_bytes} bytes"
                return Tried(Failure(FailureKind.BAD_RESPONSE, message), again=True)
            outcome = one_failure(request.read(said, self._names))
            return Tried(outcome, again=isinstance(outcome, Failure) and outcome.kind in PASSING)

    def watch(self, outcome: Outcome | Replies) -> None:
        """Stop when the server is lost; without this, the rest of a data set would fail for hours.

        Raises:
            InfrastructureError: It is, and it is the only one.
        """
        if self._mute:
            self._give_up(self._mute, "see what the server is doing")
            return
        self.answered += not isinstance(outcome, Failure)
        if not isinstance(outcome, Failure) or outcome.kind not in PASSING:
            self._failed_in_a_row = 0
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._policy.window * self._policy.lost_windows:
            self._give_up(
                f"{self.root}: {counted(self._failed_in_a_row, 'request')} in a row failed on every try "
                f"({outcome.kind}: {outcome.message})",
                "see whether the server is alive",
            )

    def _give_up(self, why: str, what: str) -> None:
        if not self._one_of_several:
            raise InfrastructureError(why, fix=f"{what}; the same command then continues where this one stopped")
        self.lost.set()


@dataclass(slots=True)
class _Wire:
    """What is known about the connection of one sending."""

    new: bool = False
    answered: bool = False

    def was_stale(self, error: Exception) -> bool:
        """Whether a kept connection was closed before a byte of the response came."""
        if self.new or self.answered:
            return False
        if isinstance(error, aiohttp.ServerDisconnectedError):
            # Anything but text is the head of a response that did not come to its end.
            return isinstance(error.message, str)
        never_was = isinstance(error, (aiohttp.ClientConnectorError, TimeoutError))
        return isinstance(error, aiohttp.ClientConnectionError) and not never_was


class _Body(aiohttp.Payload):
    """A JSON body, sent in one write.

    aiohttp's own payload for bytes warns about each one over 1 MiB, which one large picture is, and its
    advice, a file object, costs a thread per read.
    """

    def __init__(self, body: bytes) -> None:
        super().__init__(body, content_type="application/json")
        self._body = body

    @property
    def size(self) -> int:
        return len(self._body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await writer.write(self._body)


async def _note_new_connection(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.new = True


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body, or its first ``most`` bytes and False (the connection is closed then)."""
    length = response.content_length
    if length is not None and length <= most:
        return await response.read(), True
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            response.close()
            return b"".join(parts)[:most], False
    return b"".join(parts), True
