"""What a conversation sends in one go: what was owed when it began, and what looks bring while that is under way."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from threading import Condition
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator

    from evalkit.client import Request

    Requests = Generator[Request, None, None]


class Stream:
    """Requests in the order in which they go out; what comes later goes before what is left of the first ones.

    One thread takes ``requests``, and may have to wait there. Another one says what has become of them.
    """

    def __init__(self, first: Requests, *, waits: bool = True) -> None:
        """Begin with what is owed, and wait for more or not."""
        self._first = first
        self._later: deque[Requests] = deque()
        self._turn = Condition()
        self._under_way = 0
        self.ended = not waits
        """Whether nothing may come any more."""

    def __enter__(self) -> Self:
        """Nothing is taken yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody waits for more."""
        self.end()

    def requests(self) -> Requests:
        """Every request once. Waits for more as long as the outcome of one that was taken may bring some."""
        with closing(self._first):
            for request in self._first:
                yield from self._come()
                yield self._taken(request)
            while self._waits():
                yield from self._come()

    def _come(self) -> Requests:
        while self._later:
            with closing(self._later.popleft()) as requests:
                for request in requests:
                    yield self._taken(request)

    def _taken(self, request: Request) -> Request:
        with self._turn:
            self._under_way += 1
        return request

    def _waits(self) -> bool:
        """Wait for more; whether there is some."""
        with self._turn:
            self._turn.wait_for(lambda: self._later or self.ended or not self._under_way)
            return bool(self._later)

    def settled(self, brought: Requests | None) -> None:
        """One request has its outcome, which has brought more to be asked or has not."""
        with self._turn:
            self._under_way -= 1
            if brought is not None:
                self._later.append(brought)
            self._turn.notify()

    def end(self) -> None:
        """Let nobody wait for more: it would not come, or not be asked here."""
        with self._turn:
            self.ended = True
            self._turn.notify()
