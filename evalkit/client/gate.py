"""What holds the window back while a server refuses for now: 429, 502 to 504, or no connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from evalkit.client.tries import CHANCE

if TYPE_CHECKING:
    from evalkit.client.request import SendingPolicy


class Gate:
    """Open while the server takes requests. While it refuses, one request at a time looks whether it takes them again.

    Patience is time, not tries: a server that starts up, is started again or has a limit refuses thousands of requests
    in a minute, and none of them has anything to do with it.
    """

    def __init__(self, policy: SendingPolicy) -> None:
        """Begin open."""
        self._policy = policy
        self._since: float | None = None
        self._until = 0.0
        self._rounds = 0
        self._looking = False
        self._moved = asyncio.Event()
        self.reason = ""
        """What the server said when it refused last."""

    @property
    def refusing_s(self) -> float:
        """Seconds for which the server has refused everything; 0 while it takes requests."""
        return 0.0 if self._since is None else _now() - self._since

    async def enter(self) -> bool:
        """Wait until a request may be sent; returns whether it is the one that looks."""
        while self._since is not None and (left_s := self._since + self._policy.patience_s - _now()) > 0:
            wait_s = self._until - _now()
            if wait_s <= 0 and not self._looking:
                self._looking = True
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s if self._looking else min(wait_s, left_s)):
                    await self._moved.wait()
        return False

    def leave(self, *, looked: bool) -> None:
        """The request that ``enter`` let in is over, however it ended."""
        if looked:
            self._looking = False
            self._move()

    def note_taken(self) -> None:
        """The server has answered a request, be it with an error: it refuses no longer."""
        if self._since is not None:
            self._since, self._rounds = None, 0
            self._move()

    def note_refused(self, reason: str, retry_after_s: float | None) -> None:
        """The server refuses: hold back, longer each time; requests that were refused together count once."""
        now, self.reason = _now(), reason
        if self._since is None:
            self._since = now
        if retry_after_s is not None:
            self._until = max(self._until, now + retry_after_s)
        elif now >= self._until:
            span = min(self._policy.first_wait_s * 2 ** min(self._rounds, 60), self._policy.longest_wait_s)
            self._until = now + span * CHANCE.uniform(0.5, 1.0)
            self._rounds += 1

    def over(self, first: float) -> bool:
        """Whether a request that was first refused at ``first`` (the loop's time) has been patient for long enough."""
        since = first if self._since is None else min(first, self._since)
        return _now() - since >= self._policy.patience_s

    def _move(self) -> None:
        """Let everybody who waits look again."""
        self._moved.set()
        self._moved = asyncio.Event()


def _now() -> float:
    return asyncio.get_running_loop().time()
