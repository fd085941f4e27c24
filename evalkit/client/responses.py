"""What a response says: bytes become an ``Outcome``, and an error page one sentence. Nothing here raises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalkit import printable
from evalkit.types import Answer, Failure, FailureKind

if TYPE_CHECKING:
    from evalkit.types import Json, Outcome

LONGEST_MESSAGE = 500
"""Characters of a server's own words that are kept in a ``Failure``."""


def read_chat(body: bytes, model: str) -> Outcome:
    """What a ``/v1/chat/completions`` response with status 200 says.

    Returns:
        An ``Answer`` (its ``latency_s`` is for the sender to fill in), with ``text=None`` for
        ``content: null``; ``WRONG_MODEL`` when the response names a model other than ``model``;
        ``BAD_RESPONSE`` for all else.
    """
    try:
        said = _object(body)
        if said.get("model") not in (None, model):
            return wrong_model(model, said["model"])
        choice = _first_choice(said)
        text = _content(choice)
    except _UnusableError as error:
        return Failure(FailureKind.BAD_RESPONSE, one_line(f"{error}: {excerpt(body)}" if body.strip() else str(error)))
    reason = choice.get("finish_reason")
    usage = said.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Answer(
        text=text,
        finish_reason=storable(reason) if isinstance(reason, str) else None,
        prompt_tokens=token_count(counts.get("prompt_tokens")),
        completion_tokens=token_count(counts.get("completion_tokens")),
        latency_s=0.0,
    )


def wrong_model(asked: str, said: Json) -> Failure:
    """The failure of a response that names a model other than the one that was asked."""
    return Failure(FailureKind.WRONG_MODEL, one_line(f"asked {asked}, but {said} answered"))


class _UnusableError(Exception):
    """What keeps a body from being a chat completion."""


def _object(body: bytes) -> dict[str, Json]:
    if not body.strip():
        raise _UnusableError("the body is empty")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise _UnusableError("not JSON") from None
    if not isinstance(said, dict):
        raise _UnusableError("not a JSON object")
    return said


def _first_choice(said: dict[str, Json]) -> dict[str, Json]:
    choices = said.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _UnusableError("no choices")
    if not isinstance(choices[0], dict):
        raise _UnusableError("choices[0] is not an object")
    return choices[0]


def _content(choice: dict[str, Json]) -> str | None:
    message = choice.get("message")
    if not isinstance(message, dict):
        raise _UnusableError("choices[0] has no message")
    if message.get("role") not in (None, "assistant"):
        raise _UnusableError("choices[0].message.role is not 'assistant'")
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise _UnusableError("choices[0].message.content is neither text nor null")
    return None if content is None else storable(content)


def error_message(body: bytes) -> str:
    """The server's own words in an error response, in one line of bounded length; empty when it has none.

    Understands ``{"error": {"message": ...}}``, ``{"error": ...}``, ``{"message": ...}``, ``{"detail": ...}``
    (text, or a list of ``{"msg": ...}`` as FastAPI sends it) and plain text.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return excerpt(body)
    return _words(said) or excerpt(body)


def _words(said: Json) -> str:
    """The sentence inside a parsed error body, or nothing."""
    if isinstance(said, str):
        return one_line(said)
    if isinstance(said, list):
        return one_line("; ".join(filter(None, map(_words, said[:10]))))
    if isinstance(said, dict):
        for name in ("error", "message", "detail", "msg"):
            if words := _words(said.get(name)):
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


def token_count(value: Json) -> int | None:
    """A token count, when it is one (and fits into a database's integer)."""
    return value if type(value) is int and 0 <= value < 2**63 else None
