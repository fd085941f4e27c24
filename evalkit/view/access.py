"""Who may come in: this machine, by the right name, with the token; and what every reply carries.

A page of another site can make a browser send requests to 127.0.0.1. It gets nothing: its name is refused (DNS
rebinding), it does not know the token, and the cookie is not sent for it (SameSite=Strict).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from markupsafe import Markup
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Access:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        """Let in who comes to ``port`` with ``token``, which opens once."""
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._cookie = f"evalkit-{port}"
        self._token: str | None = token
        self._key = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, admit, or pass on."""
        if scope["type"] != "http":
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._answer(Request(scope))
        await (answer or self._app)(scope, receive, with_headers)

    def _answer(self, request: Request) -> Response | None:
        """What the door itself says; None when the request may pass."""
        if request.headers.getlist("host") not in [[host] for host in self._hosts]:
            return PlainTextResponse("This viewer answers to 127.0.0.1 alone.\n", 421)
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("This viewer only shows.\n", 405, {"allow": "GET, HEAD"})
        known = _same(request.cookies.get(self._cookie, ""), self._key)
        token = request.query_params.get("token")
        if token is not None and request.method == "GET" and (known or self._opens(token)):
            return self._welcome(request)
        if known:
            return None
        why = "This link has been used, or is not this viewer's." if token else "This viewer needs its link."
        return PlainTextResponse(f"{why}\nStart `evalkit view` again and open the address that it prints.\n", 403)

    def _opens(self, token: str) -> bool:
        if self._token is None or not _same(token, self._token):
            return False
        self._token = None
        return True

    def _welcome(self, request: Request) -> Response:
        """Give the cookie, and lead on to the address without the token.

        A page, not a redirect: when the link was followed from another site, only a step that begins here carries
        a strict cookie.
        """
        rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
        address = "/" + quote(request.scope["path"].lstrip("/")) + (f"?{urlencode(rest)}" if rest else "")
        page = Markup(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>evalkit</title>'
            '<meta http-equiv="refresh" content="0;url={0}"><p><a href="{0}">Go on</a></p></html>'
        ).format(address)
        reply = HTMLResponse(page)
        reply.set_cookie(self._cookie, self._key, httponly=True, samesite="strict", path="/")
        return reply


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode())
