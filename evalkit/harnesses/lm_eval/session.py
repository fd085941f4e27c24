"""One model's likelihoods: a rehearsal decides the way of asking, and what that leaves is asked the exact way."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import defaultdict
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError
from evalkit.base.printable import part_of
from evalkit.base.types import Answer
from evalkit.client import Request
from evalkit.harnesses.lm_eval import wire
from evalkit.harnesses.lm_eval.canary import ADMITTED_BY, QUESTIONS, SEED, STEP, judge
from evalkit.harnesses.lm_eval.facts import LikelihoodFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from evalkit.base.types import Outcome, Sample
    from evalkit.client import Asks, Names
    from evalkit.harnesses.lm_eval.canary import Canary
    from evalkit.harnesses.lm_eval.tokens import Tokenizer, Tokens
    from evalkit.harnesses.lm_eval.wire import Likelihoods

    Owed = Iterable[tuple[str, Sample]]

PROMPTS: Final = 16
"""Prompts of one HTTP request; more save the server's front end nothing."""
_TOKENIZED_AT_ONCE: Final = 256
_BLOCK: Final = 16
"""Tokens that a prefix cache keeps together, at the least: prompts that differ within so many share nothing."""
_LIKELY_LONGEST: Final = 32
"""So many of the longest texts are tokenized before the first request, so that a prompt too long shows early."""


class _NoComparisonError(Exception):
    """The rehearsal came to no end, and why."""


class LikelihoodSession:
    """Asks multiple-choice questions of one model on one server."""

    def __init__(
        self,
        task: str,
        model: str,
        tokenizer: Tokenizer,
        longest: int,
        tell: Callable[[str], None],
        *,
        method: str = "fast",
    ) -> None:
        """Prepare; nothing is sent.

        Args:
            task: Its name, for messages.
            model: As the server names it.
            tokenizer: The model's.
            longest: Tokens that context and continuation may have together.
            tell: Told, in one sentence, why the fast way is refused.
            method: ``fast`` where the server proves fit for it, or ``echo``.
        """
        self._task, self._model, self._tokenizer, self._longest, self._tell = task, model, tokenizer, longest, tell
        self._method = method
        self._fast = False
        self._why = "the task says so" if method == "echo" else "no rehearsal was held"
        self._canary: Canary | None = None
        self._unsalted = ""
        self._alone: dict[str, bool] = {}
        """Questions answered the exact way, and whether a fast reply had left them without an answer."""

    # --- before ---

    async def rehearse(self, client: Asks, samples: Sequence[Sample]) -> None:
        """Ask a few questions twice the exact way and twice the fast way; the fast one is used when they agree.

        A server that refuses the salt that keeps the prefix cache out is asked the fast way once, with the cache, and
        held to what is asked of the way without it.
        """
        if self._method == "echo":
            return
        chosen = random.Random(SEED).sample(list(samples), min(QUESTIONS, len(samples)))  # noqa: S311 - no secret
        asked = await asyncio.to_thread(lambda: list(self._tokenized((one.id, one) for one in chosen)))
        asked = [(key, tokens) for key, tokens in asked if tokens.single]
        self._fast, self._canary, self._unsalted = False, None, ""
        if not asked:
            self._why = "the choices are several tokens"
            return
        try:
            self._canary = await self._compare(client, asked)
            objection = self._canary.objection
            if objection and self._unsalted:
                objection += f", and the prefix cache could not be left out: {self._unsalted}"
        except _NoComparisonError as error:
            objection = str(error)
        self._fast, self._why = objection is None, objection or ""
        if objection:
            self._tell(f"{self._task}: the fast way of asking is refused for this run: {objection}")

    async def _compare(self, client: Asks, asked: Sequence[tuple[str, Tokens]]) -> Canary:
        """Two exact passes and two fast ones, of which the first reads no prefix cache."""
        first: dict[str, Likelihoods] = {}
        # One question at a time, then all at once: what else is in a batch moves values.
        for one in asked:
            first |= await _answers(client, [self._echo(*one)])
        second = await _answers(client, [self._echo(*one) for one in reversed(asked)])
        whole = await self._without_cache(client, asked)
        cached = await _answers(client, list(self._batches(iter(asked))))
        whole = cached if whole is None else whole
        keys = [key for key, _ in asked]
        for found, way in ((first, "exact"), (second, "exact"), (whole, "fast"), (cached, "fast")):
            if len(found) < len(keys):
                raise _NoComparisonError(
                    f"{part_of(len(keys) - len(found), len(keys), 'question')} had no answer the {way} way"
                )
        exact, fast = ([[found[key] for key in keys] for found in pair] for pair in ((first, second), (whole, cached)))
        return judge(exact, fast)

    async def _without_cache(self, client: Asks, asked: Sequence[tuple[str, Tokens]]) -> dict[str, Likelihoods] | None:
        """A fast pass that computes whole prompts; None where the server refuses what that takes.

        The exact passes have left every prompt in the prefix cache, so one without salt would read all of it; prompts
        with the same salt would share the shots of their subject.
        """
        rounds: defaultdict[int, list[tuple[str, Tokens]]] = defaultdict(list)
        alike: defaultdict[tuple[int, ...], int] = defaultdict(int)
        for one in asked:
            head = tuple(one[1].context[:_BLOCK])
            rounds[alike[head]].append(one)
            alike[head] += 1
        requests = [each for some in rounds.values() for each in self._batches(iter(some), secrets.token_hex(8))]
        try:
            return await _answers(client, requests)
        except _NoComparisonError as error:
            self._unsalted = str(error)
            return None

    async def admit(self, client: Asks, samples: Sequence[Sample]) -> str:
        """Ask a few questions both ways, once: why another server may not be asked the fast way; empty where it may."""
        if not self._fast:
            return ""
        chosen = random.Random(SEED).sample(list(samples), min(ADMITTED_BY, len(samples)))  # noqa: S311 - no secret
        asked = await asyncio.to_thread(lambda: list(self._tokenized((one.id, one) for one in chosen)))
        asked = [(key, tokens) for key, tokens in asked if tokens.single]
        try:
            exact = await _answers(client, [self._echo(*one) for one in asked])
            cached = await _answers(client, list(self._batches(iter(asked))))
        except _NoComparisonError as error:
            return str(error)
        if lacking := sum(key not in exact or key not in cached for key, _ in asked):
            return f"{part_of(lacking, len(asked), 'question')} had no answer"
        one, other = ([found[key] for key, _ in asked] for found in (exact, cached))
        # Whole prompts were looked at on the first server; here the way is tried as it goes on, with the cache.
        return judge((one, one), (one, other)).objection or ""

    # --- asking ---

    def requests(self, pending: Owed) -> Iterator[Request]:
        """Several prompts a request, the fast way; nothing where that is refused.

        Raises:
            DataError: A prompt is too long for the task's limit or the server's: it would have to be cut.
        """
        if not self._fast:
            return
        asked = self._tokenized(pending)
        yield from self._batches((key, tokens) for key, tokens in asked if tokens.single)

    def alone(self, pending: Owed) -> Iterator[Request]:
        """One request a question, the exact way.

        Raises:
            DataError: A prompt is too long for the task's limit or the server's: it would have to be cut.
        """
        for key, tokens in self._tokenized(pending):
            yield replace(self._echo(key, tokens), read=partial(self._read_alone, key, tokens))

    def _read_alone(self, key: str, tokens: Tokens, body: bytes, names: Names) -> Outcome:
        outcome = wire.read_echo(tokens, body, names)
        if isinstance(outcome, Answer):
            self._alone[key] = self._fast and tokens.single is not None
        return outcome

    def same(self, stored: Answer, found: Answer) -> bool:
        """Whether no log-probability differs by more than one step of the numbers, and the likeliest is the same."""
        one, other = (wire.parsed(each.text or "") for each in (stored, found))
        if len(one.values) != len(other.values):
            return False
        apart = max(abs(a - b) for a, b in zip(one.values, other.values, strict=True))
        return one.best == other.best and apart <= STEP

    @property
    def facts(self) -> LikelihoodFacts:
        """The way used and why, the canary's figures, fallbacks and truncations."""
        found = LikelihoodFacts(
            method="fast" if self._fast else "echo",
            reason=self._why or None,
            tokenizer=self._tokenizer.origin,
            begins_with_bos=self._tokenizer.starts_with_bos(),
            beginning=self._tokenizer.beginning or None,
            longest_prompt=self._longest,
            unsalted=self._unsalted or None if self._canary else None,
            asked_exactly=len(self._alone),
            unanswered_fast=sum(self._alone.values()),
            # A prompt that would have to be cut ends the run.
            cut=0,
        )
        return found.compared(self._canary) if self._canary else found

    def _tokenized(self, pending: Owed) -> Iterator[tuple[str, Tokens]]:
        """Keys with token lists, in the order given."""
        everything = list(pending)
        if len(everything) > _LIKELY_LONGEST:
            self._tokens(sorted(everything, key=lambda one: -len(one[1].text))[:_LIKELY_LONGEST])
        left = iter(everything)
        while some := list(islice(left, _TOKENIZED_AT_ONCE)):
            yield from zip([key for key, _ in some], self._tokens(some), strict=True)

    def _tokens(self, some: Sequence[tuple[str, Sample]]) -> list[Tokens]:
        found = self._tokenizer.asked([(_contexts(sample), sample.references["choices"]) for _, sample in some])
        for (_, sample), tokens in zip(some, found, strict=True):
            if tokens.longest > self._longest:
                raise DataError(
                    f"{self._task}: {sample.id} has {tokens.longest} tokens, {self._longest} are allowed: "
                    "it would have to be cut",
                    fix="raise settings.max_length in the task file and --serve-arg max-model-len=N, "
                    "or ask with fewer shots",
                )
        return found

    def _batches(self, asked: Iterator[tuple[str, Tokens]], salt: str = "") -> Iterator[Request]:
        """Requests of neighbours whose choices have the same ids."""
        batch: list[tuple[str, Tokens]] = []
        for one in asked:
            if batch and (len(batch) == PROMPTS or batch[0][1].single != one[1].single):
                yield self._quick(batch, salt)
                batch = []
            batch.append(one)
        if batch:
            yield self._quick(batch, salt)

    def _quick(self, batch: Sequence[tuple[str, Tokens]], salt: str) -> Request:
        keys, prompts = zip(*batch, strict=True)
        ids = prompts[0].single
        body = partial(wire.fast_body, self._model, prompts, ids, salt)
        return Request(keys, body, wire.PATH, partial(wire.read_fast, prompts, ids), separable=True)

    def _echo(self, key: str, tokens: Tokens) -> Request:
        return Request(key, partial(wire.echo_body, self._model, tokens), wire.PATH, partial(wire.read_echo, tokens))


def _contexts(sample: Sample) -> Sequence[str]:
    """The context of all choices, or the context of each."""
    found: Sequence[str] = sample.references.get("contexts") or [sample.text]
    return found


async def _answers(client: Asks, requests: Sequence[Request]) -> dict[str, Likelihoods]:
    """The likelihoods by key, of those that were answered.

    Raises:
        _NoComparisonError: The server refused or failed.
    """
    found: dict[str, Likelihoods] = {}
    async with aclosing(client.ask(requests)) as outcomes:
        async for request, outcome in outcomes:
            keys = (request.key,) if isinstance(request.key, str) else request.key
            replies: Sequence[Outcome | None] = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
            for key, reply in zip(keys, replies, strict=True):
                if isinstance(reply, Answer) and reply.text:
                    found[key] = wire.parsed(reply.text)
                elif reply is not None:
                    raise _NoComparisonError(f"the server did not answer ({getattr(reply, 'message', 'no text')})")
    return found
