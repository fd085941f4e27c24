"""The one reader of completions: what a 200 of ``/v1/chat/completions`` or ``/v1/completions`` says.

Every harness reads through it, so that every answer is judged alike: its form, who gave it, and how it ended. Nothing
here raises; what cannot be read is a `Failure` with a name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from evalkit.base.identity import decoded
from evalkit.base.printable import counted
from evalkit.base.types import REASONING, WHOLE, Answer, Elsewhere, Failure, FailureKind, ended
from evalkit.client.responses import excerpt, one_line, storable

if TYPE_CHECKING:
    from evalkit.base.types import Json, Outcome, Replies

Names: TypeAlias = Sequence[str]
"""How a server may name the model that was asked; the first is the one that it is asked by."""
Shape: TypeAlias = Literal["chat", "text"]

_PLACES: Final = (*REASONING, "refusal", "tool_calls", "function_call")
"""Where else in a message servers are known to put what the model wrote, the likeliest first."""
_LABELS: Final = frozenset({"role", "content", "name", "id", "type", "object", "status", "model"})
"""Fields of a message that hold no words of the model; whatever else has text in it may be where a server puts them."""
_TEXTS: Final = ("name", "arguments", "text", "content", "transcript", "thinking", "summary", "data")
"""Fields of an object in such a place that hold the words."""
_NAME: Final = 60
"""A field's name may be anything; so much of it is kept."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice that ended as an answer ends."""

    text: str | None
    """None for a message with ``content: null``, or a choice without text."""
    finish_reason: str | None
    elsewhere: Elsewhere | None
    prompt_tokens: int | None
    completion_tokens: int | None
    """Of this choice alone; None where the response does not tell them apart."""
    written: tuple[float | None, ...]
    """Log-probabilities of the tokens, 0 or less; None or NaN where the server has none."""
    likeliest: tuple[Mapping[str, Json], ...]
    """Beside each, tokens to log-probabilities; empty where the server has none."""

    @property
    def answer(self) -> Answer:
        """The choice as an answer; its ``latency_s`` is for the sender to fill in."""
        return Answer(
            self.text, self.finish_reason, self.prompt_tokens, self.completion_tokens, 0.0, elsewhere=self.elsewhere
        )


Choices: TypeAlias = tuple[Choice | Failure, ...]
"""The choices in the order of their index; a failure stands for one that did not end as an answer does."""


def read_chat(body: bytes, names: Names) -> Outcome:
    """The answer in a chat completion: its first choice.

    Returns:
        An ``Answer``, with ``text=None`` for ``content: null``; ``CUT_OFF`` or ``CONTENT_FILTER`` where it did not end
        by itself or at the token limit; ``WRONG_MODEL`` when the response names a model that is not among ``names``;
        ``BAD_RESPONSE`` for all else.
    """
    found = choices(body, names, None, "chat")
    if isinstance(found, Failure):
        return found
    return found[0] if isinstance(found[0], Failure) else found[0].answer


def read_chats(count: int, body: bytes, names: Names) -> Failure | Replies:
    """The answers in a chat completion of ``count`` choices; what can go wrong is as in `read_chat`.

    A server that gives fewer leaves the rest owed: not every one knows that a request may want several.
    """
    found = choices(body, names, None, "chat")
    if isinstance(found, Failure):
        return found
    answers = [one if isinstance(one, Failure) else one.answer for one in found[:count]]
    return (*answers, *[None] * (count - len(answers)))


def read_texts(count: int | None, body: bytes, names: Names) -> Outcome | Replies:
    """The answer in a completion of text, or with a ``count`` those of several choices, as in `read_chats`."""
    found = choices(body, names, None)
    if isinstance(found, Failure):
        return found
    answers = [one if isinstance(one, Failure) else one.answer for one in found[: count or 1]]
    return answers[0] if count is None else (*answers, *[None] * (count - len(answers)))


def choices(body: bytes, names: Names, count: int | None, shape: Shape = "text") -> Choices | Failure:
    """The choices in a completion.

    Args:
        body: Of a response with status 200.
        names: How the server may name the model.
        count: How many choices were asked for; None for at least one.
        shape: ``chat`` for choices with a message each, ``text`` for choices with a text.

    Returns:
        Every choice; one failure for a body that cannot be read, or has another number of choices.
    """
    try:
        said = _object(body)
        model = _text(said.get("model"), "model")
        if model is not None and model not in names:
            return Failure(FailureKind.WRONG_MODEL, one_line(f"asked {names[0]}, but {model} answered"))
        usage = said.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        listed = _in_order(said, count)
        own = counts if len(listed) == 1 else _of_all(counts)
        return tuple(_choice(one, place, own, shape) for place, one in listed)
    except _UnusableError as error:
        found = excerpt(body)
        return Failure(FailureKind.BAD_RESPONSE, one_line(f"{error}: {found}" if found else str(error)))


class _UnusableError(Exception):
    """What keeps a body from being a completion."""


def _object(body: bytes) -> dict[str, Json]:
    if not body.strip():
        raise _UnusableError("the body is empty")
    try:
        said = decoded(body)
    except ValueError:
        raise _UnusableError("not JSON") from None
    if not isinstance(said, dict):
        raise _UnusableError("not a JSON object")
    return said


def _in_order(said: Mapping[str, Json], count: int | None) -> list[tuple[str, dict[str, Json]]]:
    """The choices by their index, each with its place in the response."""
    found = said.get("choices")
    if not isinstance(found, list) or not found:
        raise _UnusableError("no choices")
    for at, one in enumerate(found):
        if not isinstance(one, dict):
            raise _UnusableError(f"choices[{at}] is not an object")
    if count is None:
        return [(f"choices[{at}]", one) for at, one in enumerate(found)]
    if len(found) != count:
        raise _UnusableError(f"{counted(len(found), 'choice')}, asked for were {count}")
    # A server that gives one choice need not number it.
    numbers = [one.get("index", 0) for one in found]
    if any(type(number) is not int for number in numbers) or sorted(numbers) != list(range(count)):
        raise _UnusableError(f"the choices are not numbered from 0 to {count - 1}")
    return sorted(((f"choices[{at}]", one) for at, one in enumerate(found)), key=lambda pair: pair[1].get("index", 0))


def _of_all(counts: Mapping[str, Json]) -> dict[str, Json]:
    """What the counts of a response say of each of its several choices."""
    return {"prompt_tokens": counts.get("prompt_tokens")}


def _choice(said: Mapping[str, Json], place: str, counts: Mapping[str, Json], shape: Shape) -> Choice | Failure:
    reason = said.get("finish_reason")
    if reason is not None and not isinstance(reason, str):
        raise _UnusableError(f"{place}.finish_reason is not text")
    if shape == "text" and not {"text", "logprobs"} & said.keys():
        raise _UnusableError(f"{place} has neither text nor log-probabilities")
    text, elsewhere = _message(said, place) if shape == "chat" else (_text(said.get("text"), f"{place}.text"), None)
    if reason not in WHOLE:
        return ended(storable(str(reason)))
    written, likeliest = _log_probabilities(said, place)
    ids = said.get("token_ids")
    # A response of one choice counts its tokens; one of several counts them together, and ids tell them apart.
    own = len(ids) if isinstance(ids, list) else counts.get("completion_tokens")
    return Choice(text, reason, elsewhere, _count(counts.get("prompt_tokens")), _count(own), written, likeliest)


def _message(said: Mapping[str, Json], place: str) -> tuple[str | None, Elsewhere | None]:
    """The text of a message, and what stands in another place of it: its reasoning, or where the text is blank all."""
    message = said.get("message")
    if not isinstance(message, dict):
        raise _UnusableError(f"{place} has no message")
    if message.get("role") not in (None, "assistant"):
        raise _UnusableError(f"{place}.message.role is not 'assistant'")
    text = _text(message.get("content"), f"{place}.message.content")
    blank = text is None or not text.strip()
    for name in (*_PLACES, *(one for one in message if one not in _LABELS)) if blank else REASONING:
        if written := _written(message.get(name)):
            return text, Elsewhere(storable(name[:_NAME]), written)
    return text, None


def _written(value: Json) -> str:
    """What the model wrote in a place other than the content; calls of tools as their functions and arguments."""
    if isinstance(value, str):
        return storable(value) if value.strip() else ""
    if isinstance(value, list):
        return "\n".join(filter(None, (_written(one) for one in value if isinstance(one, dict))))
    if isinstance(value, dict):
        call = value.get("function", value)
        words = [call.get(name) for name in _TEXTS] if isinstance(call, dict) else []
        return storable(" ".join(word for word in words if isinstance(word, str) and word.strip()))
    return ""


def _text(value: Json, place: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _UnusableError(f"{place} is neither text nor null")
    return None if value is None else storable(value)


def _log_probabilities(
    said: Mapping[str, Json], place: str
) -> tuple[tuple[float | None, ...], tuple[Mapping[str, Json], ...]]:
    """The written tokens' log-probabilities with those beside them, as ``/v1/completions`` has them."""
    found = said.get("logprobs")
    found = found if isinstance(found, dict) else {}
    written, top = found.get("token_logprobs") or [], found.get("top_logprobs") or []
    if not isinstance(written, list) or not isinstance(top, list):
        raise _UnusableError(f"{place}.logprobs holds no lists")
    if any(one is not None and not isinstance(one, dict) for one in top):
        raise _UnusableError(f"{place}.logprobs.top_logprobs holds something else than objects")
    values = tuple(_log_probability(one, place) for one in written)
    return values, tuple({name: _log_probability(one, place) for name, one in (each or {}).items()} for each in top)


def _log_probability(value: Json, place: str) -> float | None:
    """A log-probability; NaN stays NaN, because only who needs it knows whether that matters."""
    if value is None:
        return None
    if type(value) not in (int, float):
        raise _UnusableError(f"{place}.logprobs: a log-probability that is no number")
    if value > 0:
        raise _UnusableError(f"{place}.logprobs: a log-probability above 0 ({_shown(value)})")
    try:
        return float(value)
    except OverflowError:
        return -math.inf


def _shown(value: float) -> str:
    try:
        return f"{value:g}"
    except OverflowError:
        return "beyond all numbers"


def _count(value: Json) -> int | None:
    """A token count, when it is one (and fits into a database's integer)."""
    return value if type(value) is int and 0 <= value < 2**63 else None
