"""Which request goes out next: one of those that share a beginning first, its siblings once it has answered.

vLLM keeps what it computed of a prompt's beginning, such as a picture, but only once it has computed it: siblings that
are under way at the same time each compute it anew. On one H100 that took 66 of 70 questions a second from a
VQAv2-shaped task (256 under way).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.base.types import Failure
    from evalkit.client.request import Request

Ready: TypeAlias = "tuple[Request, bytes | Failure | None]"
"""A request with its body, or the failure in its place; None while it is not made."""

Place: TypeAlias = Hashable
"""Where a request is sent: a server, or None where there is but one."""

_REMEMBERED: Final = 4096
"""Beginnings that are known to have been answered. A server forgets them sooner: their siblings stand close by."""


class Beginnings:
    """Requests that wait for a sibling, and those that need not.

    Of the requests with one ``Request.beginning`` the first goes out; while it has not answered the others are held,
    and when it has they go out before anything else, in their order, to the server that answered it. Where the first
    one fails, the next takes its part. A request without a beginning is never held.
    """

    def __init__(self, most: int) -> None:
        """Hold at most ``most`` requests; where one more had to be held, the oldest goes out instead."""
        self.most = most
        self._opening: dict[str, tuple[Request, Place]] = {}
        self._answered: OrderedDict[str, Place] = OrderedDict()
        self._held: OrderedDict[str, deque[Ready]] = OrderedDict()
        self._freed: dict[Place, deque[Ready]] = {}
        self.held = 0
        """Requests that wait for a sibling's answer."""

    @property
    def waiting(self) -> int:
        """Requests that are held, and those that were and may go."""
        return self.held + sum(map(len, self._freed.values()))

    @property
    def freed(self) -> dict[Place, int]:
        """How many requests were held and may go, by the server they go to."""
        return {place: len(some) for place, some in self._freed.items() if some}

    def next(self, ready: Callable[[], Ready | None], place: Place = None, *, last: bool) -> Ready | None:
        """The request that goes out next; None where all that is there waits for a sibling, or goes elsewhere.

        Args:
            ready: Gives the next request that nobody has looked at, in order; None where there is none for now.
            place: Where it would go.
            last: Whether nothing more will come before an answer does: then a place in the window is worth more than
                a beginning, and one that is held goes out.
        """
        if mine := self._freed.get(place) or self._freed.get(None):
            freed = mine.popleft()
            if self._opening.get(freed[0].beginning, (None,))[0] is freed[0]:
                self._opening[freed[0].beginning] = (freed[0], place)
            return freed
        while (entry := ready()) is not None:
            beginning = entry[0].beginning
            if not beginning:
                return entry
            if beginning in self._answered:
                home = self._answered[beginning]
                if home == place or self.waiting - self.held >= self.most:
                    return entry
                self._freed.setdefault(home, deque()).append(entry)
                continue
            if beginning not in self._opening:
                self._opening[beginning] = (entry[0], place)
                return entry
            self._held.setdefault(beginning, deque()).append(entry)
            self.held += 1
            if self.held > self.most:
                return self._oldest()
        return self._oldest() if last else None

    def ended(self, request: Request, *, answered: bool) -> None:
        """Note that a request which ``next`` gave has its outcome: what waited for it may go."""
        beginning = request.beginning
        if not beginning or beginning in self._answered:
            return
        first, place = self._opening.get(beginning, (None, None))
        if answered:
            self._opening.pop(beginning, None)
            self._answered[beginning] = place
            if len(self._answered) > _REMEMBERED:
                self._answered.popitem(last=False)
            while beginning in self._held:
                self._free(place, beginning)
        elif first is request:
            del self._opening[beginning]
            if beginning in self._held:
                self._opening[beginning] = (self._free(place, beginning)[0], place)

    def forget(self, place: Place) -> None:
        """What a server had at hand is lost with it: what waits to go there opens its beginning anew elsewhere."""
        for beginning in [one for one, home in self._answered.items() if home == place]:
            del self._answered[beginning]
        for beginning, (request, home) in self._opening.items():
            if home == place:
                self._opening[beginning] = (request, None)
        for entry in self._freed.pop(place, ()):
            self._freed.setdefault(None, deque()).append(entry)

    def _free(self, place: Place, beginning: str) -> Ready:
        entry = self._take(beginning)
        self._freed.setdefault(place, deque()).append(entry)
        return entry

    def _oldest(self) -> Ready | None:
        """One that is held, or that another server was to get; None where there is none."""
        if self._held:
            return self._take(next(iter(self._held)))
        waiting = max(self._freed.values(), key=len, default=None)
        return waiting.popleft() if waiting else None

    def _take(self, beginning: str) -> Ready:
        waiting = self._held[beginning]
        entry = waiting.popleft()
        self.held -= 1
        if not waiting:
            del self._held[beginning]
        return entry
