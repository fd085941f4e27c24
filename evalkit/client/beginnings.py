"""Which request goes out next: one of those that share a beginning first, its siblings once it has answered.

vLLM keeps what it computed of a prompt's beginning, such as a picture, but only once it has computed it: siblings that
are under way at the same time each compute it anew. On one H100 that took 66 of 70 questions a second from a
VQAv2-shaped task (256 under way).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.base.types import Failure
    from evalkit.client.request import Request

Ready: TypeAlias = "tuple[Request, bytes | Failure | None]"
"""A request with its body, or the failure in its place; None while it is not made."""

_REMEMBERED: Final = 4096
"""Beginnings that are known to have been answered. A server forgets them sooner: their siblings stand close by."""


class Beginnings:
    """Requests that wait for a sibling, and those that need not.

    Of the requests with one ``Request.beginning`` the first goes out; while it has not answered the others are held,
    and when it has they go out before anything else, in their order. Where the first one fails, the next takes its
    part. A request without a beginning is never held.
    """

    def __init__(self, most: int) -> None:
        """Hold at most ``most`` requests; where one more had to be held, the oldest goes out instead."""
        self._most = most
        self._opening: dict[str, Request] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._held: OrderedDict[str, deque[Ready]] = OrderedDict()
        self._freed: deque[Ready] = deque()
        self.held = 0
        """Requests that wait for a sibling's answer."""

    @property
    def waiting(self) -> int:
        """Requests that are held, and those that were and may go."""
        return self.held + len(self._freed)

    @property
    def freed(self) -> int:
        """Requests that were held and may go."""
        return len(self._freed)

    def next(self, ready: Callable[[], Ready | None], *, last: bool) -> Ready | None:
        """The request that goes out next; None where all that is there waits for a sibling.

        Args:
            ready: Gives the next request that nobody has looked at, in order; None where there is none for now.
            last: Whether nothing more will come before an answer does: then a place in the window is worth more than
                a beginning, and one that is held goes out.
        """
        if self._freed:
            return self._freed.popleft()
        while (entry := ready()) is not None:
            beginning = entry[0].beginning
            if not beginning or beginning in self._answered:
                return entry
            if beginning not in self._opening:
                self._opening[beginning] = entry[0]
                return entry
            self._held.setdefault(beginning, deque()).append(entry)
            self.held += 1
            if self.held > self._most:
                return self._oldest()
        return self._oldest() if last and self.held else None

    def ended(self, request: Request, *, answered: bool) -> None:
        """Note that a request which ``next`` gave has its outcome: what waited for it may go."""
        beginning = request.beginning
        if not beginning or beginning in self._answered:
            return
        if answered:
            self._opening.pop(beginning, None)
            self._answered[beginning] = None
            if len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)
            while beginning in self._held:
                self._freed.append(self._take(beginning))
        elif self._opening.get(beginning) is request:
            del self._opening[beginning]
            if beginning in self._held:
                self._freed.append(entry := self._take(beginning))
                self._opening[beginning] = entry[0]

    def _oldest(self) -> Ready:
        return self._take(next(iter(self._held)))

    def _take(self, beginning: str) -> Ready:
        waiting = self._held[beginning]
        entry = waiting.popleft()
        self.held -= 1
        if not waiting:
            del self._held[beginning]
        return entry
