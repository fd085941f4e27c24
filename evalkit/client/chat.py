"""A sample as a chat request: its body for the server, and its digest for the store."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.base.identity import digest
from evalkit.base.types import Image, Text
from evalkit.tasks import images

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evalkit.base.types import Decoding, ImageHandling, Json, Sample, Task
    from evalkit.client.pictures import EncodedPictures

PATH = "/v1/chat/completions"
_FURTHER = ("seed", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
"""Fields of a request that are named as those of ``Decoding``."""


def request_digest(sample: Sample, task: Task) -> str:
    """Identity of the request that ``sample`` makes under ``task``, whichever model it is sent to.

    Images stand in it by the sha256 of their stored bytes and by the encoder that would change them, so that it
    can be computed without encoding anything.
    """
    content = [_named(part, task.images) for part in sample.content]
    return digest({"path": PATH, "content": content, **_around(sample, task), **sampling(task.decoding)})


def beginning(sample: Sample) -> str:
    """What a prompt shares with those of other questions about the same pictures, in short: all up to the last picture.

    Empty where there is none: a text is computed again sooner than it is waited for.
    """
    parts = [part for turn in sample.turns for part in (Text(turn.role), *turn.content)] + [*sample.content]
    last = max((place for place, part in enumerate(parts) if isinstance(part, Image)), default=-1)
    named = [part.sha256 if isinstance(part, Image) else part.text for part in parts[: last + 1]]
    return digest(named) if named else ""


def payload(sample: Sample, task: Task, model: str, pictures: EncodedPictures) -> bytes:
    """The JSON body of the request: the messages, the question last, with the sampling fields of the task.

    Raises:
        DataError: An image cannot be read.
    """

    def part(one: Text | Image) -> bytes:
        return pictures.part(one, task.images) if isinstance(one, Image) else _text(one)

    messages = [_message(turn.role, map(part, turn.content)) for turn in sample.turns]
    messages.append(_message("user", map(part, sample.content)))
    fields: dict[str, Json] = {"model": model, **sampling(task.decoding)}
    if task.decoding.n > 1:
        # The response counts the tokens of all choices together.
        fields["return_token_ids"] = True
    if sample.prefix:
        messages.append(json.dumps({"role": "assistant", "content": sample.prefix}).encode())
        # The answer's beginning is not closed, and no new one is opened behind it.
        fields |= {"add_generation_prompt": False, "continue_final_message": True}
    return b"".join((json.dumps(fields).encode()[:-1], b', "messages": [', b", ".join(messages), b"]}"))


def sampling(decoding: Decoding) -> dict[str, Json]:
    """The sampling fields of a request body; what is not set is not sent."""
    fields: dict[str, Json] = {"temperature": decoding.temperature, "max_tokens": decoding.max_tokens}
    if decoding.top_p is not None:
        fields["top_p"] = decoding.top_p
    if decoding.n != 1:
        fields["n"] = decoding.n
    if decoding.stop:
        fields["stop"] = list(decoding.stop)
    for name in _FURTHER:
        if (value := getattr(decoding, name)) is not None:
            fields[name] = value
    if decoding.chat_template_kwargs:
        fields["chat_template_kwargs"] = dict(decoding.chat_template_kwargs)
    return fields


def _around(sample: Sample, task: Task) -> dict[str, Json]:
    """What a request holds beside the question; nothing of a question that stands alone, as all once did."""
    turns = [[turn.role, [_named(part, task.images) for part in turn.content]] for turn in sample.turns]
    return {**({"turns": turns} if turns else {}), **({"prefix": sample.prefix} if sample.prefix else {})}


def _named(part: Text | Image, handling: ImageHandling) -> list[str]:
    """A part of a message as its digest is taken."""
    if isinstance(part, Text):
        return ["text", part.text]
    return ["image", part.sha256, _encoder(part, handling)]


@lru_cache(maxsize=8)
def _encoder(picture: Image, handling: ImageHandling) -> str:
    """What makes the bytes to send; questions about one picture follow one another, and its header is read once."""
    return images.encoder(picture.data, handling)


def _message(role: str, parts: Iterable[bytes]) -> bytes:
    return b"".join((b'{"role": "', role.encode(), b'", "content": [', b", ".join(parts), b"]}"))


def _text(part: Text) -> bytes:
    return json.dumps({"type": "text", "text": part.text}).encode()
