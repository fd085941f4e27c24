"""The servers of one model: started side by side, started again when they die, given up when they keep dying."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from evalkit.base.errors import EvalkitError, ServerFailedError
from evalkit.base.printable import counted
from evalkit.serve import launch
from evalkit.serve.lifecycle import Server
from evalkit.serve.placement import ServerPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeAlias

    from evalkit.base.types import Model
    from evalkit.config.run_config import Serving
    from evalkit.serve.diagnosis import Diagnosis

    ServerMaker: TypeAlias = Callable[[Serving, Model, Path, Callable[[str, str], None]], "AnyServer"]
    """Makes a server, not started yet: how it is served, whose it is, its log, and who hears of it."""


class AnyServer(Protocol):
    """A server of a model, as `Server` is one on this machine: what replicas are made of, wherever they run."""

    @property
    def served_name(self) -> str:
        """The name by which requests ask for the model."""

    @property
    def url(self) -> str:
        """Where the server answers, once it is ready."""

    def __enter__(self) -> Self:
        """Start and wait until it is ready, or raise a `ServerFailedError`."""

    def alive(self) -> bool:
        """Whether it can still answer; asked often, so it must not wait for anything."""

    async def died(self) -> None:
        """Return as soon as it is no longer ``alive``."""

    def diagnose(self) -> Diagnosis:
        """Why it ended."""

    def last_words(self) -> str:
        """Evidence for an error."""

    def stop(self) -> None:
        """End it and everything it started; from any thread, also while it starts."""

    def kill(self) -> None:
        """End it at once."""


class OwnReplica:
    """One of them: where it runs, and the server that runs there now."""

    def __init__(self, place: ServerPlace, log: Path, name: str) -> None:
        """At a place, with a log and a name to tell it by; nothing is started."""
        self.place, self.log, self.name = place, log, name
        self.server: AnyServer | None = None
        """The last one, from the moment it is started."""
        self.starting: Future[AnyServer] = Future()
        """The server once it is ready, or why it is not."""
        self.deaths = 0

    @property
    def where(self) -> str:
        """Its name and the GPUs that it runs on; empty for a model's only server."""
        return f"{self.name}, {self.place.words}" if self.name and self.place.words else self.name


class Replicas:
    """They start with the ``async with`` block, each in a thread, and none of them outlives it."""

    def __init__(
        self,
        serving: Serving,
        model: Model,
        log: Path,
        say: Callable[[str, str], None],
        places: Sequence[ServerPlace] = (ServerPlace(),),
        make: ServerMaker = Server,
    ) -> None:
        """Prepare to serve ``model`` at each place.

        ``say(state, detail)`` hears what the servers do, of several with the number of each. Its thread is any.
        ``make`` makes each of them, on this machine where nothing else is said.
        """
        self._serving, self._model, self._say, self._make = serving, model, say, make
        several = len(places) > 1
        self.replicas = tuple(
            OwnReplica(
                place,
                log.with_name(f"{log.stem}.{number}{log.suffix}") if several else log,
                f"server {number} of {len(places)}" if several else "",
            )
            for number, place in enumerate(places, 1)
        )
        self.restarts = serving.restarts
        """How often each may be started again."""
        self._leaving = threading.Event()
        self._threads = ThreadPoolExecutor(len(places), "evalkit-server")

    async def __aenter__(self) -> Self:
        for replica in self.replicas:
            replica.starting = self._threads.submit(self._start, replica, 0.0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them all, also those that are still starting; an error of a stop never hides the one that came here."""
        # In a thread of its own to its end, whoever is cancelled meanwhile: others may still be asked.
        try:
            failed = await asyncio.shield(asyncio.to_thread(self._stop))
        except asyncio.CancelledError:
            # As by a second Ctrl-C: whoever does not want to wait for the stop wants them gone at once.
            for replica in self.replicas:
                if replica.server is not None:
                    replica.server.kill()
            raise
        if failed and error is None:
            raise failed[0]

    def _stop(self) -> list[EvalkitError]:
        self._leaving.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        with ThreadPoolExecutor(len(self.replicas), "evalkit-stop") as stopping:
            failed = [one for one in stopping.map(_stopped, self.replicas) if one is not None]
        self._threads.shutdown()
        return failed

    async def leader(self) -> OwnReplica:
        """Of those that are ready the one that has died least often, waited for.

        Raises:
            EvalkitError: None of them can be served; the error is the first one's.
        """
        while True:
            usable = [one for one in self.replicas if not self.is_given_up(one)]
            if not usable:
                raise self.replicas[0].starting.exception() or AssertionError("it was not given up")
            ended = [one for one in usable if one.starting.done()]
            # Whether a model's only server still lives is the caller's to see: its death has to be told.
            ready = [one for one in ended if len(self.replicas) == 1 or (one.server and one.server.alive())]
            if ready:
                return min(ready, key=lambda one: one.deaths)
            for one in ended:
                self.start_again(one, 0.0, "while another one did")
            await _first([one.starting for one in usable])

    async def ready(self, replica: OwnReplica) -> AnyServer | None:
        """Its server, waited for; None once it is given up."""
        try:
            return await asyncio.wrap_future(_followed(replica.starting))
        except EvalkitError:
            return None

    def is_given_up(self, replica: OwnReplica) -> bool:
        """Whether it is not started again."""
        return replica.starting.done() and replica.starting.exception() is not None

    def is_spent(self, replica: OwnReplica) -> bool:
        """Whether one more death is its last one; a model's only server is started as often as the caller asks."""
        return len(self.replicas) > 1 and replica.deaths >= self.restarts

    def start_again(self, replica: OwnReplica, pause_s: float, why: str) -> bool:
        """Stop what is left of a server that died, and start another; False where it is spent, and given up."""
        spent = self.is_spent(replica)
        replica.deaths += 1
        if spent:
            self.give_up(replica, f"it died {counted(replica.deaths, 'time')} ({why})")
            return False
        replica.starting = self._threads.submit(self._start, replica, pause_s)
        return True

    def give_up(self, replica: OwnReplica, why: str) -> None:
        """Stop it, and start none in its place."""
        replica.starting = Future()
        replica.starting.set_exception(
            ServerFailedError(
                f"{self._model.label}: {replica.name}: {why}",
                fix=f"see {replica.log}; the same command then continues",
            )
        )
        self._threads.submit(_stopped, replica)

    def _start(self, replica: OwnReplica, pause_s: float) -> AnyServer:
        if replica.server is not None:
            replica.server.stop()
            self._leaving.wait(pause_s)
        server = self._make(replica.place.serving(self._serving), self._model, replica.log, self._teller(replica))
        replica.server = server
        if self._leaving.is_set():
            raise ServerFailedError(f"{server.served_name}: not started any more", fix="run the same command again")
        return server.__enter__()

    def _teller(self, replica: OwnReplica) -> Callable[[str, str], None]:
        if not replica.name:
            return self._say
        where = replica.where
        return lambda state, detail: self._say(state, f"{where}: {detail}" if detail else where)

    def why_given_up(self, replica: OwnReplica) -> str:
        """Why it is not started again, in words without its name; empty where it may be."""
        error = replica.starting.exception() if self.is_given_up(replica) else None
        told = error.message if isinstance(error, EvalkitError) else str(error or "")
        for name in (self._model.label, launch.served_name(self._model), replica.name):
            told = told.removeprefix(f"{name}: ")
        return told


async def _first(starts: Sequence[Future[AnyServer]]) -> None:
    """Wait until one of them has come to its end, whichever that is."""
    followed = [asyncio.wrap_future(_followed(one)) for one in starts]
    try:
        await asyncio.wait(followed, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in followed:
            if not one.cancel() and not one.cancelled():
                one.exception()  # seen: ``is_given_up`` tells it


def _stopped(replica: OwnReplica) -> EvalkitError | None:
    """Stop its server; returns what went wrong."""
    try:
        if replica.server is not None:
            replica.server.stop()
    except EvalkitError as error:
        return error
    return None


def _followed(one: Future[AnyServer]) -> Future[AnyServer]:
    """A future with the same end, that whoever waits may cancel."""
    mine: Future[AnyServer] = Future()

    def ended(_: Future[AnyServer]) -> None:
        if not mine.set_running_or_notify_cancel():
            return
        if one.cancelled():
            mine.set_exception(ServerFailedError("the server was not started", fix="run the same command again"))
        elif (error := one.exception()) is not None:
            mine.set_exception(error)
        else:
            mine.set_result(one.result())

    one.add_done_callback(ended)
    return mine
