"""Short questions to a server, asked one at a time: is it healthy, which models, which version.

``requests`` is enough here; everything under load goes through ``evalkit.client``. Every question is bounded: in its
time as a whole, however slowly the answer trickles, and in the size of that answer. No redirect is followed.
"""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.identity import decoded

# While `requests` is imported chardet passes for missing: it guesses encodings, which nobody asks of `requests` here,
# by tables that take a seventh of the time in which a command starts.
sys.modules.setdefault("chardet", None)  # type: ignore[arg-type]
try:
    import requests
finally:
    if not sys.modules["chardet"]:
        del sys.modules["chardet"]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.base.types import Json

_LONGEST_BODY_BYTES: Final = 2**20
LONGEST_BYTES: Final = 2**24
"""Of an answer that grows with a prompt, such as its token ids."""
_PIECE_BYTES: Final = 2**12
NOT_NOW: Final = frozenset({429, 502, 503, 504})
"""Statuses of a server, or of what stands before it, that may answer a little later: no try of a request is counted."""
_STUMBLES: Final = 3
_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 30.0
API_KEY: Final = "EVALKIT_API_KEY"
"""Variable with the key of servers that ask for one. A flag or a file would stand in the report."""
_own_keys: Final[dict[str, str]] = {}
"""Host and port of a server of ours that others can reach to the key it was started with: nobody else is shown it."""


def server_root(url: str) -> str:
    """The address that paths such as ``/health`` are appended to: no trailing slash, and no ``/v1``.

    People paste what other tools call the base URL, which ends in ``/v1``; both are understood.

    Raises:
        UsageError: ``url`` is not ``http://`` or ``https://`` with a host.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is not the address of a server", fix="write it like http://127.0.0.1:8000")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def is_local(url: str) -> bool:
    """Whether ``url`` names this very machine, which no proxy can reach."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def proxy_for(url: str) -> str | None:
    """The environment's proxy for ``url``; none for this machine, servers of ours, and what ``no_proxy`` names."""
    parts = urlsplit(url)
    if is_local(url) or parts.netloc in _own_keys or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = getproxies().get(parts.scheme)
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to a question."""

    status: int
    body: bytes
    whole: bool
    """False when the body is longer than was allowed, and only begins here."""
    retry_after_s: float | None = None
    """Seconds for which the server wants to be left alone; None when it does not say."""

    def json(self) -> Json:
        """What the body spells.

        Raises:
            ValueError: It is no JSON, not whole, or nested too deep.
        """
        if not self.whole:
            raise ValueError(f"longer than {len(self.body):,} bytes")
        return decoded(self.body)


class NotNowError(InfrastructureError):
    """A server cannot be reached, or says that it cannot answer now: it may a little later."""

    def __init__(self, message: str, *, fix: str, evidence: str, retry_after_s: float = 0.0) -> None:
        """Keep how long the server asks to be left alone."""
        super().__init__(message, fix=fix, evidence=evidence)
        self.retry_after_s = retry_after_s


def healthy(url: str, *, timeout_s: float = 5.0) -> bool:
    """Whether ``/health`` answers 200 now. Only the status counts: a body may be anything."""
    try:
        with session(url) as own:
            return exchange(own, server_root(url) + "/health", deadline_s=timeout_s, most=0).status == 200
    except requests.RequestException:
        return False


def version(url: str, *, timeout_s: float = 5.0) -> str | None:
    """The version that the server states at ``/version``; None when it states none."""
    try:
        said = _json(url, "/version", timeout_s)
    except InfrastructureError:
        return None
    stated = said.get("version") if isinstance(said, dict) else None
    return stated if isinstance(stated, str) else None


def served_models(url: str, *, timeout_s: float = 10.0) -> list[dict[str, Json]]:
    """The entries of ``/v1/models``, as the server sent them; each has at least an ``id`` (text).

    Raises:
        NotNowError: The server cannot be reached in time, or says that it cannot answer now.
        InfrastructureError: It does not answer as a model server does.
    """
    said = _json(url, "/v1/models", timeout_s)
    entries = said.get("data") if isinstance(said, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries
    ):
        raise InfrastructureError(
            f"{server_root(url)}/v1/models: the response is not a list of models",
            fix="check that the address is that of an OpenAI-compatible server, such as vLLM",
        )
    return entries


def patiently(url: str, patience_s: float, tell: Callable[[str], None]) -> list[dict[str, Json]]:
    """``served_models`` of a server that may not be there yet: asked again until it answers or the patience is over.

    Args:
        url: The server's address.
        patience_s: Seconds.
        tell: Told once that there is waiting, and for what.

    Raises:
        InfrastructureError: The server did not answer in that time, or not as a model server does.
    """
    until, pause_s, told = time.monotonic() + patience_s, _PAUSE_S / 8, False
    while True:
        try:
            return served_models(url)
        except NotNowError as error:
            if not told and pause_s >= _PAUSE_S:  # one lost connection is not worth a word
                tell(f"{error.message}; it is asked again for up to {patience_s:g} s (--patience)")
                told = True
            if not _waited(max(pause_s, error.retry_after_s), until):
                raise
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _waited(wait_s: float, until: float) -> bool:
    """Wait before a question is asked again; at once False where the patience would be over by then."""
    if time.monotonic() + wait_s > until:
        return False
    time.sleep(wait_s)
    return True


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


def remember_key(url: str, key: str) -> None:
    """Show ``key`` from now on to the server at ``url``, and to no other: evalkit has started it with that."""
    _own_keys[urlsplit(url).netloc] = key


def forget_key(url: str) -> None:
    """Show the server at ``url`` no key of its own any more: what answers there later is another one."""
    _own_keys.pop(urlsplit(url).netloc, None)


def authorization(url: str = "") -> dict[str, str]:
    """The header that the server at ``url`` wants, where it is one with a key; empty where no key is known.

    A server of ours is shown its own key, every other one that of the variable; blanks and line ends around that are
    dropped.

    Raises:
        UsageError: The key has a sign that no header can hold. The key itself is never shown.
    """
    if own := _own_keys.get(urlsplit(url).netloc):
        return {"Authorization": f"Bearer {own}"}
    key = os.environ.get(API_KEY, "").strip()
    for at, sign in enumerate(key, 1):
        if not "!" <= sign <= "~":
            raise UsageError(
                f"{API_KEY}: character {at} of {len(key)} cannot stand in an HTTP header",
                fix="set it to the key alone: letters, digits and signs of ASCII, without blanks or line ends",
            )
    return {"Authorization": f"Bearer {key}"} if key else {}


def session(url: str) -> requests.Session:
    """A session for short questions to the server at ``url``.

    Raises:
        UsageError: The key cannot be sent.
    """
    found = requests.Session()
    # Proxy variables must not capture requests to this machine. (A .netrc must not take the place of our own key.)
    found.trust_env = False
    proxy = proxy_for(url)
    found.proxies = {"http": proxy, "https": proxy} if proxy else {}
    found.headers.update({"Accept-Encoding": "identity", **authorization(url)})
    return found


def exchange(
    own: requests.Session,
    place: str,
    *,
    deadline_s: float,
    most: int = _LONGEST_BODY_BYTES,
    body: Mapping[str, Json] | None = None,
) -> Said:
    """Ask one question and take its answer; no redirect is followed.

    The library's own timeouts begin again with every byte. So it works in a thread, which is left behind when the time
    is over: it ends with its connection, and keeps nobody waiting.

    Args:
        own: From ``session``.
        place: Whole address.
        deadline_s: From the look-up of the address to the last byte of the answer.
        most: Bytes of the answer's body that are taken.
        body: Sent as JSON with POST; without one it is a GET.

    Raises:
        requests.RequestException: There is no answer in time.
    """
    box: SimpleQueue[Said | BaseException] = SimpleQueue()
    until = time.monotonic() + deadline_s

    def work() -> None:
        try:
            box.put(_exchanged(own, place, body, until, most))
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is awaited
            box.put(error)

    Thread(target=work, name="evalkit-control", daemon=True).start()
    try:
        found = box.get(timeout=deadline_s)
    except Empty:
        raise requests.Timeout(f"no whole answer within {deadline_s:g} s") from None
    if isinstance(found, BaseException):
        raise found
    return found


def _exchanged(own: requests.Session, place: str, body: Mapping[str, Json] | None, until: float, most: int) -> Said:
    method, left_s = "GET" if body is None else "POST", max(0.001, until - time.monotonic())
    with own.request(method, place, json=body, timeout=left_s, allow_redirects=False, stream=True) as response:
        taken, whole = bytearray(), True
        for piece in response.iter_content(_PIECE_BYTES) if most else ():
            taken += piece
            if len(taken) > most or time.monotonic() > until:
                whole = False
                break
        return Said(response.status_code, bytes(taken[:most]), whole, retry_after_s(response.headers))


def insist(
    own: requests.Session, place: str, *, body: Mapping[str, Json], deadline_s: float, most: int, patience_s: float
) -> Said:
    """``exchange``, again while the server cannot be reached or says that it cannot answer now.

    A server that stumbles (500) is asked a few times only: it may stumble over this very question.

    Raises:
        requests.RequestException: There was no answer until the patience was over.
    """
    until, pause_s, stumbles = time.monotonic() + patience_s, _PAUSE_S / 8, 0
    while True:
        try:
            said = exchange(own, place, deadline_s=deadline_s, most=most, body=body)
        except requests.RequestException:
            if not _waited(pause_s, until):
                raise
        else:
            if said.status < 500 and said.status not in NOT_NOW:
                return said
            stumbles += said.status not in NOT_NOW
            if stumbles > _STUMBLES or not _waited(max(pause_s, said.retry_after_s or 0.0), until):
                return said
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _json(url: str, path: str, timeout_s: float) -> Json:
    """The parsed body of a 200, or an error that says what came instead."""
    place = server_root(url) + path
    try:
        with session(url) as own:
            said = exchange(own, place, deadline_s=timeout_s)
    except requests.RequestException as error:
        # No patience gives an unknown host an address.
        kind = InfrastructureError if "NameResolutionError" in str(error) else NotNowError
        raise kind(
            f"{place}: no answer ({type(error).__name__})",
            fix="check that the server runs and that the address is right",
            evidence=str(error),
        ) from error
    if said.status == 200:
        try:
            return said.json()
        except ValueError:
            pass
    evidence = said.body[:500].decode("utf-8", "replace")
    if said.status in NOT_NOW:
        fix = "wait until the server takes requests, and run the same command again"
        raise NotNowError(
            f"{place}: HTTP {said.status}",
            fix=fix,
            evidence=evidence,
            retry_after_s=said.retry_after_s or 0.0,
        )
    fix = "check that the address is that of an OpenAI-compatible server, such as vLLM"
    raise InfrastructureError(
        f"{place}: HTTP {said.status}, {'and no JSON' if said.status == 200 else 'not 200'}",
        fix=f"set {API_KEY} to a key that the server takes" if said.status in {401, 403} else fix,
        evidence=evidence,
    )
