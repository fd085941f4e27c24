"""A window of requests over one connection pool: tries, waits and what their end is called."""

from __future__ import annotations

import asyncio
import math
import random
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp

from evalkit import __version__
from evalkit.client.lookahead import LookAhead
from evalkit.client.patience import Patience
from evalkit.client.request import Policy
from evalkit.client.responses import LONGEST_MESSAGE, error_message
from evalkit.control import authorization, proxy_for, server_root
from evalkit.errors import InfrastructureError
from evalkit.types import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
    from types import SimpleNamespace, TracebackType

    from aiohttp.abc import AbstractStreamWriter

    from evalkit.client.completions import Names
    from evalkit.client.request import Request
    from evalkit.types import Outcome, Replies

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

_ONLY_ONCE: Final = frozenset(
    {FailureKind.REFUSED, FailureKind.NOT_SERVED, FailureKind.WRONG_MODEL, FailureKind.CONTENT_FILTER}
)
"""Failures that another try would not change."""

_ABOUT_THE_REQUEST: Final = frozenset({400, 413, 422})
"""Statuses that speak of the very request; other 4xx speak of the address, the key or the model's name."""

# The first row that fits names the failure.
_BROKEN: Final[tuple[tuple[tuple[type[Exception], ...], FailureKind], ...]] = (
    (
        (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError),
        FailureKind.NOT_CONNECTED,
    ),
    ((TimeoutError,), FailureKind.DEADLINE),
    ((aiohttp.ClientResponseError,), FailureKind.BAD_RESPONSE),  # not HTTP at all
    ((Exception,), FailureKind.DISCONNECTED),
)


class Client:
    """Asks one model on one server, as an async context manager that holds the connections.

    ::

        async with Client(url, model, Policy(window=32)) as client:
            async for request, outcome in client.ask(requests):
                ...

    Leaving the ``async with`` ends every asking that is still open: its requests under way are cancelled, its
    thread is stopped and its iterator closed.
    """

    def __init__(self, url: str, model: str, policy: Policy | None = None, also: Sequence[str] = ()) -> None:
        """Prepare to ask ``model`` (as the server names it) at ``url``; nothing is sent yet.

        Responses may also name it by one of ``also``.

        Raises:
            UsageError: ``url`` is not the address of an HTTP server.
        """
        self._root = server_root(url)
        self._names: Names = (model, *also)
        self._policy = policy or Policy()
        self._patience = Patience(self._policy)
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
        for asking in self._askings:
            asking.cancel()
        if self._askings:
            await asyncio.wait(self._askings)
        self._is_open = False
        await self._kept.close()
        await self._new.close()

    async def ask(self, requests: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome | Replies], None]:
        """Every request with its one outcome (or its replies, when it asks several samples), in the order of arrival.

        ``requests`` may block: it is pulled in a thread. Requests that were pulled but whose outcome has not
        been taken yet number at most ``window + AHEAD``. When the consumer stops early, is cancelled or calls
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
                outbox.put_nowait((request, body))
                continue
            outcome = await self._answer(request, body)
            del ready, body  # the memory is free before the outcome waits to be taken
            outbox.put_nowait((request, outcome))
            self._watch(outcome)

    async def _answer(self, request: Request, body: bytes) -> Outcome | Replies:
        """Try until there is an outcome that stands."""
        earlier: list[FailureKind] = []
        while True:
            tried = await self._try(request, body, self._kept)
            said = tried.outcome
            if isinstance(said, tuple):
                return tuple(one and replace(one, latency_s=tried.seconds, tries=len(earlier) + 1) for one in said)
            outcome = replace(said, latency_s=tried.seconds, tries=len(earlier) + 1)
            if not isinstance(outcome, Failure):
                return outcome
            if not tried.again or outcome.tries >= self._policy.tries:
                return _with_history(outcome, earlier)
            earlier.append(outcome.kind)
            await asyncio.sleep(wait_before_try(len(earlier) + 1, tried.retry_after_s, self._policy))

    async def _try(self, request: Request, body: bytes, session: aiohttp.ClientSession) -> _Tried:
        """Send once; a kept connection that turns out to be closed does not count."""
        wire = _Wire()
        started = time.perf_counter()
        try:
            tried = await self._exchange(request, body, session, wire)
        except (aiohttp.ClientError, OSError) as error:
            if session is self._kept and wire.was_stale(error):
                # The other kept connections may be closed as well, so the request goes out on a new one.
                return await self._try(request, body, self._new)
            failure = _broken(error, self._patience.words(request))
            # With many tokens it means that the server has answered nobody for long: so would the next try be.
            silent = failure.kind is FailureKind.DEADLINE and request.more_tokens > 0
            tried = _Tried(failure, again=not silent)
        tried.seconds = time.perf_counter() - started
        return tried

    async def _exchange(self, request: Request, body: bytes, session: aiohttp.ClientSession, wire: _Wire) -> _Tried:
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
                return _refused(response, said)
            said, whole = await _read(response, self._policy.response_bytes)
            if not whole:
                message = f"the response is longer than {self._policy.response_bytes} bytes"
                return _Tried(Failure(FailureKind.BAD_RESPONSE, message), again=True)
            outcome = _one_failure(request.read(said, self._names))
            return _Tried(outcome, again=isinstance(outcome, Failure) and outcome.kind not in _ONLY_ONCE)

    def _watch(self, outcome: Outcome | Replies) -> None:
        """Stop when the server is lost; without this, the rest of a data set would fail for hours."""
        if not isinstance(outcome, Failure) or outcome.kind in _ONLY_ONCE:
            self._failed_in_a_row = 0
            return
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= self._policy.window * self._policy.lost_windows:
            raise InfrastructureError(
                f"{self._root}: {self._failed_in_a_row} requests in a row failed on every try "
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


@dataclass(slots=True)
class _Tried:
    """How one try ended."""

    outcome: Outcome | Replies
    again: bool
    """Whether another try may end otherwise."""
    retry_after_s: float | None = None
    seconds: float = 0.0


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


def _one_failure(said: Outcome | Replies) -> Outcome | Replies:
    """A failure in the place of replies that are all failures, as a server that is being stopped sends them."""
    if isinstance(said, tuple) and said and all(isinstance(one, Failure) for one in said):
        return said[0] or said
    return said


def _refused(response: aiohttp.ClientResponse, body: bytes) -> _Tried:
    """What a status other than 200 means."""
    status = response.status
    message = f"HTTP {status}: {error_message(body) or response.reason or 'no reason given'}"
    if status == 429:
        kind, again = FailureKind.RATE_LIMITED, True
    elif status >= 500:
        kind, again = FailureKind.SERVER_ERROR, True
    elif status >= 400:
        kind, again = FailureKind.REFUSED if status in _ABOUT_THE_REQUEST else FailureKind.NOT_SERVED, False
    else:
        kind, again = FailureKind.BAD_RESPONSE, False
        if target := response.headers.get("Location"):
            message = f"HTTP {status}: redirected to {target[:LONGEST_MESSAGE]}, which is not followed"
    return _Tried(Failure(kind, message), again, retry_after_s(response.headers) if again else None)


def _broken(error: Exception, too_late: str) -> Failure:
    """The name of a try that the network ended."""
    kind = next(kind for types, kind in _BROKEN if isinstance(error, types))
    if kind is FailureKind.DEADLINE:
        return Failure(kind, too_late)
    return Failure(kind, (str(error) or type(error).__name__)[:LONGEST_MESSAGE])


def _with_history(failure: Failure, earlier: list[FailureKind]) -> Failure:
    """The failure, naming the kinds of the tries before it where they were others."""
    others = [str(kind) for kind in dict.fromkeys(earlier) if kind is not failure.kind]
    return replace(failure, message=f"{failure.message} (before: {', '.join(others)})") if others else failure


def wait_before_try(number: int, retry_after: float | None, policy: Policy) -> float:
    """Seconds to wait before try ``number`` (2 or more).

    Exponential backoff with full jitter: uniform between 0 and ``first_wait_s * 2 ** (number - 2)``, so that
    a window of requests that failed together does not come back together. A ``Retry-After`` takes the place
    of the growth: its seconds, and up to ``first_wait_s`` more. Never more than ``longest_wait_s``.
    """
    span = policy.first_wait_s * 2 ** min(number - 2, 60) if retry_after is None else policy.first_wait_s
    wait = (retry_after or 0.0) + random.uniform(0, min(span, policy.longest_wait_s))  # noqa: S311 - not a secret
    return min(wait, policy.longest_wait_s)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a ``Retry-After`` (a number, or an HTTP date) asks for; None when there is no usable one.

    A date is compared with the response's own ``Date`` where there is one: the two clocks need not agree.
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text).timestamp()
            now = parsedate_to_datetime(headers["Date"]).timestamp() if "Date" in headers else time.time()
        except (ValueError, OverflowError):
            return None
        seconds = until - now
    return None if math.isnan(seconds) else max(seconds, 0.0)
