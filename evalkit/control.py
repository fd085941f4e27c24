"""Short questions to a server, asked one at a time: is it healthy, which models, which version.

``requests`` is enough here; everything under load goes through ``evalkit.client``.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import requests

from evalkit.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from evalkit.types import Json

_LONGEST_BODY_BYTES: Final = 2**20
API_KEY: Final = "EVALKIT_API_KEY"
"""Variable with the key of servers that ask for one. A flag or a file would stand in the report."""


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
    """The environment's proxy for ``url``; none for this machine and for what ``no_proxy`` names."""
    parts = urlsplit(url)
    if is_local(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = getproxies().get(parts.scheme)
    return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def healthy(url: str, *, timeout_s: float = 5.0) -> bool:
    """Whether ``/health`` answers 200 now. Only the status counts: a body may be anything."""
    try:
        with session(url) as own, _get(own, url, "/health", timeout_s) as response:
            return response.status_code == 200
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
        InfrastructureError: The server cannot be reached in time, or does not answer as a model server does.
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


def authorization() -> dict[str, str]:
    """The header that servers with a key want; empty where no key is set."""
    key = os.environ.get(API_KEY, "")
    return {"Authorization": f"Bearer {key}"} if key else {}


def session(url: str) -> requests.Session:
    """A session for short questions to the server at ``url``."""
    found = requests.Session()
    # Proxy variables must not capture requests to this machine. (A .netrc must not take the place of our own key.)
    found.trust_env = False
    proxy = proxy_for(url)
    found.proxies = {"http": proxy, "https": proxy} if proxy else {}
    found.headers.update(authorization())
    return found


def _get(own: requests.Session, url: str, path: str, timeout_s: float) -> requests.Response:
    return own.get(server_root(url) + path, timeout=timeout_s, allow_redirects=False, stream=True)


def _json(url: str, path: str, timeout_s: float) -> Json:
    """The parsed body of a 200, or an error that says what came instead."""
    place = server_root(url) + path
    try:
        with session(url) as own, _get(own, url, path, timeout_s) as response:
            status = response.status_code
            body = _start(response)
    except requests.RequestException as error:
        raise InfrastructureError(
            f"{place}: no answer ({type(error).__name__})",
            fix="check that the server runs and that the address is right",
            evidence=str(error),
        ) from error
    if status == 200:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
    fix = "check that the address is that of an OpenAI-compatible server, such as vLLM"
    raise InfrastructureError(
        f"{place}: HTTP {status}, {'and no JSON' if status == 200 else 'not 200'}",
        fix=f"set {API_KEY} to a key that the server takes" if status in {401, 403} else fix,
        evidence=body[:500].decode("utf-8", "replace"),
    )


def _start(response: requests.Response) -> bytes:
    """The body, as far as a control answer may be long."""
    parts: list[bytes] = []
    left = _LONGEST_BODY_BYTES
    for part in response.iter_content(2**16):
        parts.append(part)
        left -= len(part)
        if left <= 0:
            break
    return b"".join(parts)
