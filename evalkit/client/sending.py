"""A window of requests over one connection pool: tries, waits and what their end is called."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from evalkit import __version__
from evalkit.base.errors import InfrastructureError
from evalkit.base.printable import counted
from evalkit.base.types import PASSING, Failure, FailureKind
from evalkit.client.control import authorization, proxy_for, server_root
from evalkit.client.gate import Gate
from evalkit.client.lookahead import LookAhead
from evalkit.client.patience import Patience
from evalkit.client.request import SendingPolicy
from evalkit.client.tries import Tried, broken, one_failure, refused, wait_before_try, with_history

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from types import SimpleNamespace, TracebackType

    from aiohttp.abc import AbstractStreamWriter

    from evalkit.base.types import Outcome, Replies
    from evalkit.client.completions import Names
    from evalkit.client.request import Request

    Outbox = asyncio.Queue[tuple[Request, Outcome | Replies] | None]

_HEADERS: Final = {
    "Accept": "application/json",
    # Answers are short; unpacking them would cost the client more than it saves the wire.
    "Accept-Encoding": "identity",
    "User-Agent": f"evalkit/{__version__}",
}

_KEEPALIVE_S: Final = 3.0
"""Shorter than the 5 s after which vLLM closes an idle connection (``VLLM_HTTP_TIMEOUT_KEEP_ALIVE``)."""

_ERROR_BODY_BYTES: Final = 64 * 2**10


class Client:
    """Asks one model on one server, as an async context manager that holds the connections.

    ::

        async with Client(url, model, Policy(window=32)) as client:
            async for request, outcome in client.ask(requests):
                ...

    Leaving the ``async with`` ends every asking that is still open: its requests under way are cancelled, its
    thread is stopped and its iterator closed.
    """

    def __init__(
        self,
        url: str,
        model: str,
        policy: SendingPolicy | None = None,
        also: Sequence[str] = (),
        sending: Callable[[Request], None] | None = None,
    ) -> None:
        """Prepare to ask ``model`` (as the server names it) at ``url``; nothing is sent yet.

        Responses may also name it by one of ``also``. ``sending`` is called with each request before its first try.

        Raises:
            UsageError: ``url`` is not the address of an HTTP server.
        """
        self._sending = sending
        self._root = server_root(url)
        self._names: Names = (model, *also)
        self._policy = policy or SendingPolicy()
        self._patience = Patience(self._policy)
        self._gate = Gate(self._policy)
        self._mute = ""
        self._kept: aiohttp.ClientSession
        self._new: aiohttp.ClientSession
        self._is_open = False
        self._askings: set[asyncio.Task[None]] = set()
        self._failed_in_a_row = 0

    async def __aenter__(self) -> Self:
        # The window bounds the connections; a second bound would only hide a mistake in the first.
        self._kept = self._open(aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S))
        self._new = self._open(aiohttp.TCPConnector(limit=0, force_close=True))
        self._is_open = True
        self._looking = asyncio.create_task(self._look_after())
        return self

    def _open(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_note_new_connection)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={**_HEADERS, **authorization()},
            auto_decompress=False,
            # Looked up once; aiohttp would ask the environment, in a thread, for every request.
            trust_env=False,
            proxy=proxy_for(self._root),
            trace_configs=[trace],
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._looking.cancel()
        for asking in self._askings:
            asking.cancel()
        await asyncio.wait({*self._askings, self._looking})
        self._is_open = False
        await self._kept.close()
        await self._new.close()

    async def ask(self, requests: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome | Replies], None]:
        """Every request with its one outcome (or its replies, when it asks several samples), in the order of arrival.

        ``requests`` may block: it is pulled in a thread. Requests that were pulled but whose outcome has not
        been taken yet number at most ``window + AHEAD``, beside those that wait for a sibling with the same
        ``beginning`` to be answered. When the consumer stops early, is cancelled or calls
        ``aclose``, what is under way is cancelled within a second and has no outcome.

        Raises:
            InfrastructureError: The server is lost: ``window * lost_windows`` requests in a row failed on
                every try. What had no outcome by then has none.
            Exception: Whatever ``requests`` or a payload raised, after the outcomes of all requests before.
        """
        if not self._is_open:
            raise RuntimeError("ask needs an open client: use 'async with Client(...)'")
        self._failed_in_a_row = 0
        outbox: Outbox = asyncio.Queue()
        ahead = LookAhead(requests, self._policy.window)
        asking = asyncio.create_task(self._ask_all(ahead, outbox))
        asking.add_done_callback(lambda _: outbox.put_nowait(None))
        self._askings.add(asking)
        try:
            while (pair := await outbox.get()) is not None:
                ahead.release()
                yield pair
            if asking.cancelled():
                raise RuntimeError("the client was closed before every request had its outcome")
            asking.result()
        finally:
            asking.cancel()
            await asyncio.wait({asking})
            self._askings.discard(asking)
            if not asking.cancelled():
                asking.exception()  # seen: it was raised above, or the consumer left before it came

    @property
    def patience(self) -> Patience:
        """How long the server has said nothing, and how long that is borne."""
        return self._patience

    @property
    def gate(self) -> Gate:
        """Whether the server refuses for now, and for how long it has."""
        return self._gate

    async def _look_after(self) -> None:
        """Ask a silent server's ``/health`` beside the requests: one that is gone need not be waited for."""
        while True:
            await asyncio.sleep(self._policy.look_s / 3)
            silent_s = self._patience.silent_s
            if silent_s < self._policy.look_s:
                continue
            try:
                asked = aiohttp.ClientTimeout(total=self._policy.look_s)
                async with self._new.get(
                    self._root + "/health", allow_redirects=False, timeout=asked, trace_request_ctx=_Wire()
                ):
                    pass
            except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError):
                self._patience.end_all(f"the server is gone: no answer for {silent_s:.0f} s, and no connection")
            except (aiohttp.ClientError, OSError):  # as silent as the rest
                if silent_s > self._policy.patience_s:
                    self._mute = f"{self._root}: no answer for {silent_s:.0f} s, nor from /health"
                    self._patience.end_all("the server says nothing at all")

    async def _ask_all(self, ahead: LookAhead, outbox: Outbox) -> None:
        """Send everything, then raise what ended it early."""
        try:
            async with ahead, asyncio.TaskGroup() as senders:
                for _ in range(self._policy.window):
                    senders.create_task(self._send_one_by_one(ahead, outbox))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if ahead.error is not None:
            raise ahead.error

    async def _send_one_by_one(self, ahead: LookAhead, outbox: Outbox) -> None:
        """One place in the window."""
        while (ready := await ahead.next()) is not None:
            request, body = ready
            if isinstance(body, Failure):
                ahead.answered(request, well=False)
                outbox.put_nowait((request, body))
                continue
            if self._sending is not None:
                self._sending(request)
            outcome = await self._answer(request, body)
            del ready, body  # the memory is free before the outcome waits to be taken
            ahead.answered(request, well=not isinstance(outcome, Failure))
            outbox.put_nowait((request, outcome))
            self._watch(outcome)

    async def _answer(self, request: Request, body: bytes) -> Outcome | Replies:
        """Try until there is an outcome that stands."""
        earlier: list[FailureKind] = []
        put_off = 0
        first: float | None = None
        while True:
            looks = await self._gate.enter()
            try:
                tried = await self._try(request, body, self._kept)
            finally:
                self._gate.leave(looked=looks)
            said = tried.outcome
            if isinstance(said, tuple):
                return tuple(one and replace(one, latency_s=tried.seconds, tries=len(earlier) + 1) for one in said)
            outcome = replace(said, latency_s=tried.seconds, tries=len(earlier) + 1)
            if not isinstance(outcome, Failure):
                return outcome
            first = first or asyncio.get_running_loop().time()
            if tried.for_now and not self._gate.over(first):
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
            failure = broken(error, self._patience.words(request))
            # With many tokens it means that the server has answered nobody for long: so would the next try be.
            silent = failure.kind is FailureKind.DEADLINE and request.more_tokens > 0
            tried = Tried(failure, again=not silent, for_now=failure.kind is FailureKind.NOT_CONNECTED)
        if tried.for_now and isinstance(tried.outcome, Failure):
            self._gate.note_refused(tried.outcome.message, tried.retry_after_s)
        elif wire.answered:
            self._gate.note_taken()
        tried.seconds = time.perf_counter() - started
        return tried

    async def _exchange(self, request: Request, body: bytes, session: aiohttp.ClientSession, wire: _Wire) -> Tried:
        """One request and its response; network trouble is raised."""
        url = self._root + request.path
        connecting = aiohttp.ClientTimeout(total=None, sock_connect=self._policy.connect_s)
        async with (
            self._patience.wait_for(request),
            session.post(
                url, data=_Body(body), allow_redirects=False, trace_request_ctx=wire, timeout=connecting
            ) as response,
        ):
            wire.answered = True
            self._patience.note_response()
            if response.status != 200:
                said, _ = await _read(response, _ERROR_BODY_BYTES)
                return refused(response, said)
            said, whole = await _read(response, self._policy.response_bytes)
            if not whole:
                message = f"the response is longer than {self._policy.response_bytes} bytes"
                return Tried(Failure(FailureKind.BAD_RESPONSE, message), again=True)
            outcome = one_failure(request.read(said, self._names))
            return Tried(outcome, again=isinstance(outcome, Failure) and outcome.kind in PASSING)

    def _watch(self, outcome: Outcome | Replies) -> None:
        """Stop when the server is lost; without this, the rest of a data set would fail for hours."""
        if self._mute:
            raise InfrastructureError(
                self._mute, fix="see what the server is doing; the same command then continues where this one stopped"
            )
        if not isinstance(outcome, Failure) or outcome.kind not in PASSING:
            self._failed_in_a_row = 0
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._policy.window * self._policy.lost_windows:
            raise InfrastructureError(
                f"{self._root}: {counted(self._failed_in_a_row, 'request')} in a row failed on every try "
                f"({outcome.kind}: {outcome.message})",
                fix="see whether the server is alive; the same command then continues where this one stopped",
            )


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
