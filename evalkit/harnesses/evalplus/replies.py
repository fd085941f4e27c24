"""What a response with several attempts says. Nothing here raises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from evalkit.client.responses import excerpt, storable, token_count, wrong_model
from evalkit.types import Answer, Failure, FailureKind

if TYPE_CHECKING:
    from evalkit.types import Json


def read(body: bytes, model: str, attempts: int) -> tuple[Answer, ...] | Failure:
    """The attempts in a ``/v1/completions`` response with status 200, in the order of their index.

    Returns:
        One `Answer` for each attempt that was asked for; ``WRONG_MODEL`` when the response names a model other than
        ``model``; ``BAD_RESPONSE`` for all else, fewer attempts included.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return _bad("not JSON", body)
    if not isinstance(said, dict):
        return _bad("not a JSON object", body)
    if said.get("model") not in (None, model):
        return wrong_model(model, said["model"])
    choices = said.get("choices")
    if not isinstance(choices, list) or not all(_is_choice(choice) for choice in choices):
        return _bad("no choices with a text each", body)
    if sorted(choice.get("index", 0) for choice in choices) != list(range(attempts)):
        return _bad(f"{len(choices)} attempts, {attempts} were asked for", b"")
    usage = said.get("usage")
    prompt_tokens = token_count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return tuple(
        _answer(choice, prompt_tokens) for choice in sorted(choices, key=lambda choice: choice.get("index", 0))
    )


def _answer(choice: dict[str, Json], prompt_tokens: int | None) -> Answer:
    reason, ids = choice.get("finish_reason"), choice.get("token_ids")
    return Answer(
        text=storable(choice["text"]),
        finish_reason=storable(reason) if isinstance(reason, str) else None,
        prompt_tokens=prompt_tokens,
        # The response counts all attempts together; their token ids tell them apart.
        completion_tokens=len(ids) if isinstance(ids, list) else None,
        latency_s=0.0,
    )


def _is_choice(choice: Json) -> bool:
    return isinstance(choice, dict) and isinstance(choice.get("text"), str) and type(choice.get("index", 0)) is int


def _bad(what: str, body: bytes) -> Failure:
    found = excerpt(body)
    return Failure(FailureKind.BAD_RESPONSE, f"{what}: {found}" if found else what)
