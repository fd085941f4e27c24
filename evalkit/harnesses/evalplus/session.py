"""HumanEval asked of one model: one request a problem, for all the attempts that are owed."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from evalkit.base.identity import digest
from evalkit.base.types import Failure, FailureKind
from evalkit.client import Request
from evalkit.client.chat import sampling
from evalkit.client.completions import choices
from evalkit.harnesses.evalplus import prompts
from evalkit.harnesses.evalplus.facts import AskingFacts
from evalkit.harnesses.evalplus.render import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.base.types import Answer, Decoding, Json, Outcome, Replies, Sample
    from evalkit.client import Asks, Names
    from evalkit.client.completions import Choice
    from evalkit.harnesses.evalplus.prompts import Texts
    from evalkit.harnesses.evalplus.render import Renderer

PATH = "/v1/completions"


def request_facts(decoding: Decoding, words: Texts, bos: str) -> dict[str, Json]:
    """All that moves an answer besides the problem, the attempt and the model."""
    # How many attempts are asked for at a time moves none of them.
    fields = sampling(replace(decoding, n=1, stop=()))
    return {"path": PATH, "texts": words.sha256, "bos": bos, "stops": list(decoding.stop), **fields}


class EvalPlusSession:
    """The problems for one model. A `harness.Session`."""

    def __init__(self, decoding: Decoding, words: Texts, bos: str, renderer: Renderer, model: str) -> None:
        """Prepare; nothing is asked yet."""
        self._decoding = decoding
        self._words = words
        self._bos = bos
        self._renderer = renderer
        self._model = model

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Nothing: what has to be known of the server is asked with the first prompt."""

    def requests(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """One request for each problem, with as many replies as attempts are owed."""
        for _, group in groupby(pending, key=lambda entry: entry[1].cluster):
            entries = list(group)
            prompt = entries[0][1].text
            yield Request(
                tuple(key for key, _ in entries),
                partial(self._payload, prompt, len(entries)),
                PATH,
                partial(self._read, prompt, len(entries)),
                more_tokens=(len(entries) - 1) * self._decoding.max_tokens,
            )

    def alone(self, pending: Iterable[tuple[str, Sample]]) -> Iterator[Request]:
        """Nothing: no reply leaves a sample owed."""
        del pending
        yield from ()

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether the texts are equal, also those that came back in another place."""
        return (stored.text, stored.elsewhere) == (found.text, found.elsewhere)

    @property
    def facts(self) -> AskingFacts | None:
        """How the model was asked; None when it was not asked anything."""
        if not self._renderer.kind:
            return None
        return AskingFacts(
            prompt=self._renderer.kind,
            rendering=self._renderer.way or "text",
            bos=self._bos,
            texts=self._words.sha256,
            stops=digest(list(self._stops())),
        )

    def _stops(self) -> tuple[str, ...]:
        """All strings that end an answer."""
        return (*self._words.stops[self._renderer.kind], *self._decoding.stop)

    def _payload(self, prompt: str, attempts: int) -> bytes | Failure:
        """The body of the request for one problem."""
        try:
            rendered = self._renderer.render(prompt)
        except UnreachableError as error:
            return Failure(FailureKind.NOT_CONNECTED, str(error))
        body = {
            "model": self._model,
            "prompt": list(rendered.ids),
            # No seed: a server may not be able to take one, and the attempts have to differ.
            **sampling(replace(self._decoding, n=attempts, stop=())),
            "stop": prompts.sent_stops(rendered.kind, self._stops()),
            # A stop string that is not sent may end where one that is sent begins; without that end it is not seen.
            "include_stop_str_in_output": True,
            "return_token_ids": True,
        }
        return json.dumps(body).encode()

    def _read(self, prompt: str, attempts: int, body: bytes, names: Names) -> Outcome | Replies:
        """The attempts in a response, each as evalplus keeps it."""
        found = choices(body, names, attempts)
        return found if isinstance(found, Failure) else tuple(self._kept(prompt, one) for one in found)

    def _kept(self, prompt: str, choice: Choice | Failure) -> Outcome:
        if isinstance(choice, Failure):
            return choice
        if choice.text is None:
            return Failure(FailureKind.BAD_RESPONSE, "an attempt without a text")
        completion, stopped = prompts.cut(choice.text, self._stops())
        text = prompts.solution(self._renderer.kind, prompt, completion)
        return replace(choice.answer, text=text, finish_reason="stop" if stopped else choice.finish_reason)
