"""Texts that go on with a prompt, over ``/v1/completions``: what a base model is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from evalkit.client import Request
from evalkit.client.chat import sampling
from evalkit.client.completions import read_texts
from evalkit.harnesses import attempts
from evalkit.harnesses.lm_eval.named.facts import GenerationFacts
from evalkit.harnesses.lm_eval.wire import PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.base.types import Answer, Sample, Task
    from evalkit.client import Asks
    from evalkit.harnesses.lm_eval.tokens import Tokenizer

    Owed = Iterable[tuple[str, Sample]]


class ContinuationSession:
    """A task whose answers go on with plain prompts. A `harness.Session`."""

    def __init__(self, task: Task, model: str, tokenizer: Tokenizer) -> None:
        """Prepare; nothing is sent. Prompts go out as ``tokenizer`` makes them, beginning included."""
        self._task, self._model, self._tokenizer = task, model, tokenizer

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Nothing: every server can do this."""

    def requests(self, pending: Owed) -> Iterator[Request]:
        """One request a sample; attempts at one are asked for together where they can."""
        return attempts.requests(pending, self._task, self._single, self._together)

    def alone(self, pending: Owed) -> Iterator[Request]:
        """Each attempt by itself, where a server would not give several in one response."""
        return attempts.separately(pending, self._task, self._single) if self._task.decoding.n > 1 else iter(())

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether the texts are equal."""
        return stored.text == found.text

    @property
    def facts(self) -> GenerationFacts:
        """How prompts begin."""
        return GenerationFacts(
            asked="texts that the model goes on with",
            tokenizer=self._tokenizer.origin,
            beginning=self._tokenizer.beginning or None,
        )

    def _single(self, key: str, sample: Sample, task: Task) -> Request:
        return Request(key, partial(self._payload, sample, task), PATH, partial(read_texts, None))

    def _together(self, entries: Sequence[tuple[str, Sample]]) -> Request:
        keys, (first, *others) = zip(*entries, strict=True)
        task = replace(self._task, decoding=replace(self._task.decoding, n=len(keys)))
        return Request(
            keys,
            partial(self._payload, first, task),
            PATH,
            partial(read_texts, len(keys)),
            more_tokens=len(others) * task.decoding.max_tokens,
            separable=True,
        )

    def _payload(self, sample: Sample, task: Task) -> bytes:
        (prompt,) = self._tokenizer.encode([sample.text])
        body = {"model": self._model, "prompt": prompt, **sampling(task.decoding)}
        # The response counts the tokens of all choices together.
        return json.dumps(body | ({"return_token_ids": True} if task.decoding.n > 1 else {})).encode()
