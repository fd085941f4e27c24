"""A server's own words: an error page becomes one sentence that can be kept. Nothing here raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base import printable
from evalkit.base.identity import decoded

if TYPE_CHECKING:
    from evalkit.base.types import Json

LONGEST_MESSAGE = 500
"""Characters of a server's own words that are kept in a ``Failure``."""
_DEEPEST = 5
"""How deep in an error page a sentence is looked for."""


def error_message(body: bytes) -> str:
    """The server's own words in an error response, in one line of bounded length; empty when it has none.

    Understands ``{"error": {"message": ...}}``, ``{"error": ...}``, ``{"message": ...}``, ``{"detail": ...}``
    (text, or a list of ``{"msg": ...}`` as FastAPI sends it) and plain text.
    """
    try:
        said = decoded(body)
    except ValueError:
        return excerpt(body)
    return _words(said, _DEEPEST) or excerpt(body)


def _words(said: Json, deeper: int) -> str:
    """The sentence inside a parsed error body, or nothing."""
    if isinstance(said, str):
        return one_line(said)
    if not deeper:
        return ""
    if isinstance(said, list):
        return one_line("; ".join(filter(None, (_words(one, deeper - 1) for one in said[:10]))))
    if isinstance(said, dict):
        for name in ("error", "message", "detail", "msg"):
            if words := _words(said.get(name), deeper - 1):
                return words
    return ""


def excerpt(body: bytes) -> str:
    """The start of a body, as text."""
    return one_line(body[: 4 * LONGEST_MESSAGE].decode("utf-8", "replace"))


def one_line(words: str) -> str:
    """Words in one line that is short enough to keep and can be stored."""
    line = printable.one_line(storable(words))
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def storable(text: str) -> str:
    r"""The text with lone surrogates replaced.

    JSON can spell them (``"\ud800"``), but no file and no database holds them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
