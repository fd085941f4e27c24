"""A server on another host, as the run sees it: its keeper is asked for news, and silence is a death."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import ray

from evalkit import serve
from evalkit.base.errors import EvalkitError, InfrastructureError, ServerFailedError, unwritable
from evalkit.base.printable import one_line
from evalkit.client import control
from evalkit.cluster.keeper import file_sizes, moving_variables
from evalkit.cluster.orders import OVER, HostFacts, News, Order
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from evalkit.base.types import Model
    from evalkit.config.run_config import Serving

_PLACE_S: Final = 60.0
"""How long Ray may look for a place; there was room when the run began."""
_SILENCE_S: Final = 30.0
"""A keeper says something every few seconds; its host is given up after so long."""
_DEATH_POLL_S: Final = 0.1
_POLL_S: Final = 0.5
_STOP_SLACK_S: Final = 30.0
"""Beyond the patience for the server itself: an answer of the keeper's, and memory that a driver takes back."""


def everywhere(serving: Serving) -> Serving:
    """The same, with paths that mean the same on every host."""
    args = {name: _anywhere(value) if isinstance(value, str) else value for name, value in serving.args.items()}
    # A program without a folder is looked for on the PATH, whatever lies in this one.
    first, *more = serving.command or ("",)
    command = (_program(first), *map(_anywhere, more)) if serving.command else ()
    return replace(serving, args=args, python=_program(serving.python), command=command)


def _anywhere(word: str) -> str:
    return str(Path(word).resolve()) if word and Path(word).exists() else word


def _program(word: str) -> str:
    """Links are not followed: an interpreter's own place is what tells it its packages."""
    return str(Path(word).absolute()) if os.sep in word else word


class RemoteServer:
    """One start of one server on a host that Ray chooses; `serve.AnyServer` says what each method promises."""

    def __init__(
        self,
        what: tuple[Serving, Model, str, HostFacts],
        log: Path,
        say: Callable[[str, str], None],
        keeper: Callable[[], Any],
    ) -> None:
        """Prepare to serve ``what``: how, which model, and with which key. ``keeper`` makes the actor."""
        self._serving, self._model, self._key, self._like = what
        self.served_name = serve.served_name(self._model)
        self._log, self._say, self._new_keeper = log, say, keeper
        self._keeper: Any = None
        self._begun: Any = None
        self._news = News("starting")
        self._lost = ""
        """Why nothing is heard of the keeper any more."""
        self._stopping, self._changed, self._ending = threading.Event(), threading.Event(), threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers, from any host of the cluster."""
        return self._news.url

    def __enter__(self) -> Self:
        """Have Ray find a place, start, and wait until it is ready."""
        try:
            self._say("waiting", "for a place in the Ray cluster")
            self._keeper = self._new_keeper()
            self._begun = self._keeper.start.remote(self._order())
            self._place(self._begun)
            threading.Thread(target=self._follow, name="evalkit-news", daemon=True).start()
            while self._news.phase == "starting" and not self._lost:
                if self._stopping.is_set():
                    self._fail("it was stopped while it started", "run the same command again")
                self._changed.wait(_POLL_S)
                self._changed.clear()
            if not self.alive():
                found = self.diagnose()
                self._fail(found.reason, found.fix)
        except BaseException:
            self._stop_quietly()
            raise
        control.remember_key(self.url, self._key)
        return self

    def alive(self) -> bool:
        """Whether its keeper says so, and is heard."""
        return self._news.phase == "ready" and not self._lost

    async def died(self) -> None:
        """Return soon after it is no longer ``alive``."""
        while self.alive():  # noqa: ASYNC110 - a thread hears it
            await asyncio.sleep(_DEATH_POLL_S)

    def diagnose(self) -> serve.Diagnosis:
        """Why it ended: in its keeper's words, or that those do not come any more."""
        if self._lost:
            return serve.Diagnosis(self._lost, "see with `ray status` and `ray list nodes` what became of its host")
        return serve.Diagnosis(self._news.reason or "it was stopped", self._news.fix or "run the same command again")

    def last_words(self) -> str:
        """What its log said last, as its keeper has told it."""
        return self._news.last_words or "(nothing came from its host)"

    def stop(self) -> None:
        """End it, take the end of its log, and give its place back."""
        self._stopping.set()
        with self._ending:
            keeper, self._keeper = self._keeper, None
            if keeper is None:
                return
            self._say("stopping", self._news.url)
            try:
                left = self._stopped(keeper) if self._is_placed() else ""
            finally:
                ray.kill(keeper)
                control.forget_key(self.url)
            if left:
                raise InfrastructureError(left, fix="end them on that host, or wait: they hang in a system call")
            self._say("stopped", "")

    def kill(self) -> None:
        """End the actor; what watches the server on its host ends that."""
        self._stopping.set()
        if (keeper := self._keeper) is not None:
            ray.kill(keeper)

    def _stop_quietly(self) -> None:
        try:
            self.stop()
        except EvalkitError as error:
            self._say("not stopped", error.message)

    def _is_placed(self) -> bool:
        """Whether its keeper has begun: one that waits for a place would not hear that it is to stop."""
        return self._begun is not None and bool(ray.wait([self._begun], timeout=0)[0])

    def _order(self) -> Order:
        """What the keeper is told, with paths that mean the same on every host."""
        folder = Path(self._model.source)
        here = folder.is_dir()
        model = replace(self._model, source=str(folder.resolve())) if here else self._model
        return Order(
            self._serving, model, self._key, moving_variables(), file_sizes(folder) if here else {}, self._like
        )

    def _place(self, begun: Any) -> None:
        until = time.monotonic() + _PLACE_S
        while not ray.wait([begun], timeout=_POLL_S)[0]:
            if self._stopping.is_set():
                self._fail("it was stopped while it waited for a place", "run the same command again")
            if time.monotonic() > until:
                self._fail(
                    f"Ray found no place for it within {_PLACE_S:g} s",
                    "see with `ray status` who holds the GPUs; the same command then continues",
                )
        try:
            ray.get(begun)
        except ray.exceptions.RayError as error:
            self._fail(one_line(str(error).strip().splitlines()[-1]), "see with `ray list actors` what ended it")

    def _follow(self) -> None:
        """Hear the keeper's news until the server is over, or the keeper falls silent."""
        heard = 0
        while self._news.phase not in OVER and (keeper := self._keeper) is not None:
            asked = keeper.news.remote(heard, self._news.phase)
            try:
                if not ray.wait([asked], timeout=_SILENCE_S)[0]:
                    self._lost = f"its host has not said anything for {_SILENCE_S:g} s"
                    break
                news: News = ray.get(asked)
            except ray.exceptions.RayError:
                self._lost = "its host or the process that kept it there is gone"
                break
            for state, detail in news.said:
                self._say(state, detail)
            heard += len(news.said)
            self._news = news
            self._changed.set()
        self._changed.set()

    def _stopped(self, keeper: Any) -> str:
        """Have it ended; returns what could not be, and keeps the end of its log where the run's logs are."""
        asked = keeper.stop.remote()
        try:
            until = time.monotonic() + 4 * self._serving.stop_patience_s + _STOP_SLACK_S
            while not ray.wait([asked], timeout=_POLL_S)[0]:
                if self._lost or time.monotonic() > until:
                    return ""  # The keeper ends it, and itself, once it hears nothing for a minute.
            left, log = ray.get(asked)
        except ray.exceptions.RayError:
            return ""  # Gone with its keeper.
        try:
            private.folder(self._log.parent)
            with open(self._log, "a", encoding="utf-8", opener=private.opener) as file:
                file.write(log)
        except OSError as error:
            raise unwritable(self._log, error, private.ANOTHER_OUTPUT) from error
        return str(left)

    def _fail(self, reason: str, fix: str) -> NoReturn:
        told = f"{self.served_name}: the server did not start: "
        # What a server says of itself begins so already.
        reason = reason.removeprefix(told)
        self._say("did not start", reason)
        raise ServerFailedError(told + reason, fix=fix, evidence=self.last_words())
