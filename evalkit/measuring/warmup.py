"""Queries that nobody measures: what a server does for the first time, it does before the first cell."""

from __future__ import annotations

import asyncio
import io
import json
from base64 import b64encode
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from evalkit.base.errors import InfrastructureError
from evalkit.base.types import Failure
from evalkit.client import Client, Request, SendingPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json
    from evalkit.measuring.engine import Load, Target

_WORDS: Final = ("page", "name", "list", "word", "line", "date", "item", "part")
_DEADLINE_S: Final = 600.0


def warm_up(target: Target, load: Load, count: int) -> None:
    """Send ``count`` queries of a load's shape, as many at once as the load has; none of them comes again.

    Raises:
        InfrastructureError: Not one was answered.
    """
    failures = asyncio.run(_sent(target, load, count))
    if count and len(failures) == count:
        raise InfrastructureError(
            f"{target.name}: none of {count} queries to warm up was answered ({failures[0].message})",
            fix="see that the server takes pictures and prompts of this size (--serve-arg max-model-len=N)",
        )


async def _sent(target: Target, load: Load, count: int) -> list[Failure]:
    policy = SendingPolicy(window=load.concurrency, tries=1, deadline_s=_DEADLINE_S)
    async with Client(target.url, target.name, policy) as client:
        return [
            outcome async for _, outcome in client.ask(_queries(target, load, count)) if isinstance(outcome, Failure)
        ]


def _queries(target: Target, load: Load, count: int) -> Iterator[Request]:
    chance = np.random.default_rng([load.seed, 1])
    for number in range(count):
        yield Request(str(number), lambda: _body(target, load, chance))


def _body(target: Target, load: Load, chance: np.random.Generator) -> bytes:
    use = load.use
    content: list[dict[str, Json]] = []
    if use.prompt_tokens:
        # About a token a word; what the engine sends has exactly as many as the use says.
        text = " ".join(chance.choice(_WORDS, use.prompt_tokens))
        content.append({"type": "text", "text": text})
    if use.picture:
        # Coarse: noise of single pixels would make a large file of a large picture.
        coarse = chance.integers(0, 256, (max(1, use.height // 16), max(1, use.width // 16), 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(coarse).resize((use.width, use.height)).save(stream, "JPEG")
        url = f"data:image/jpeg;base64,{b64encode(stream.getvalue()).decode()}"
        content.append({"type": "image_url", "image_url": {"url": url}})
    body = {
        "model": target.name,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": use.output_tokens,
        "temperature": 0,
        "ignore_eos": True,
    }
    return json.dumps(body).encode()
