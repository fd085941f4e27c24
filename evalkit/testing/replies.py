"""What a stand-in for a model server replies: parts that it plays, some of them troubles.

Parts, by name (``PARTS``); an argument follows a colon:

==================  ====================================================================================
``fine``            answers
``says:PATH``       answers with what the file says at that moment
``status:CODE``     always that status, with an error as vLLM words it (``status:404``)
``500-then-fine``   500 when a body comes for the first time, then an answer
``429-then-fine:S`` 429 with ``Retry-After: S`` when a body comes for the first time, then an answer
``429:S``           429 with ``Retry-After: S``, always
``empty``           200 without a body
``no-json``         200 with a page
``no-choices``      200 with ``choices: []``
``one-choice``      one answer, however many a request wants
``null-content``    200 with ``content: null``
``wrong-model``     200 that names another model
``half-body``       half of a response, then the connection closes
``half-head``       half of a response's head, then the connection closes
``silent-close``    the connection closes without a byte
``closes-reused``   like vLLM with its 5 s behind it: a second request on a connection finds it closed
``never``           takes the request and never answers
``redirect``        307 to another place
``endless``         a chunked body without an end
``faults:SEED``     a seeded third of the sendings goes wrong in one of the ways above; a fourth never does
==================  ====================================================================================
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeAlias

FOREVER: Final = float("inf")
_LAST_FAULT: Final = 3
"""After so many sendings of one body it goes well."""
REASONS: Final = {200: "OK", 307: "Temporary Redirect", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    path: str
    """Such as ``/v1/chat/completions``."""
    body: bytes
    """The JSON that a model server would get."""
    model: str
    """The model that this server serves."""
    earlier: int = 0
    """How often the same body came before."""
    on_connection: int = 0
    """How many requests the same connection carried before."""

    @property
    def digest(self) -> str:
        """Of its body, in which the model's name stands: of two models one question has two digests."""
        return sha256(self.body).hexdigest()

    @property
    def question(self) -> str:
        """The words of a chat's last message, what stands before and behind its pictures line by line."""
        return "\n".join(part["text"] for part in self._last() if part["type"] == "text")

    @property
    def pictures(self) -> tuple[bytes, ...]:
        """Those of a chat's last message as they are sent; where a task has ``images = "original"``, as stored."""
        urls = [part["image_url"]["url"] for part in self._last() if part["type"] == "image_url"]
        return tuple(base64.b64decode(url.partition("base64,")[2]) for url in urls)

    def _last(self) -> list[dict[str, Any]]:
        content: str | list[dict[str, Any]] = json.loads(self.body)["messages"][-1]["content"]
        return [{"type": "text", "text": content}] if isinstance(content, str) else content

    @property
    def choices(self) -> int:
        """How many answers it wants."""
        try:
            return int(json.loads(self.body).get("n", 1))
        except (ValueError, TypeError, AttributeError):
            return 1


@dataclass(frozen=True)
class Reply:
    """What goes back, and how."""

    status: int = 200
    """Of HTTP."""
    body: bytes = b""
    """As it is sent; ``chat``, ``as_json`` and ``error`` make usual ones."""
    headers: dict[str, str] = field(default_factory=dict)
    """Beside, or in place of, the usual ones."""
    bytes_sent: float = FOREVER
    """After so many bytes, head included, the connection closes."""
    wait_s: float = 0.0
    """How long the other side waits for it; for ever is until that side leaves."""
    endless: bool = False
    """Whether the body is followed by chunks without an end."""

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        length = {"transfer-encoding": "chunked"} if self.endless else {"content-length": str(len(self.body))}
        headers = {"server": "uvicorn", "content-type": "application/json", **length, **self.headers}
        head = f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}\r\n"
        return (head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n").encode() + self.body


Part: TypeAlias = Callable[[Asked], Reply]
"""What is replied to a request."""


def as_json(value: Any, **reply: Any) -> Reply:
    """A reply with a JSON body."""
    return Reply(body=json.dumps(value).encode(), **reply)


def error(status: int, message: str, **reply: Any) -> Reply:
    """An error in vLLM's shape."""
    said = {"error": {"message": message, "type": "Error", "param": None, "code": status}}
    return as_json(said, status=status, **reply)


def chat(asked: Asked, text: str | None = "", **changes: Any) -> Reply:
    """An answer in vLLM's shape; ``text`` is what it says, and by default made from the body's digest."""
    digest, count = asked.digest, asked.choices
    counts = {"prompt_tokens": 7 + int(digest[8:10], 16), "completion_tokens": 5 * count}
    said = {
        "id": f"chatcmpl-{digest[:32]}",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "choices": [_choice(digest, text, number) for number in range(count)],
        "system_fingerprint": "vllm-0.32.0-00000000",
        "usage": {**counts, "total_tokens": sum(counts.values())},
    }
    return as_json(said | changes)


def _choice(digest: str, text: str | None, number: int) -> dict[str, Any]:
    if text == "":
        seen = sha256(f"{digest} {number}".encode()).hexdigest() if number else digest
        text = f"Because of {seen[:12]}.\nFinal Answer: {int(seen[:8], 16) % 10}"
    said: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "tool_calls": [], "reasoning": None}
    ended = {"logprobs": None, "finish_reason": "stop", "stop_reason": None, "token_ids": [1, 2, 3, 4, 5]}
    return {"index": number, "message": said, **ended}


def _first_then_fine(reply: Reply) -> Part:
    return lambda asked: chat(asked) if asked.earlier else reply


def _closes_reused(asked: Asked) -> Reply:
    return replace(chat(asked), bytes_sent=0) if asked.on_connection else chat(asked)


def _cut(share: Callable[[bytes], int]) -> Part:
    def part(asked: Asked) -> Reply:
        reply = chat(asked)
        return replace(reply, bytes_sent=share(reply.encoded()))

    return part


def _faults(seed: str) -> Part:
    wrongs = [
        PARTS[name](argument)
        for name, argument in (
            ("status", "500"),
            ("status", "503"),
            ("429", "0"),
            ("empty", ""),
            ("no-choices", ""),
            ("half-body", ""),
            ("half-head", ""),
            ("silent-close", ""),
        )
    ]

    def part(asked: Asked) -> Reply:
        dice = random.Random(f"{seed} {asked.digest} {asked.earlier}")  # noqa: S311 - faults, not keys
        if asked.earlier >= _LAST_FAULT or dice.random() > 1 / 3:
            return chat(asked)
        return dice.choice(wrongs)(asked)

    return part


PARTS: dict[str, Callable[[str], Part]] = {
    "fine": lambda _: chat,
    "says": lambda path: lambda asked: chat(asked, Path(path).read_text()),
    "status": lambda code: lambda _: error(int(code), f"no: status {code}"),
    "500-then-fine": lambda _: _first_then_fine(error(500, "the engine stumbled")),
    "429-then-fine": lambda wait: _first_then_fine(error(429, "too many", headers={"Retry-After": wait})),
    "429": lambda wait: lambda _: error(429, "too many", headers={"Retry-After": wait}),
    "empty": lambda _: lambda _: Reply(),
    "no-json": lambda _: lambda _: Reply(body=b"<html>hello</html>"),
    "no-choices": lambda _: lambda asked: chat(asked, choices=[]),
    "one-choice": lambda _: lambda asked: chat(replace(asked, body=asked.body.replace(b'"n": ', b'"was": '))),
    "null-content": lambda _: lambda asked: chat(asked, None),
    "wrong-model": lambda _: lambda asked: chat(asked, model="another"),
    "half-body": lambda _: _cut(lambda whole: len(whole) - 100),
    "half-head": lambda _: _cut(lambda whole: whole.index(b"\r\n\r\n") // 2),
    "silent-close": lambda _: _cut(lambda _: 0),
    "closes-reused": lambda _: _closes_reused,
    "never": lambda _: lambda _: Reply(wait_s=FOREVER),
    "redirect": lambda _: lambda _: Reply(307, headers={"Location": "/v1/elsewhere"}),
    "endless": lambda _: lambda _: Reply(endless=True),
    "faults": _faults,
}


def part_named(text: str) -> Part:
    """The part that ``NAME`` or ``NAME:ARGUMENT`` stands for."""
    name, _, argument = text.partition(":")
    return PARTS[name](argument)
