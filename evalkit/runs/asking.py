"""One model answers what it owes: on a server of ours, started again when it dies, or on one that already runs."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, InfrastructureError, UsageError
from evalkit.base.events import Notice, ServerState, Stage
from evalkit.base.printable import agreeing, counted
from evalkit.base.types import Failure, FailureKind
from evalkit.client import Client, control
from evalkit.harnesses import Served
from evalkit.runs import prepare
from evalkit.runs.deaths import Death, Deaths
from evalkit.serve import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from evalkit.base.types import Outcome, Replies, Sample, Task
    from evalkit.client import Gate, Patience, Request, SendingPolicy
    from evalkit.harnesses import Session
    from evalkit.runs.pending import Ledger
    from evalkit.runs.prepare import Source
    from evalkit.serve import Serving

    _Owed = tuple[Source, str, Sample]

_UNREACHABLE = (FailureKind.NOT_CONNECTED, FailureKind.DISCONNECTED)
_REFUSALS = (FailureKind.REFUSED, FailureKind.NOT_SERVED, FailureKind.WRONG_MODEL)
_OF_ONE = (
    FailureKind.REFUSED,
    FailureKind.BAD_RESPONSE,
    FailureKind.SERVER_ERROR,
    FailureKind.DEADLINE,
    FailureKind.CUT_OFF,
    FailureKind.CONTENT_FILTER,
)
"""Failures that a single sample may have brought upon all others of its request."""
_DEATH_SHOWS_S = 1.0
"""A broken connection may be the first sign of a dead server; its process is gone within this time."""
_TOO_LONG = re.compile(r"context length|max_model_len|longer than the max", re.IGNORECASE)
_SILENCE = 0.1
"""A server that has not said anything for this share of the deadline of a request is called silent."""
_LONGEST_SILENCE_S = 15.0
"""Or for so long."""
_HOPELESS = 64
"""So many refusals without one answer are not about single samples."""


@dataclass(frozen=True, slots=True)
class AskingRules:
    """How requests are sent, and which surprises are accepted."""

    policy: SendingPolicy
    allow_overlong: bool = False
    """Go on although the largest prompt does not fit: such samples then count as failures."""


class _ServerDiedError(Exception):
    """The server that we started is gone."""


def on_own_server(ledger: Ledger, serving: Serving, way: AskingRules, log: Path) -> None:
    """Serve the model until it has answered everything; a server that dies is started again, a bounded number of times.

    A request that killed it twice is set aside as a failure (``killed_server``).

    Raises:
        ServerFailedError: It did not start, died twice of one cause before it answered anything, died once more than
            ``serving.restarts``, or died of too many different requests.
    """
    label = ledger.contender.model.label
    deaths = Deaths(label, serving.restarts)
    while ledger.advance():
        with Server(serving, ledger.contender.model, log, _teller(ledger)) as server:
            talk = _Talk(ledger, server.url, server.served_name, way, deaths)
            try:
                while ledger.advance():
                    asyncio.run(_race(talk, server.died))
            except _ServerDiedError:
                death = Death(server.diagnose(), tuple(talk.open.values()), talk.answers, server.last_words())
                ledger.say(ServerState(label, "died", death.cause.reason))
                _act_on(death, deaths, ledger)
        if ledger.has_pending:
            time.sleep(deaths.pause_s)


def _act_on(death: Death, deaths: Deaths, ledger: Ledger) -> None:
    """Set aside what killed the server, if that is known; give the model up where another start is pointless."""
    killer = deaths.note(death, answered=ledger.answered)
    ledger.say(Notice(f"{deaths.label}: the server died: {death.cause.reason}; {deaths.next_step}"))
    if killer is not None:
        keys, failure = killer
        ledger.settle(keys, (failure,) * len(keys))
        error = deaths.too_many_killers(death)
        if error is not None:
            raise error


def on_endpoint(ledger: Ledger, url: str, served_name: str, way: AskingRules) -> None:
    """Ask a server that already runs; nothing is started or stopped."""
    label = ledger.contender.model.label
    ledger.say(ServerState(label, "already running", url))
    talk = _Talk(ledger, url, served_name, way)
    while ledger.advance():
        asyncio.run(talk.everything(None))


def _teller(ledger: Ledger) -> Callable[[str, str], None]:
    label = ledger.contender.model.label
    return lambda state, detail: ledger.say(ServerState(label, state, detail))


async def _race(talk: _Talk, died: Callable[[], Awaitable[None]]) -> None:
    """Talk until all is said, or until the server dies: what was under way then stays owed."""
    death = asyncio.ensure_future(died())
    talking = asyncio.ensure_future(talk.everything(death))
    try:
        await asyncio.wait({talking, death}, return_when=asyncio.FIRST_COMPLETED)
        if death.done() and not talking.done():
            raise _ServerDiedError
        try:
            talking.result()
        except InfrastructureError:
            # The client gives up on a silent server; if it died, starting it again is the better answer.
            await asyncio.wait({death}, timeout=_DEATH_SHOWS_S)
            if death.done():
                raise _ServerDiedError from None
            raise
    finally:
        talking.cancel()
        death.cancel()
        await asyncio.wait({talking, death})


@dataclass(slots=True)
class _Talk:
    """One conversation of a client with a server."""

    ledger: Ledger
    url: str
    model: str
    way: AskingRules
    deaths: Deaths | None = None
    """Of earlier servers of the model, where evalkit starts them."""
    open: dict[int, Request] = field(default_factory=dict)
    """Requests that were sent and have no outcome, by ``id``."""
    answers: int = 0
    """Requests that brought an answer."""
    refused: int = 0
    trusted_until: float = 0.0
    """Until then the server has been seen to live on after a broken connection, by the event loop's clock."""
    exams: dict[str, Session] = field(default_factory=dict)
    """By task name."""

    async def everything(self, death: asyncio.Future[None] | None) -> None:
        """Rehearse, send the heaviest prompt of each task, then the rest, then what has to be asked alone."""
        sources = self.ledger.owing()
        self.ledger.another_server()
        served = await asyncio.to_thread(self._served)
        for source in sources:
            task = source.part.task
            self.exams[task.name] = await asyncio.to_thread(source.harness.session, task, served, self._tell)
        names = self.ledger.contender.model.names
        asking = Client(self.url, self.model, self._policy, names, self._note_sent)
        async with asking as client, self._telling_of_silence(client):
            for source in sources:
                await self._exam(source).rehearse(client, self.ledger.some(source))
            try:
                await self._ask_suspects(client, sources, death)
                await self._send(client, self._heaviest(sources), death, longest=served.max_model_len, heavy=True)
                # Already here: who kills this after the last answer leaves nothing to learn it from.
                self._remember()
                await self._ask_all(client, sources, death)
                if self.ledger.deferred:
                    await self._ask_once_more(death)
            finally:
                self._remember()
        if self.ledger.waiting:
            gone = len(self.ledger.waiting)
            for source in self.ledger.owing():
                prepare.refuse_unrepeatable(source)
            raise DataError(
                f"{counted(gone, 'planned sample')} {agreeing(gone, 'is', 'are')} no longer in the data",
                fix="the data changed during the run; run the same command again",
            )

    async def _ask_all(self, client: Client, sources: Sequence[Source], death: asyncio.Future[None] | None) -> None:
        """Everything that is owed, then what has to be asked alone."""
        await self._send(client, self._owed(sources), death)
        for source in sources:
            for _, pending in self.ledger.pending([source]):
                await self._send(client, self._exam(source).alone(pending), death)

    async def _ask_once_more(self, death: asyncio.Future[None] | None) -> None:
        """What failed in a way that may have passed by now, each sample once."""
        model, count = self.ledger.contender.model, len(self.ledger.deferred)
        self.ledger.say(Stage(f"{model.label}: asking {counted(count, 'failed sample')} once more"))
        self.ledger.once_more()
        policy = replace(self._policy, tries=1)
        asking = Client(self.url, self.model, policy, model.names, self._note_sent)
        async with asking as client, self._telling_of_silence(client):
            await self._ask_all(client, self.ledger.owing(), death)

    @property
    def _policy(self) -> SendingPolicy:
        """The way's; what failed before may fail again to the last sample, and the server is not lost for that."""
        policy = self.way.policy
        return replace(policy, lost_windows=len(self.ledger.waiting) + 1) if self.ledger.failed_before else policy

    async def _ask_suspects(
        self, client: Client, sources: Sequence[Source], death: asyncio.Future[None] | None
    ) -> None:
        """After a death: one request that was not under way, then those that were, until each is cleared or caught."""
        if self.deaths is None or not self.deaths.count:
            return
        suspected = {key for keys in self.deaths.suspects for key in keys}
        other, found = await asyncio.to_thread(self._pick, sources, suspected)
        if other is not None:
            await self._ask_these(client, [other], death)
        for step in self.deaths.steps():
            entries = [found[key] for keys in step for key in keys if key in found]
            await self._ask_these(client, entries, death)

    def _pick(self, sources: Sequence[Source], suspected: Collection[str]) -> tuple[_Owed | None, dict[str, _Owed]]:
        """A sample that nothing is held against, and the suspected ones by key; no more rows are read than needed."""
        other, found = None, {}
        for source, pending in self.ledger.pending(sources):
            for key, sample in pending:
                if key in suspected:
                    found[key] = (source, key, sample)
                elif other is None:
                    other = (source, key, sample)
                if other is not None and len(found) == len(suspected):
                    return other, found
        return other, found

    async def _ask_these(self, client: Client, entries: Sequence[_Owed], death: asyncio.Future[None] | None) -> None:
        """Ask some samples, with nothing else under way."""
        for _, group in groupby(entries, key=lambda entry: entry[0].part.task.name):
            (source, *_), *_ = listed = list(group)
            pending = [(key, sample) for _, key, sample in listed]
            await self._send(client, self._exam(source).requests(pending), death)
            left = [(key, sample) for key, sample in pending if key in self.ledger.waiting]
            await self._send(client, self._exam(source).alone(left), death)

    def _remember(self) -> None:
        for name, session in self.exams.items():
            self.ledger.held(name, session.facts)

    def _served(self) -> Served:
        patience_s = self.way.policy.patience_s
        longest = None
        for entry in control.patiently(self.url, patience_s, self._tell):
            if entry["id"] == self.model and isinstance(entry.get("max_model_len"), int):
                longest = int(entry["max_model_len"])
        return Served(self.url, self.model, self.ledger.contender.model, longest, patience_s)

    def _tell(self, text: str) -> None:
        self.ledger.say(Notice(f"{self.ledger.contender.model.label}: {text}"))

    def _exam(self, source: Source) -> Session:
        return self.exams[source.part.task.name]

    def _heaviest(self, sources: Sequence[Source]) -> Iterator[Request]:
        for source in sources:
            yield from self._exam(source).requests(self.ledger.heaviest(source))

    def _owed(self, sources: Sequence[Source]) -> Iterator[Request]:
        for source, pending in self.ledger.pending(sources):
            yield from self._exam(source).requests(pending)

    @asynccontextmanager
    async def _telling_of_silence(self, client: Client) -> AsyncIterator[None]:
        telling = asyncio.create_task(self._tell_of_silence(client.patience, client.gate))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def _tell_of_silence(self, patience: Patience, gate: Gate) -> None:
        """Tell that nothing comes from the server, less often the longer it lasts, and that it speaks again."""
        label, first_s = self.ledger.contender.model.label, self.way.policy.deadline_s * _SILENCE
        first_s = min(first_s, _LONGEST_SILENCE_S)
        due_s, heard = first_s, 0
        while True:
            silent_s = max(patience.silent_s, gate.refusing_s)
            if silent_s >= due_s:
                if gate.refusing_s:
                    borne = f"it is asked again for up to {self.way.policy.patience_s:g} s (--patience)"
                    told = ServerState(label, "refusing", f"for {silent_s:.3g} s ({gate.reason}); {borne}")
                else:
                    waiting = f"no answer for {silent_s:.3g} s; requests under way: {patience.under_way}"
                    told = ServerState(label, "silent", waiting)
                self.ledger.say(told)
                due_s, heard = 2 * silent_s, patience.heard
            elif due_s > first_s and patience.heard > heard:
                self.ledger.say(ServerState(label, "answering", self.url))
                due_s = first_s
            await asyncio.sleep(min(first_s, due_s - silent_s))

    async def _send(
        self,
        client: Client,
        requests: Iterator[Request],
        death: asyncio.Future[None] | None,
        *,
        longest: int | None = None,
        heavy: bool = False,
    ) -> None:
        async with aclosing(client.ask(requests)) as outcomes:
            async for request, outcome in outcomes:
                self.answers += not isinstance(outcome, Failure)
                if heavy:
                    # Before it is stored: the same command must stop here again.
                    self._check_speaks(client, request, outcome)
                    self._check_fits(request, outcome, longest)
                await self._settle(request, outcome, death)
                # Not before: what ended with a death, seen only now, was under way when the server died.
                self.open.pop(id(request), None)

    def _note_sent(self, request: Request) -> None:
        self.open[id(request)] = request

    async def _settle(self, request: Request, outcome: Outcome | Replies, death: asyncio.Future[None] | None) -> None:
        if isinstance(outcome, Failure):
            if death is not None and outcome.kind in _UNREACHABLE:
                await self._look_for(death)
            self._count_refusal(outcome)
            outcome = (outcome,) * (1 if isinstance(request.key, str) else len(request.key))
        elif not isinstance(outcome, tuple):
            outcome = (outcome,)
        if request.separable:
            outcome = tuple(None if isinstance(one, Failure) and one.kind in _OF_ONE else one for one in outcome)
        self.ledger.settle(request.key, outcome)

    async def _look_for(self, death: asyncio.Future[None]) -> None:
        """Give a death the time to show; once in a while, as a server may also live on and only drop connections."""
        now = asyncio.get_running_loop().time()
        if now >= self.trusted_until:
            await asyncio.wait({death}, timeout=_DEATH_SHOWS_S)
            self.trusted_until = now + 10 * _DEATH_SHOWS_S
        if death.done():
            raise _ServerDiedError

    def _count_refusal(self, failure: Failure) -> None:
        self.refused += failure.kind in _REFUSALS
        label = self.ledger.contender.model.label
        if failure.kind is FailureKind.WRONG_MODEL and not self.ledger.answered:
            same = f"if that is the same model, add --served-as {label}=NAME with the name that answered"
            ours = "see serve.command and serve.args for what names the model"
            fix = same if self.ledger.contender.model.endpoint else ours
            raise InfrastructureError(f"{label}: {failure.message}", fix=fix)
        if self.refused >= _HOPELESS and not self.ledger.answered:
            raise InfrastructureError(
                f"{label}: the server refused the first {counted(self.refused, 'request')} ({failure.message})",
                fix="see that the server serves this model and accepts its images and lengths",
            )

    def _check_speaks(self, client: Client, request: Request, outcome: Outcome | Replies) -> None:
        """Stop at a server that takes requests and answers none; all others would wait as long."""
        if isinstance(outcome, Failure) and outcome.kind is FailureKind.DEADLINE and not client.patience.heard:
            raise InfrastructureError(
                f"{self.url}: the server answered nothing: {outcome.message}, in {outcome.tries} tries "
                f"({outcome.kind} of {self._task(request).name})",
                fix="see what the server is doing; where it is only slow, raise deadline_s under [client]",
            )

    def _task(self, request: Request) -> Task:
        return self.ledger.task(request.key if isinstance(request.key, str) else request.key[0])

    def _check_fits(self, request: Request, outcome: Outcome | Replies, longest: int | None) -> None:
        """Tell at the start of the run, not after it, that answers would be cut short: vLLM does that silently."""
        task = self._task(request)
        first = outcome[0] if isinstance(outcome, tuple) else outcome
        place = f"{self.ledger.contender.model.label}: the largest prompt of {task.name}"
        if isinstance(first, Failure):
            if first.kind is FailureKind.REFUSED and _TOO_LONG.search(first.message) and not self.way.allow_overlong:
                raise UsageError(
                    f"{place} does not fit the model's context ({first.message})",
                    fix="raise --serve-arg max-model-len=N, or count such samples as failed with --allow-overlong",
                )
        elif first and longest and first.prompt_tokens and longest - first.prompt_tokens < task.decoding.max_tokens:
            room = f"{longest - first.prompt_tokens} of {task.decoding.max_tokens} answer tokens"
            text = f"{place} ({first.prompt_tokens} tokens) leaves {room} within max-model-len {longest}"
            self.ledger.say(Notice(text))
