"""The two ways to ask for log-likelihoods over ``/v1/completions``: their bodies, and how responses are read.

``echo`` is lm-eval's: prompt with continuation, log-probabilities of the whole prompt, once for each choice. ``fast``
asks for one generated token and the log-probabilities of the choices' ids in its place: one prompt for all choices,
which the prefix cache may serve.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.client.responses import one_line, wrong_model
from evalkit.types import Answer, Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.harnesses.lm_eval.tokens import Tokens
    from evalkit.types import Json, Outcome, Replies

PATH: Final = "/v1/completions"

_NO_ANSWER: Final = -9999.0
"""What vLLM writes for minus infinity, and for places that another request in the batch has overwritten."""

_LM_EVAL_SEED: Final = 1234


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """What a model says of one question's continuations."""

    values: tuple[float, ...]
    """Natural logarithms of the continuations' probabilities."""
    greedy: tuple[bool, ...]
    """Whether the model would have written each continuation by itself."""

    @property
    def best(self) -> int:
        """The most likely continuation, the first of equal ones, as numpy's argmax and so lm-eval has it."""
        return self.values.index(max(self.values))


def text(found: Likelihoods, method: str) -> str:
    """The likelihoods as an answer's text: one JSON object."""
    return json.dumps({"loglikelihoods": list(found.values), "greedy": list(found.greedy), "method": method})


def parsed(answer: str) -> Likelihoods:
    """The likelihoods of an answer's text.

    Raises:
        ValueError: It is no such text.
    """
    try:
        said = json.loads(answer)
        return Likelihoods(tuple(map(float, said["loglikelihoods"])), tuple(map(bool, said["greedy"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"no log-likelihoods in {answer[:100]!r}") from error


# --- bodies ---


def fast_body(model: str, prompts: Sequence[Tokens], ids: Sequence[int], salt: str = "") -> bytes:
    """One request for several questions whose choices are the same single tokens.

    With a ``salt`` the server reads nothing from its prefix cache but what requests with the same salt have left there.
    """
    body: dict[str, Json] = {
        "model": model,
        "prompt": [prompt.context for prompt in prompts],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "logprob_token_ids": list(ids),
        # Otherwise two ids that decode to the same text would share one place in the response.
        "return_tokens_as_token_ids": True,
        **({"cache_salt": salt} if salt else {}),
    }
    return json.dumps(body).encode()


def echo_body(model: str, question: Tokens) -> bytes:
    """One request for one question, a prompt for each choice, with the fields that lm-eval sends."""
    body = {
        "model": model,
        "prompt": [question.context + ids for ids in question.continuations],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "seed": _LM_EVAL_SEED,
        "echo": True,
    }
    return json.dumps(body).encode()


# --- responses ---


class _UnusableError(Exception):
    """What keeps a body from being read."""


def read_fast(prompts: Sequence[Tokens], ids: Sequence[int], body: bytes, model: str) -> Failure | Replies:
    """A reply for each prompt; None where one of the ids has no log-probability."""
    try:
        choices = _choices(body, model, len(prompts))
        found = [_fast(choice, ids) for choice in choices]
    except _WrongModelError as error:
        return wrong_model(model, error.args[0])
    except (_UnusableError, AttributeError, KeyError, TypeError, ValueError, LookupError) as error:
        return _bad(error)
    return tuple(
        None if each is None else _answer(each, "fast", len(prompt.context), 1)
        for prompt, each in zip(prompts, found, strict=True)
    )


def read_echo(question: Tokens, body: bytes, model: str) -> Outcome:
    """The likelihoods of one question, read as lm-eval's ``LocalCompletionsAPI.parse_logprobs`` reads them."""
    try:
        choices = _choices(body, model, len(question.continuations))
        pairs = [_echoed(choice, len(question.context)) for choice in choices]
        found = Likelihoods(tuple(value for value, _ in pairs), tuple(greedy for _, greedy in pairs))
    except _WrongModelError as error:
        return wrong_model(model, error.args[0])
    except (_UnusableError, AttributeError, TypeError, ValueError, LookupError) as error:
        return _bad(error)
    return _answer(found, "echo", question.longest, len(question.continuations))


class _WrongModelError(Exception):
    """Another model answered: its name."""


def _choices(body: bytes, model: str, count: int) -> list[dict[str, Json]]:
    """The response's choices in the order of the prompts."""
    said = json.loads(body)
    if said.get("model") not in (None, model):
        raise _WrongModelError(said["model"])
    choices: list[dict[str, Json]] = sorted(said["choices"], key=lambda choice: int(choice["index"]))
    if [choice["index"] for choice in choices] != list(range(count)):
        raise _UnusableError(f"{len(choices)} choices for {count} prompts")
    return choices


def _fast(choice: dict[str, Json], ids: Sequence[int]) -> Likelihoods | None:
    """The log-probabilities of ``ids`` in the place of the generated token; None when one is missing."""
    said = choice.get("logprobs") or {}
    (top,) = said.get("top_logprobs") or [None]
    (written,) = said.get("token_logprobs") or [None]
    values = [(top or {}).get(f"token_id:{one}") for one in ids]
    numbers = tuple(value for value in [*values, written] if _usable(value))
    if len(numbers) <= len(ids):
        return None
    return Likelihoods(numbers[:-1], tuple(value >= numbers[-1] for value in numbers[:-1]))


def _echoed(choice: dict[str, Json], context: int) -> tuple[float, bool]:
    """Sum over the continuation's tokens, and whether each was the likeliest; the last token is the generated one."""
    said = choice["logprobs"]
    values, top = said["token_logprobs"][context:-1], said["top_logprobs"][context:-1]
    if not values or not all(map(_usable, values)):
        raise _UnusableError(f"no log-probability for a token of the continuation: {values}")
    likeliest = all(value == max(others.values()) for value, others in zip(values, top, strict=True))
    return sum(values), likeliest


def _usable(value: Json) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value > _NO_ANSWER


def _answer(found: Likelihoods, method: str, prompt_tokens: int, completion_tokens: int) -> Answer:
    # The token limit cut nothing short: the generated token was asked for only to be weighed.
    return Answer(text(found, method), "stop", prompt_tokens, completion_tokens, latency_s=0.0)


def _bad(error: Exception) -> Failure:
    reason = str(error) or type(error).__name__
    return Failure(FailureKind.BAD_RESPONSE, one_line(f"not the log-probabilities asked for: {reason}"))
