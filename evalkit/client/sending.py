"""Requests to one model: one queue, and a window of requests under way on every server that answers for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from evalkit.base.types import Failure
from evalkit.client.lookahead import LookAhead
from evalkit.client.replica import Replica
from evalkit.client.request import SendingPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
    from types import TracebackType

    from evalkit.base.types import Outcome, Replies
    from evalkit.client.gate import Gate
    from evalkit.client.patience import Patience
    from evalkit.client.request import Request

    Outbox = asyncio.Queue[tuple[Request, Outcome | Replies] | None]


class Client:
    """Asks one model, as an async context manager that holds the connections.

    ::

        async with Client(url, model, Policy(window=32)) as client:
            async for request, outcome in client.ask(requests):
                ...

    Leaving the ``async with`` ends every asking that is still open: its requests under way are cancelled, its
    thread is stopped and its iterator closed.

    Further servers of the model may ``join``: all take from one queue, each when it has room.
    """

    def __init__(self, url: str, model: str, policy: SendingPolicy | None = None, also: Sequence[str] = ()) -> None:
        """Prepare to ask ``model`` (as the server names it) at ``url``; nothing is sent yet.

        Responses may also name it by one of ``also``.

        Raises:
            UsageError: ``url`` is not the address of an HTTP server.
        """
        self._names = (model, *also)
        self._policy = policy or SendingPolicy()
        self._replicas = [Replica(url, self._names, self._policy)]
        self._is_open = False
        self._askings: dict[asyncio.Task[None], _Asking] = {}

    async def __aenter__(self) -> Self:
        await self.first.open()
        self._is_open = True
        self._watch_window(self.first)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task, asking in self._askings.items():
            asking.open = False
            task.cancel()
        if self._askings:
            await asyncio.wait(self._askings)
        self._is_open = False
        for replica in (*self._replicas,):  # one may be leaving
            await replica.close()

    async def ask(self, requests: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome | Replies], None]:
        """Every request with its one outcome (or its replies, when it asks several samples), in the order of arrival.

        ``requests`` may block: it is pulled in a thread. Requests that were pulled but whose outcome has not
        been taken yet number at most ``window + AHEAD``, beside those that wait for a sibling with the same
        ``beginning`` to be answered. When the consumer stops early, is cancelled or calls
        ``aclose``, what is under way is cancelled within a second and has no outcome. Nor has what a server had under
        way that left when nothing else was left to send.

        Raises:
            InfrastructureError: The server is lost: ``window * lost_windows`` requests in a row failed on
                every try. What had no outcome by then has none.
            Exception: Whatever ``requests`` or a payload raised, after the outcomes of all requests before.
        """
        async with self._begun(requests) as asking:
            while pair := await asking.come(1):
                asking.ahead.release()
                yield pair[0]
                self.taken(pair[0][0])

    async def ask_in_batches(
        self, requests: Iterable[Request]
    ) -> AsyncGenerator[Sequence[tuple[Request, Outcome | Replies]], None]:
        """What ``ask`` gives, in batches of all that has come since the last one: nothing is waited for."""
        async with self._begun(requests) as asking:
            while batch := await asking.come():
                asking.ahead.release(len(batch))
                yield batch
                for request, _ in batch:
                    self.taken(request)

    @asynccontextmanager
    async def _begun(self, requests: Iterable[Request]) -> AsyncIterator[_Asking]:
        """One asking, ended with the block; where it is left after the last outcome, what ended it early is raised."""
        if not self._is_open:
            raise RuntimeError("ask needs an open client: use 'async with Client(...)'")
        for replica in self._replicas:
            replica.begin()
        asking = _Asking(LookAhead(requests, 0), asyncio.Queue())
        task = asyncio.create_task(self._ask_all(asking))
        task.add_done_callback(lambda _: asking.outbox.put_nowait(None))
        self._askings[task] = asking
        try:
            yield asking
            if task.cancelled():
                raise RuntimeError("the client was closed before every request had its outcome")
            task.result()
        finally:
            asking.open = False
            task.cancel()
            await asyncio.wait({task})
            del self._askings[task]
            if not task.cancelled():
                task.exception()  # seen: it was raised above, or the consumer left before it came

    def taken(self, request: Request) -> None:
        """The outcome of a request is settled: it counts as under way no longer, before the whole of its batch is."""
        for replica in self._replicas:
            replica.under_way.pop(id(request), None)

    async def join(self, url: str) -> Replica:
        """Let one more server of the model take part, also in what is being asked."""
        replica = Replica(url, self._names, self._policy, one_of_several=True)
        await replica.open()
        self._replicas.append(replica)
        self._watch_window(replica)
        for asking in self._askings.values():
            asking.employ(replica)
        return replica

    async def leave(self, replica: Replica, aside: Callable[[Request], bool] = lambda _: False) -> None:
        """Ask a server that joined no more.

        The others are asked what was under way there, but for what is to be put ``aside``: it has no outcome.
        """
        replica.gone, replica.aside = True, aside
        self._replicas.remove(replica)
        try:
            for asking in (*self._askings.values(),):  # one may come to its end meanwhile
                await asking.dismiss(replica)
        finally:
            await replica.close()

    @property
    def first(self) -> Replica:
        """The server that this client was made for."""
        return self._replicas[0]

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """The servers that take part now."""
        return tuple(self._replicas)

    @property
    def patience(self) -> Patience:
        """How long the first server has said nothing, and how long that is borne."""
        return self.first.patience

    @property
    def gate(self) -> Gate:
        """Whether the first server refuses for now, and for how long it has."""
        return self.first.gate

    def _watch_window(self, replica: Replica) -> None:
        def widened() -> None:
            for asking in self._askings.values():
                asking.employ(replica)

        replica.widened = widened

    async def _ask_all(self, asking: _Asking) -> None:
        """Send everything, then raise what ended it early."""
        try:
            async with asking.ahead, asyncio.TaskGroup() as asking.group:
                asking.open = True
                for replica in self._replicas:
                    asking.employ(replica)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        if asking.ahead.error is not None:
            raise asking.ahead.error


@dataclass(slots=True)
class _Asking:
    """One call of ``ask``: its queue, and the places in the windows that take from it."""

    ahead: LookAhead
    outbox: Outbox
    group: asyncio.TaskGroup = field(init=False)
    senders: dict[Replica, set[asyncio.Task[None]]] = field(default_factory=dict)
    open: bool = False
    """Whether places can be added: not before its group is there, nor once it ends by an error."""
    begun: bool = False
    over: bool = False
    """Whether the last outcome was taken."""

    async def come(self, most: int = 0) -> list[tuple[Request, Outcome | Replies]]:
        """What has its outcome and was not taken yet, all or at most so many; nothing when all is over."""
        found: list[tuple[Request, Outcome | Replies]] = []
        while not found or (len(found) != most and not self.outbox.empty()):
            pair = None if self.over else await self.outbox.get()
            if pair is None:
                self.over = True
                break
            found.append(pair)
        return found

    def employ(self, replica: Replica) -> None:
        """As many places as the server's window has; none where all is sent already."""
        if replica.gone or not self.open:
            return
        mine = self.senders.setdefault(replica, set())
        if self.begun and (self.ahead.is_over or not any(self.senders.values())):
            return
        self.begun = True
        for _ in range(replica.window.size - len(mine)):
            sender = self.group.create_task(self._send_one_by_one(replica))
            mine.add(sender)
            sender.add_done_callback(mine.discard)
        self._fit()

    async def dismiss(self, replica: Replica) -> None:
        """End the places of a server that is gone; what it had goes back into the queue."""
        mine = {*self.senders.pop(replica, set())}
        for sender in mine:
            sender.cancel()
        if mine:
            await asyncio.wait(mine)
        self.ahead.forget(replica)
        self._fit()

    def _is_too_many(self, replica: Replica) -> bool:
        """Whether a place goes, because the server's window has become smaller."""
        mine = self.senders.get(replica, set())
        if len(mine) <= replica.window.size:
            return False
        if sender := asyncio.current_task():
            mine.discard(sender)
        self._fit()
        return True

    def _fit(self) -> None:
        self.ahead.fit(sum(replica.window.size for replica in self.senders))

    async def _send_one_by_one(self, replica: Replica) -> None:
        """One place in the window of a server."""
        entry = None
        try:
            while (entry := await self.ahead.next(replica)) is not None:
                request, body = entry
                if isinstance(body, Failure):
                    self.ahead.answered(request, well=False)
                    self.outbox.put_nowait((request, body))
                    entry = None  # it has its outcome: a server that leaves now must not give it back
                    continue
                replica.under_way[id(request)] = request
                outcome = await replica.answer(request, body)
                del body, entry  # the memory is free before the outcome waits to be taken
                entry = None
                self.ahead.answered(request, well=not isinstance(outcome, Failure))
                self.outbox.put_nowait((request, outcome))
                replica.watch(outcome)
                if replica.lost.is_set() or self._is_too_many(replica):
                    return
        except asyncio.CancelledError:
            if not replica.gone:
                raise
            if entry is not None:
                replica.under_way.pop(id(entry[0]), None)
                if replica.aside(entry[0]):
                    self.ahead.answered(entry[0], well=False)
                    self.ahead.release()
                else:
                    self.ahead.give_back(entry)
        except BaseException:
            self.open = False
            raise
