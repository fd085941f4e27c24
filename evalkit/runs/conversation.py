"""One conversation with a model: rehearsals, the heaviest prompts, all that is owed, and what has to be asked alone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.base.events import Notice, ServerState, Stage
from evalkit.base.printable import agreeing, counted
from evalkit.base.types import Failure, FailureKind
from evalkit.client import Client, control
from evalkit.harnesses import Admits, Served
from evalkit.runs import heaviest, prepare
from evalkit.runs.deaths import Death, Deaths
from evalkit.runs.stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Generator, Iterator, Sequence

    from evalkit.base.types import Outcome, Replies, Sample, Task
    from evalkit.client import Gate, Patience, Request, SendingPolicy
    from evalkit.harnesses import Session
    from evalkit.runs.pending import Ledger
    from evalkit.runs.prepare import Source
    from evalkit.serve import AnyServer

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
DEATH_SHOWS_S = 1.0
"""A broken connection may be the first sign of a dead server; its process is gone within this time."""
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


class ServerDiedError(Exception):
    """The server that we started is gone."""


@dataclass(slots=True)
class Dialogue:
    """One conversation with one server, which others may join."""

    ledger: Ledger
    url: str
    model: str
    way: AskingRules
    deaths: Deaths | None = None
    """Of earlier servers of the model, where evalkit starts them."""
    client: Client | None = None
    """While the conversation lasts, and after a death."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether rehearsals and heaviest prompts are over."""
    losses: int = 0
    """Servers that took part and died."""
    answers: int = 0
    """Requests that brought an answer."""
    refused: int = 0
    trusted_until: float = 0.0
    """Until then the server has been seen to live on after a broken connection, by the event loop's clock."""
    sessions: dict[str, Session] = field(default_factory=dict)
    """By task name."""
    remembered: set[str] = field(default_factory=set)
    """Tasks of which it is kept how this server is asked; what was kept of an earlier one does not say it."""
    stream: Stream | None = None
    """What was sent last, or is being sent: a look may bring more as long as it has not ended."""

    async def everything(self, death: asyncio.Future[None] | None) -> None:
        """Rehearse, send the heaviest prompt of each task, then the rest, then what has to be asked alone."""
        sources = self.ledger.owing()
        self.ledger.another_server()
        served = await asyncio.to_thread(self._served)
        for source in sources:
            task = source.part.task
            self.sessions[task.name] = await asyncio.to_thread(source.harness.session, task, served, self.tell)
        names = self.ledger.contender.model.names
        async with self._asking(Client(self.url, self.model, self._policy, names)) as client:
            for source in sources:
                await self._exam(source).rehearse(client, self.ledger.some(source))
            # What a rehearsal broke off is owed to nobody: no later death may be blamed on it.
            client.first.under_way.clear()
            try:
                await self._ask_suspects(client, sources, death)
                await self._send(client, self._heaviest(sources), death, longest=served.max_model_len, heavy=True)
                self.begun.set()
                await self._ask_all(client, death)
                if self.ledger.deferred:
                    await self._ask_once_more(death)
            finally:
                self._remember(self.sessions)
        if self.ledger.waiting:
            gone = len(self.ledger.waiting)
            for source in self.ledger.owing():
                prepare.refuse_unrepeatable(source)
            raise DataError(
                f"{counted(gone, 'planned sample')} {agreeing(gone, 'is', 'are')} no longer in the data",
                fix="the data changed during the run; run the same command again",
            )

    async def _ask_all(self, client: Client, death: asyncio.Future[None] | None) -> None:
        """Everything that is owed, then what has to be asked alone; both again for what was left by a server's loss."""
        seen = -1
        while seen < self.losses and self.ledger.waiting:
            if seen >= 0:
                await self._ask_suspects_alone(self.ledger.owing(), death)
            seen = self.losses
            first = self._owed(self.ledger.owing(), self.ledger.waiting)
            with Stream(first, waits=self.ledger.meanwhile is not None) as self.stream:
                await self._send(client, self.stream.requests(), death)
            for source in self.ledger.owing():
                for _, pending in self.ledger.pending([source], self.ledger.waiting):
                    await self._send(client, self._exam(source).alone(pending), death)

    async def _ask_once_more(self, death: asyncio.Future[None] | None) -> None:
        """What failed in a way that may have passed by now, each sample once."""
        model, count = self.ledger.contender.model, len(self.ledger.deferred)
        self.ledger.say(Stage(f"{model.label}: asking {counted(count, 'failed sample')} once more"))
        self.ledger.once_more()
        policy = replace(self._policy, tries=1)
        async with self._asking(Client(self.url, self.model, policy, model.names)) as client:
            await self._ask_all(client, death)

    # --- others that take part ---

    async def joinable(self) -> Client:
        """The client that others may join, once rehearsals and heaviest prompts are over."""
        await self.begun.wait()
        if self.client is None:
            raise AssertionError("a conversation that has begun has a client")
        return self.client

    async def objection(self, server: AnyServer) -> str:
        """Why a further server may not take part, as the sessions see it; empty where it may."""
        found = [(source, self._exam(source)) for source in self.ledger.owing()]
        looking = [(source, session) for source, session in found if isinstance(session, Admits)]
        if not looking:
            return ""
        async with Client(server.url, self.model, self._policy, self.ledger.contender.model.names) as client:
            for source, session in looking:
                if why := await session.admit(client, self.ledger.some(source)):
                    return f"{source.part.task.name}: {why}"
        return ""

    def is_suspect(self, request: Request) -> bool:
        """Whether a server that took part has died with it before: it is not given to a third one."""
        return self.deaths is not None and self.deaths.died_with(request)

    def note_loss(self, held: tuple[Request, ...], server: AnyServer) -> None:
        """A server that took part is no more, and had this under way."""
        self.losses += 1
        if self.stream is not None:
            self.stream.end()  # of what was under way there some may have no outcome, for which it would wait
        death = Death(server.diagnose(), held, self.answers, server.last_words())
        self.ledger.say(ServerState(self.ledger.contender.model.label, "died", death.cause.reason))
        if self.deaths is not None:
            self.deaths.note_beside_others(death)

    @property
    def under_way(self) -> tuple[Request, ...]:
        """What the server was asked last and has no outcome."""
        return tuple(self.client.first.under_way.values()) if self.client else ()

    @property
    def _policy(self) -> SendingPolicy:
        """The way's; what failed before may fail again to the last sample, and the server is not lost for that."""
        policy = self.way.policy
        return replace(policy, lost_windows=len(self.ledger.waiting) + 1) if self.ledger.failed_before else policy

    async def _ask_suspects_alone(self, sources: Sequence[Source], death: asyncio.Future[None] | None) -> None:
        """What two servers died with is asked of the leading one, while the others have nothing."""
        model = self.ledger.contender.model
        async with self._asking(Client(self.url, self.model, self._policy, model.names)) as client:
            await self._ask_suspects(client, sources, death)

    async def _ask_suspects(
        self, client: Client, sources: Sequence[Source], death: asyncio.Future[None] | None
    ) -> None:
        """After a death: one request that was not under way, then those that were, until each is cleared or caught."""
        if self.deaths is None or not self.deaths.count:
            return
        suspected = {key for keys in self.deaths.suspects for key in keys if key in self.ledger.waiting}
        other, found = await asyncio.to_thread(self._pick, sources, suspected)
        if other is not None:
            await self._ask_these(client, [other], death)
        for step in self.deaths.steps():
            entries = [found[key] for keys in step for key in keys if key in found]
            await self._ask_these(client, entries, death)

    def _pick(self, sources: Sequence[Source], suspected: Collection[str]) -> tuple[_Owed | None, dict[str, _Owed]]:
        """A sample that nothing is held against, and the suspected ones by key; no more rows are read than needed."""
        other, found = None, {}
        for source, pending in self.ledger.pending(sources, self.ledger.waiting):
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

    def _remember(self, names: Collection[str]) -> None:
        for name in names:
            if (facts := self.sessions[name].facts) is not None:
                self.ledger.keep_facts(name, facts)
                self.remembered.add(name)

    def _served(self) -> Served:
        patience_s = self.way.policy.patience_s
        longest = None
        for entry in control.patiently(self.url, patience_s, self.tell):
            if entry["id"] == self.model and isinstance(entry.get("max_model_len"), int):
                longest = int(entry["max_model_len"])
        return Served(self.url, self.model, self.ledger.contender.model, longest, patience_s)

    def tell(self, text: str) -> None:
        """Say something that belongs into the report."""
        self.ledger.say(Notice(f"{self.ledger.contender.model.label}: {text}"))

    def _exam(self, source: Source) -> Session:
        return self.sessions[source.part.task.name]

    def _heaviest(self, sources: Sequence[Source]) -> Iterator[Request]:
        asked = set[str]()
        for source in sources:
            # Tasks over the same rows may have the same heaviest request.
            found = [one for one in self.ledger.heaviest(source) if one[0] not in asked]
            asked.update(key for key, _ in found)
            yield from self._exam(source).requests(found)

    def _owed(self, sources: Sequence[Source], keys: Collection[str]) -> Generator[Request, None, None]:
        for source, pending in self.ledger.pending(sources, keys):
            yield from self._exam(source).requests(pending)

    @asynccontextmanager
    async def _asking(self, client: Client) -> AsyncIterator[Client]:
        """The open client; its silence is told meanwhile."""
        before = self.client
        async with client:
            self.client = client
            telling = asyncio.create_task(self._tell_of_silence(client.patience, client.gate))
            try:
                yield client
            finally:
                telling.cancel()
                await asyncio.wait({telling})
                self._tell_of_windows(client)
        self.client = before or client

    def _tell_of_windows(self, client: Client) -> None:
        """Tell how the window moved, where it did."""
        moved = [one.window for one in client.replicas if one.window.smallest < one.window.largest]
        if moved:
            least, most = min(one.smallest for one in moved), max(one.largest for one in moved)
            self.tell(f"{least} to {most} requests under way at once, as the server had room for them")

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
        async with aclosing(client.ask_in_batches(requests)) as batches:
            async for batch in batches:
                if not heavy:
                    await self._settle(client, batch, death)
                    continue
                for request, outcome in batch:
                    # Before it is stored: the same command must stop here again.
                    self._check_heaviest(client, request, outcome, longest)
                    await self._settle(client, [(request, outcome)], death)

    async def _settle(
        self, client: Client, batch: Sequence[tuple[Request, Outcome | Replies]], death: asyncio.Future[None] | None
    ) -> None:
        """Commit a batch. What ended with a death, seen only now, is still under way for the client."""
        first = 0
        for at, (_, outcome) in enumerate(batch):
            self.answers += not isinstance(outcome, Failure)
            if isinstance(outcome, Failure):
                # What came before it is kept, whatever it turns out to mean.
                self._keep(client, batch[first:at])
                first = at
                if death is not None and outcome.kind in _UNREACHABLE:
                    await self._look_for(death)
                self._count_refusal(outcome)
        self._keep(client, batch[first:])

    def _keep(self, client: Client, batch: Sequence[tuple[Request, Outcome | Replies]]) -> None:
        # Before it is stored: who kills this after the last answer of a task leaves nothing to learn it from.
        self._remember(self.sessions.keys() - self.remembered)
        self.ledger.settle_all([(request.key, _of_each(request, outcome)) for request, outcome in batch])
        for request, _ in batch:
            client.taken(request)
            if self.stream is not None and not self.stream.ended:
                brought, keys = self.ledger.go_on(self.sessions)
                self.stream.settled(self._owed(brought, keys) if keys else None)

    async def _look_for(self, death: asyncio.Future[None]) -> None:
        """Give a death the time to show; once in a while, as a server may also live on and only drop connections."""
        now = asyncio.get_running_loop().time()
        if now >= self.trusted_until:
            await asyncio.wait({death}, timeout=DEATH_SHOWS_S)
            self.trusted_until = now + 10 * DEATH_SHOWS_S
        if death.done():
            raise ServerDiedError

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

    def _check_heaviest(
        self, client: Client, request: Request, outcome: Outcome | Replies, longest: int | None
    ) -> None:
        task, label = self._task(request), self.ledger.contender.model.label
        heaviest.check_speaks(self.url, task, outcome, heard=bool(client.patience.heard))
        if told := heaviest.cut_short(label, task, outcome, longest, allow_overlong=self.way.allow_overlong):
            self.ledger.say(Notice(told))

    def _task(self, request: Request) -> Task:
        return self.ledger.task(request.key if isinstance(request.key, str) else request.key[0])


def _of_each(request: Request, outcome: Outcome | Replies) -> Replies:
    """What a request brought each of its samples; None leaves one owed, to be asked alone."""
    keys = 1 if isinstance(request.key, str) else len(request.key)
    found: Replies = outcome if isinstance(outcome, tuple) else (outcome,) * keys
    own = _OF_ONE if request.separable else ()
    return tuple(None if isinstance(one, Failure) and one.kind in own else one for one in found)
