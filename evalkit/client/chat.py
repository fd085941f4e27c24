"""A sample as a chat request: its body for the server, and its digest for the store."""

from __future__ import annotations

import json
from binascii import b2a_base64
from typing import TYPE_CHECKING

from evalkit.base.identity import digest
from evalkit.base.types import Image, Text
from evalkit.tasks import images

if TYPE_CHECKING:
    from evalkit.base.types import Decoding, ImageHandling, Json, Sample, Task

PATH = "/v1/chat/completions"


def request_digest(sample: Sample, task: Task) -> str:
    """Identity of the request that ``sample`` makes under ``task``, whichever model it is sent to.

    Images stand in it by the sha256 of their stored bytes and by the encoder that would change them, so that it
    can be computed without encoding anything.
    """
    content = [
        ["text", part.text]
        if isinstance(part, Text)
        else ["image", part.sha256, images.encoder(part.data, task.images)]
        for part in sample.content
    ]
    return digest({"path": PATH, "content": content, **sampling(task.decoding)})


def payload(sample: Sample, task: Task, model: str) -> bytes:
    """The JSON body of the request: one user message, with the sampling fields of the published protocol.

    Raises:
        DataError: An image cannot be read.
    """
    parts = [_part(part, task.images) for part in sample.content]
    head = json.dumps({"model": model, **sampling(task.decoding)}).encode()
    return b"".join(
        (head[:-1], b', "messages": [{"role": "user", "content": [', b", ".join(parts), b"]}]}"),
    )


def sampling(decoding: Decoding) -> dict[str, Json]:
    """The sampling fields of a request body; what is not set is not sent."""
    fields: dict[str, Json] = {"temperature": decoding.temperature, "max_tokens": decoding.max_tokens}
    if decoding.top_p is not None:
        fields["top_p"] = decoding.top_p
    if decoding.n != 1:
        fields["n"] = decoding.n
    if decoding.stop:
        fields["stop"] = list(decoding.stop)
    return fields


def _part(part: Text | Image, handling: ImageHandling) -> bytes:
    if isinstance(part, Text):
        return json.dumps({"type": "text", "text": part.text}).encode()
    # Joined as bytes: a JSON writer would scan megabytes of base64 for characters to escape.
    kind, data = images.sendable(part.data, handling)
    return b"".join(
        (
            b'{"type": "image_url", "image_url": {"url": "data:image/',
            kind.encode(),
            b";base64,",
            b2a_base64(data, newline=False),
            b'"}}',
        ),
    )
