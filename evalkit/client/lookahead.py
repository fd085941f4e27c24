"""Requests with their bodies, made in threads a little ahead of the event loop that sends them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from evalkit.client.beginnings import Beginnings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from evalkit.base.types import Failure
    from evalkit.client.beginnings import Place, Ready
    from evalkit.client.request import Request

AHEAD = 16
"""How many requests are made ready beyond the window."""

HELD = 4
"""So many windows of requests may wait for a sibling's answer, without bodies: a picture has about five questions."""

_REFILL = AHEAD // 2
"""The thread, once full, sleeps until there is room for this many: one waking per request costs both sides."""

_LAST_WORDS_S = 0.8
"""How long leaving waits for a thread that is inside the caller's own code."""


class LookAhead:
    """An iterator of requests, pulled in order by one thread; the event loop takes from it.

    A request counts from the moment it is pulled until ``release``, and at most ``window + AHEAD`` count at
    a time, beside ``HELD * window`` without a body that wait for a sibling's answer. So the memory that bodies take
    is bounded, and a consumer that is slow slows the reading down.

    The thread makes the bodies, but for requests with a beginning: those may wait long, so theirs are made when they
    are taken, by as many threads as there are cores.
    """

    def __init__(self, requests: Iterable[Request], window: int) -> None:
        """Prepare to pull ``requests``; the thread starts with ``async with``."""
        self._requests = requests
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Ready] = deque()
        self._returned: deque[Ready] = deque()
        """What a server that is gone had taken."""
        self._beginnings = Beginnings(0)
        self._most = self._fewest = 0
        """While the fewest are under way, no sibling goes out beside the first one for want of others."""
        self._under_way = 0
        self._makers = ThreadPoolExecutor(os.cpu_count(), "evalkit-body")
        self._waiting: deque[tuple[Place, asyncio.Future[None]]] = deque()
        self._room = threading.Condition()
        self._counted = 0
        self._closed = False
        self._ended = False
        self._finished = asyncio.Event()
        # A daemon, because nothing can interrupt a read from a disk or a network that hangs.
        self._thread = threading.Thread(target=self._pull, name="evalkit-lookahead", daemon=True)
        self.error: BaseException | None = None
        """What the iterator or a payload raised, once ``next`` has returned None."""
        self.fit(window)

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
        self._makers.shutdown(wait=False, cancel_futures=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._finished.wait(), _LAST_WORDS_S)
            self._thread.join()  # it said so with its last words
        self._ready.clear()
        self._returned.clear()

    def fit(self, window: int) -> None:
        """Look so far ahead as ``window`` requests under way ask for."""
        with self._room:
            self._most = window + AHEAD
            self._room.notify()
        self._fewest = max(1, window // 8)
        self._beginnings.most = HELD * window

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be sent."""
        left = self._ready or self._returned or self._beginnings.waiting
        return (self._ended and not left) or (self._closed and self.error is not None)

    async def next(self, place: Place = None) -> tuple[Request, bytes | Failure] | None:
        """The next request with its body, or with the failure in its place; None when there are no more.

        ``place`` is where it is sent: siblings of one that was answered there go there too.
        """
        while self.error is None or not self._closed:
            # Before the look: the thread may make one more between the two.
            ended = self._ended
            if (entry := self._take(place, last=ended and self._under_way < self._fewest)) is not None:
                self._under_way += 1
                request, body = entry
                return (request, body) if body is not None else await self._made(request)
            if ended and not self._beginnings.waiting:
                break
            waiter = self._loop.create_future()
            self._waiting.append((place, waiter))
            # The thread looks for a waiter after it has added, so this side looks again after it has queued.
            if self._ready or self._ended != ended:
                self._waiting.remove((place, waiter))
                continue
            await waiter
        return None

    def release(self, count: int = 1) -> None:
        """So many requests that ``next`` gave are over: there is room for others."""
        self._make_room(count)

    def answered(self, request: Request, *, well: bool) -> None:
        """A request that ``next`` gave has its outcome, an answer or none: its siblings need not wait for it."""
        self._under_way -= 1
        self._beginnings.ended(request, answered=well)
        self._wake_for_siblings()

    def give_back(self, entry: Ready) -> None:
        """A request that ``next`` gave was not answered where it was sent, and goes out again before others."""
        self._under_way -= 1
        self._beginnings.ended(entry[0], answered=False)
        self._returned.append(entry)
        self._wake_some(1)

    def forget(self, place: Place) -> None:
        """Nothing is sent there any more: what waits to go there may go anywhere."""
        self._beginnings.forget(place)
        self._wake_some(len(self._waiting))

    def _wake_for_siblings(self) -> None:
        if self._ended and not self._beginnings.waiting:
            self._wake_some(len(self._waiting))
            return
        for place, count in self._beginnings.freed.items():
            self._wake_some(count, place)
        if self._ended and (idle := self._fewest - self._under_way) > 0:
            self._wake_some(idle)

    def _take(self, place: Place, *, last: bool) -> Ready | None:
        before = self._beginnings.waiting
        entry = self._beginnings.next(self._unseen, place, last=last)
        self._make_room(self._beginnings.waiting - before)
        return entry

    def _unseen(self) -> Ready | None:
        coming = self._returned or self._ready
        return coming.popleft() if coming else None

    async def _made(self, request: Request) -> tuple[Request, bytes | Failure] | None:
        """The request with its body; None where that cannot be made, which ends the asking."""
        try:
            return request, await self._loop.run_in_executor(self._makers, request.payload)
        except asyncio.CancelledError:
            self.give_back((request, None))
            raise
        except Exception as error:  # noqa: BLE001 - raised again where the outcomes are awaited
            self._fail(error)
            return None

    def _fail(self, error: BaseException) -> None:
        """Send nothing more, since the error must be seen: what is under way comes to its end."""
        self.error = self.error or error
        with self._room:
            self._closed = True
            self._room.notify()
        self._wake_some(len(self._waiting))

    def _make_room(self, count: int) -> None:
        with self._room:
            before, self._counted = self._counted, self._counted - count
            if before > self._most - _REFILL >= self._counted:
                self._room.notify()

    def _wake_some(self, count: int, place: Place = None) -> None:
        """Let so many look again: of those who send to ``place``, or of all."""
        others = []
        while self._waiting and count > 0:
            one, waiter = self._waiting.popleft()
            if waiter.done():
                continue
            if place is not None and one is not place:
                others.append((one, waiter))
                continue
            waiter.set_result(None)
            count -= 1
        self._waiting.extendleft(reversed(others))

    def _wake(self) -> None:
        """Let as many waiters look as there is something to see."""
        if self._ended:
            self._finished.set()
        self._wake_some(len(self._waiting) if self._ended else len(self._ready))

    # --- in the thread ---

    def _pull(self) -> None:
        try:
            iterator = iter(self._requests)
            try:
                while self._has_room() and (request := next(iterator, None)) is not None:
                    self._ready.append((request, None if request.beginning else request.payload()))
                    del request
                    if self._waiting:
                        self._tell()
            finally:
                # A generator is closed where it ran, so that its files are not left to the garbage collector.
                if close := getattr(iterator, "close", None):
                    close()
        except BaseException as error:  # noqa: BLE001 - raised again where the outcomes are awaited
            self.error = self.error or error
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
