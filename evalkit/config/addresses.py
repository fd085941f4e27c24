"""Addresses that a user writes: what is wrong with one, and the part of it that counts."""

from __future__ import annotations

from urllib.parse import urlsplit


def fault(url: str) -> str:
    """What keeps ``url`` from being a server's address; empty when nothing does."""
    if not _is_web(url):
        return "not the address of an HTTP server"
    parts = urlsplit(url)
    if parts.username or parts.password:
        return "an address with a password would stand in the report"
    return "more than an address" if parts.query or parts.fragment else ""


def fault_of_webhook(url: str) -> str:
    """What keeps ``url`` from being a webhook's; empty when nothing does. It never holds the address: that is a key."""
    return "" if url.isprintable() and _is_web(url) else "not the address of a webhook"


def root(url: str) -> str:
    """The server's address without ``/v1``, which people copy from other clients' settings."""
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port_fits
