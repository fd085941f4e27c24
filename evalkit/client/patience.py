"""How long a client waits for a server, and how long the server has said nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.base.printable import counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from evalkit.client.request import Request, SendingPolicy


@dataclass(slots=True)
class Patience:
    """The deadlines of the requests under way."""

    policy: SendingPolicy
    heard: int = 0
    """Responses that have begun to come in, whatever they said."""
    under_way: int = 0
    """Requests that were sent and have no complete response."""
    _spoke: bool = True
    """Whether a response has come since the last request that found none under way."""
    _silent_since: float = 0.0
    _renewed: dict[asyncio.Timeout, float] = field(default_factory=dict)
    """Deadlines that a sign of life moves, each with its seconds."""
    _waiting: set[asyncio.Timeout] = field(default_factory=set)
    """Deadlines of the requests under way."""
    _ended: set[asyncio.Timeout] = field(default_factory=set)
    """Those that ``end_all`` has brought forward."""
    _why: str = ""

    @property
    def silent_s(self) -> float:
        """Seconds since the last response, or the first request after it; 0 while no request is under way."""
        return asyncio.get_running_loop().time() - self._silent_since if self.under_way else 0.0

    def deadline_s(self, request: Request) -> float:
        """Seconds that a try of a request may take."""
        return self.policy.deadline_s + request.more_tokens / self.policy.slowest_tokens_per_s

    def words(self, request: Request) -> str:
        """What is said of a request that has met its deadline."""
        said = f"no complete response within {self.deadline_s(request):g} s"
        if not request.more_tokens:
            return said
        return (
            f"{said} ({self.policy.deadline_s:g} s, and {counted(request.more_tokens, 'more token')} at "
            f"{self.policy.slowest_tokens_per_s:g} a second), nor any other response meanwhile"
        )

    @asynccontextmanager
    async def wait_for(self, request: Request) -> AsyncIterator[None]:
        """Bound what is done inside by the deadline of a request.

        Raises:
            TimeoutError: It is over.
            ConnectionAbortedError: ``end_all`` was called meanwhile.
        """
        if self._spoke and not self.under_way:
            self._spoke, self._silent_since = False, asyncio.get_running_loop().time()
        self.under_way += 1
        seconds = self.deadline_s(request)
        limit = asyncio.timeout(seconds)
        self._waiting.add(limit)
        try:
            async with limit:
                if request.more_tokens:
                    self._renewed[limit] = seconds
                yield
        except TimeoutError:
            if limit in self._ended:
                raise ConnectionAbortedError(self._why) from None
            raise
        finally:
            self._waiting.discard(limit)
            self._ended.discard(limit)
            self._renewed.pop(limit, None)
            self.under_way -= 1

    def end_all(self, why: str) -> None:
        """Wait no longer for the responses to the requests under way."""
        self._why = why
        for limit in self._waiting:
            if limit.when() is not None and not limit.expired():
                self._ended.add(limit)
                limit.reschedule(asyncio.get_running_loop().time())

    def note_response(self) -> None:
        """The server is alive: a request of many tokens may only be waiting in its queue, and has all its time again.

        A window of such requests is many times what a server generates at once. Their deadline could not be told
        beforehand without knowing the server's speed, and must not be long: it is what a silent server costs.
        """
        self.heard += 1
        self._spoke, self._silent_since = True, asyncio.get_running_loop().time()
        for limit, seconds in self._renewed.items():
            if not limit.expired():
                limit.reschedule(self._silent_since + seconds)
