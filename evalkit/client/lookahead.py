"""Requests with their bodies, made in a thread a little ahead of the event loop that sends them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from evalkit.base.types import Failure
    from evalkit.client.request import Request

AHEAD = 16
"""How many requests are made ready beyond the window."""

_REFILL = AHEAD // 2
"""The thread, once full, sleeps until there is room for this many: one waking per request costs both sides."""

_LAST_WORDS_S = 0.8
"""How long leaving waits for a thread that is inside the caller's own code."""


class LookAhead:
    """An iterator of requests, pulled in order by one thread; the event loop takes from it.

    A request counts from the moment it is pulled until ``release``, and at most ``window + AHEAD`` count at
    a time. So the memory that bodies take is bounded, and a consumer that is slow slows the reading down.
    """

    def __init__(self, requests: Iterable[Request], window: int) -> None:
        """Prepare to pull ``requests``; the thread starts with ``async with``."""
        self._requests = requests
        self._most = window + AHEAD
        self._loop = asyncio.get_running_loop()
        self._ready: deque[tuple[Request, bytes | Failure]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._room = threading.Condition()
        self._counted = 0
        self._closed = False
        self._ended = False
        self._finished = asyncio.Event()
        # A daemon, because nothing can interrupt a read from a disk or a network that hangs.
        self._thread = threading.Thread(target=self._pull, name="evalkit-lookahead", daemon=True)
        self.error: BaseException | None = None
        """What the iterator or a payload raised, once ``next`` has returned None."""

    # --- in the event loop ---

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the thread; it closes the iterator. Waits under a second if it is inside the caller's code."""
        with self._room:
            self._closed = True
            self._room.notify()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finished.wait(), _LAST_WORDS_S)
            self._thread.join()  # it said so with its last words
        self._ready.clear()

    async def next(self) -> tuple[Request, bytes | Failure] | None:
        """The next request with its body, or with the failure in its place; None when there are no more."""
        while not self._ready:
            if self._ended:
                # The thread may have made one more between the two looks.
                return self._ready.popleft() if self._ready else None
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            # The thread looks for a waiter after it has added, so this side looks again after it has queued.
            if self._ready or self._ended:
                self._waiting.remove(waiter)
                continue
            await waiter
        return self._ready.popleft()

    def release(self) -> None:
        """One request that ``next`` gave is over: there is room for another."""
        with self._room:
            self._counted -= 1
            if self._counted == self._most - _REFILL:
                self._room.notify()

    def _wake(self) -> None:
        """Let as many waiters look as there is something to see."""
        if self._ended:
            self._finished.set()
        seen = len(self._waiting) if self._ended else len(self._ready)
        while self._waiting and seen > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                seen -= 1

    # --- in the thread ---

    def _pull(self) -> None:
        try:
            iterator = iter(self._requests)
            try:
                while self._has_room() and (request := next(iterator, None)) is not None:
                    self._ready.append((request, request.payload()))
                    del request
                    if self._waiting:
                        self._tell()
            finally:
                # A generator is closed where it ran, so that its files are not left to the garbage collector.
                if close := getattr(iterator, "close", None):
                    close()
        except BaseException as error:  # noqa: BLE001 - raised again where the outcomes are awaited
            self.error = error
        finally:
            self._ended = True
            self._tell()

    def _has_room(self) -> bool:
        """Wait until one more request may be pulled; False when there shall be no more."""
        with self._room:
            if self._counted >= self._most:
                self._room.wait_for(lambda: self._closed or self._counted <= self._most - _REFILL)
            self._counted += 1
            return not self._closed

    def _tell(self) -> None:
        # The loop is gone when a thread outlives a closed program part; then nobody waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)
