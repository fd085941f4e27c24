"""What one try means: its failure's name, whether another may end otherwise, and how long that one waits."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import aiohttp

from evalkit.base.types import Failure, FailureKind
from evalkit.client.control import NOT_NOW, retry_after_s
from evalkit.client.responses import LONGEST_MESSAGE, error_message

if TYPE_CHECKING:
    from evalkit.base.types import Outcome, Replies
    from evalkit.client.request import SendingPolicy

CHANCE: Final = random.Random()  # noqa: S311 - not a secret
"""Of waits alone: from the process's own one lm-eval's code draws examples in a thread, in an order that counts."""

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


@dataclass(slots=True)
class Tried:
    """How one try ended."""

    outcome: Outcome | Replies
    again: bool
    """Whether another try may end otherwise."""
    for_now: bool = False
    """Whether the server refuses everybody for a while: that costs no try."""
    retry_after_s: float | None = None
    seconds: float = 0.0


def one_failure(said: Outcome | Replies) -> Outcome | Replies:
    """A failure in the place of replies that are all failures, as a server that is being stopped sends them."""
    if isinstance(said, tuple) and said and all(isinstance(one, Failure) for one in said):
        return said[0] or said
    return said


def refused(response: aiohttp.ClientResponse, body: bytes) -> Tried:
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
    return Tried(Failure(kind, message), again, status in NOT_NOW, retry_after_s(response.headers) if again else None)


def broken(error: Exception, too_late: str) -> Failure:
    """The name of a try that the network ended."""
    kind = next(kind for types, kind in _BROKEN if isinstance(error, types))
    if kind is FailureKind.DEADLINE:
        return Failure(kind, too_late)
    return Failure(kind, (str(error) or type(error).__name__)[:LONGEST_MESSAGE])


def with_history(failure: Failure, earlier: list[FailureKind]) -> Failure:
    """The failure, naming the kinds of the tries before it where they were others."""
    others = [str(kind) for kind in dict.fromkeys(earlier) if kind is not failure.kind]
    return replace(failure, message=f"{failure.message} (before: {', '.join(others)})") if others else failure


def wait_before_try(number: int, retry_after: float | None, policy: SendingPolicy) -> float:
    """Seconds to wait before try ``number`` (2 or more).

    Exponential backoff with full jitter: uniform between 0 and ``first_wait_s * 2 ** (number - 2)``, so that
    a window of requests that failed together does not come back together. A ``Retry-After`` takes the place
    of the growth: its seconds, and up to ``first_wait_s`` more. Never more than ``longest_wait_s``.
    """
    span = policy.first_wait_s * 2 ** min(number - 2, 60) if retry_after is None else policy.first_wait_s
    wait = (retry_after or 0.0) + CHANCE.uniform(0, min(span, policy.longest_wait_s))
    return min(wait, policy.longest_wait_s)
