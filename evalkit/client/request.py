"""What is asked of a model, how patiently, and the seam behind which the network lies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from evalkit.base.errors import UsageError
from evalkit.base.types import Failure, Outcome, Replies
from evalkit.client.completions import Names, read_chat

Reader: TypeAlias = Callable[[bytes, Names], Outcome | Replies]
"""``(body of a 200, the names of the model asked) -> outcome``, or a reply for each sample that the request asks.

It must not raise.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask of a model."""

    key: str | tuple[str, ...]
    """The caller's name for it, such as a fingerprint, or one for each sample that it asks; never looked at."""
    payload: Callable[[], bytes | Failure]
    """Makes the JSON body, or the failure that stands in its place: a row that cannot be encoded is not sent.

    Called once, in a thread: in the order of the requests, or, with a ``beginning``, when it is sent. What it raises
    ends the asking.
    """
    path: str = "/v1/chat/completions"
    read: Reader = read_chat
    """Reads the body of a 200 that came back from ``path``."""
    more_tokens: int = 0
    """Tokens that may be generated for it beyond one answer, as for a request for 50 attempts. They buy it time."""
    separable: bool = False
    """Whether its samples can also be asked without each other (``Session.alone``), so that one of them that the
    server refuses or stumbles over need not fail the others."""
    beginning: str = ""
    """What its prompt begins with, such as a picture's digest: the same word for all that share it. One of them goes
    out first, the others once it has answered, so that the server has it at hand. Never part of an identity."""


@dataclass(frozen=True, slots=True)
class SendingPolicy:
    """How many requests are under way at once, and how patiently each one is tried."""

    window: int = 16
    """Requests under way at once; one that waits for its next try counts."""
    widest: int = 0
    """The window may grow so far, and shrink, by what the server's ``/metrics`` say; 0: it stays as it is."""
    look_at_load_s: float = 2.0
    """Between two looks at ``/metrics``."""
    tries: int = 4
    """Including the first."""
    first_wait_s: float = 0.5
    """The longest wait before the second try; it doubles with every further try."""
    longest_wait_s: float = 30.0
    """No wait is longer, whatever ``Retry-After`` says."""
    patience_s: float = 600.0
    """How long a request is sent again while the server refuses it for now (429, 502 to 504, no connection), and a
    server that refuses everything is borne."""
    look_s: float = 15.0
    """After so long a silence ``/health`` is asked whether the server is still there."""
    deadline_s: float = 600.0
    """From the start of a try to the last byte of its response, where one answer is asked for."""
    slowest_tokens_per_s: float = 16.0
    """What a slow server generates for one request. ``Request.more_tokens`` lengthen its deadline at this speed; that
    deadline is counted from the last response to any request, and one that was met is not tried again."""
    connect_s: float = 10.0
    """For making one connection."""
    response_bytes: int = 64 * 2**20
    """A longer response is a ``BAD_RESPONSE``."""
    lost_windows: int = 4
    """The server is lost after ``window * lost_windows`` requests in a row that failed on every try."""

    def __post_init__(self) -> None:
        """Refuse what could never send anything.

        Raises:
            UsageError: A field is too small.
        """
        for name, least in (("window", 1), ("tries", 1), ("response_bytes", 1), ("lost_windows", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} = {getattr(self, name)}", fix=f"it must be at least {least}")
        for name in ("look_s", "look_at_load_s", "deadline_s", "connect_s", "slowest_tokens_per_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} = {getattr(self, name)}", fix="it must be more than 0")
        for name in ("first_wait_s", "longest_wait_s", "patience_s"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} = {getattr(self, name)}", fix="it must be 0 or more")


class Asks(Protocol):
    """Whoever can ask a model: ``Client``, or a test's stand-in."""

    def ask(self, requests: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome | Replies], None]:
        """Every request with its outcome or its replies, in the order of arrival."""
