"""The two ways to ask for log-likelihoods over ``/v1/completions``: their bodies, and how responses are read.

``echo`` is lm-eval's: prompt with continuation, log-probabilities of the whole prompt, once for each choice. ``fast``
asks for one generated token and the log-probabilities of the choices' ids in its place: one prompt for all choices,
which the prefix cache may serve.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client.completions import choices
from evalkit.client.responses import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.base.types import Json, Outcome, Replies
    from evalkit.client.completions import Choice, Names
    from evalkit.harnesses.lm_eval.tokens import Tokens

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
        "prompt": [context + ids for context, ids in question.pairs],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "seed": _LM_EVAL_SEED,
        "echo": True,
    }
    return json.dumps(body).encode()


# --- responses ---


def read_fast(prompts: Sequence[Tokens], ids: Sequence[int], body: bytes, names: Names) -> Failure | Replies:
    """A reply for each prompt; None where one of the ids has no log-probability."""
    found = choices(body, names, len(prompts))
    if isinstance(found, Failure):
        return found
    return tuple(_fast(choice, ids, len(prompt.context)) for choice, prompt in zip(found, prompts, strict=True))


def read_echo(question: Tokens, body: bytes, names: Names) -> Outcome:
    """The likelihoods of one question, read as lm-eval's ``LocalCompletionsAPI.parse_logprobs`` reads them."""
    found = choices(body, names, len(question.continuations))
    if isinstance(found, Failure):
        return found
    pairs = []
    for choice, (context, ids) in zip(found, question.pairs, strict=True):
        pair = choice if isinstance(choice, Failure) else _echoed(choice, len(context), len(ids))
        if isinstance(pair, Failure):
            return pair
        pairs.append(pair)
    likelihoods = Likelihoods(tuple(value for value, _ in pairs), tuple(greedy for _, greedy in pairs))
    return _answer(likelihoods, "echo", question.longest, len(question.continuations))


def _fast(choice: Choice | Failure, ids: Sequence[int], prompt_tokens: int) -> Outcome | None:
    """The log-probabilities of ``ids`` in the place of the generated token; None when one is missing."""
    if isinstance(choice, Failure):
        return choice
    if len(choice.written) > 1 or len(choice.likeliest) > 1:
        places = max(len(choice.written), len(choice.likeliest))
        return _bad(f"{places} places with log-probabilities, one token was asked for")
    top = choice.likeliest[0] if choice.likeliest else {}
    values = [*(top.get(f"token_id:{one}") for one in ids), *choice.written]
    numbers = tuple(value for value in values if _usable(value))
    if len(numbers) <= len(ids):
        return None
    found = Likelihoods(numbers[:-1], tuple(value >= numbers[-1] for value in numbers[:-1]))
    return _answer(found, "fast", prompt_tokens, 1)


def _echoed(choice: Choice, context: int, continuation: int) -> tuple[float, bool] | Failure:
    """Sum over the continuation's tokens, and whether each was the likeliest; the last token is the generated one."""
    sent = context + continuation
    if len(choice.written) != sent + 1 or len(choice.likeliest) != sent + 1:
        counted = f"{len(choice.written)} with {len(choice.likeliest)} beside them"
        return _bad(f"{counted}, for {sent} tokens that were sent and one that was generated")
    values, top = choice.written[context:-1], choice.likeliest[context:-1]
    found = [value for value in values if _usable(value)]
    if len(found) < continuation:
        return _bad(f"no log-probability for a token of the continuation: {list(values)}")
    best = [max(filter(_usable, others.values()), default=None) for others in top]
    if None in best:
        return _bad("no log-probability beside a token of the continuation")
    return sum(found), all(value == other for value, other in zip(found, best, strict=True))


def _usable(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value) and value > _NO_ANSWER


def _answer(found: Likelihoods, method: str, prompt_tokens: int, completion_tokens: int) -> Answer:
    # The token limit cut nothing short: the generated token was asked for only to be weighed.
    return Answer(text(found, method), "stop", prompt_tokens, completion_tokens, latency_s=0.0)


def _bad(reason: str) -> Failure:
    return Failure(FailureKind.BAD_RESPONSE, one_line(f"not the log-probabilities asked for: {reason}"))
