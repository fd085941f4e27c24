"""What lives on a host of the cluster: one actor, with one server inside, which does not outlive it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from evalkit import __version__, serve
from evalkit.base.errors import EvalkitError, ServerFailedError
from evalkit.base.printable import one_line
from evalkit.cluster import leftovers
from evalkit.cluster.orders import BEAT_S, HostFacts, News
from evalkit.serve.inherited import inherited
from evalkit.serve.launch import QUIET_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Model
    from evalkit.cluster.orders import Order, Phase

DRIVER_SILENCE_S: Final = 60.0
"""A keeper that nobody has asked for so long ends its server and itself."""
_LOOK_S: Final = 0.2
_LONGEST_LOG_BYTES: Final = 2**20


class Keeper:
    """Keeps one server on the host that Ray has put it on; its methods are called side by side, in threads."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        """Keep none yet; ``host`` is the address at which others reach this host."""
        self._host = host
        self._heard = time.monotonic()
        self._raylet = os.getppid()
        self._turn, self._done = threading.Condition(), threading.Event()
        self._news = News("starting")
        self._server: serve.Server | None = None
        self._folder: leftovers.HeldFolder | None = None
        threading.Thread(target=self._guard, name="evalkit-guard", daemon=True).start()

    def look(self, pythons: Sequence[str]) -> HostFacts:
        """What the host has to serve with; ``pythons`` are the serving interpreters, empty for the actor's own."""
        self._heard = time.monotonic()
        found: dict[str, Mapping[str, str]] = {}
        fault = ""
        for python in pythons:
            try:
                found[python] = dict(serve.installed(python).packages)
            except EvalkitError as error:
                fault = error.message
        # Ray leaves it empty for an actor that takes no GPU; a host is asked for all that it has.
        if not os.environ.get("CUDA_VISIBLE_DEVICES", "all"):
            del os.environ["CUDA_VISIBLE_DEVICES"]
        kinds = tuple(dict.fromkeys(gpu.name for gpu in serve.gpus()))
        return HostFacts(__version__, found, kinds, fault)

    def start(self, order: Order) -> None:
        """Begin to start the server; the news tell how far it is."""
        self._heard = time.monotonic()
        threading.Thread(target=self._serve, args=(order,), name="evalkit-server", daemon=True).start()

    def news(self, heard: int, known: Phase = "starting") -> News:
        """How the server is, with what it said after the first ``heard`` sayings.

        Waits up to ``BEAT_S`` for more, or for another phase than the ``known`` one.
        """
        self._heard = time.monotonic()
        with self._turn:
            self._turn.wait_for(lambda: len(self._news.said) > heard or self._news.phase != known, timeout=BEAT_S)
            return replace(self._news, said=self._news.said[heard:])

    def stop(self) -> tuple[str, str]:
        """End the server; returns what of it cannot be ended, in words, and the end of its log."""
        # To stop may take longer than a driver may be silent.
        self._heard = time.monotonic() + DRIVER_SILENCE_S
        left, log = "", ""
        if self._server is not None:
            try:
                self._server.stop()
            except EvalkitError as error:
                left = error.message
            log = _end_of(self._server.log)
        self._turn_to("stopped")
        self._done.set()
        if self._folder is not None and not left:
            folder, self._folder = self._folder, None
            folder.remove()
        return left, log

    def _serve(self, order: Order) -> None:
        try:
            leftovers.clear(lambda text: self._tell("clearing", text))
            self._folder = leftovers.HeldFolder()
            _refuse_another(order.model, order.files)
            if order.like is not None:
                _refuse_unlike(order.like, self.look([*order.like.vllm]))
            _take_over(order.variables)
            door = serve.Door(self._host, order.key)
            log = self._folder.path / "server.log"
            self._server = serve.Server(order.serving, order.model, log, self._tell, door)
            self._server.__enter__()
        except EvalkitError as error:
            self._turn_to("failed", (error.message, error.fix, error.evidence))
        except Exception as error:  # noqa: BLE001 - it is told where the run is
            told = f"{type(error).__name__}: {one_line(str(error))}"
            self._turn_to("failed", (told, "see that the host can write its folder for temporary files", ""))
        else:
            self._turn_to("ready", url=self._server.url)

    def _tell(self, state: str, detail: str) -> None:
        with self._turn:
            self._news = replace(self._news, said=(*self._news.said, (state, detail)))
            self._turn.notify_all()

    def _turn_to(self, phase: Phase, end: tuple[str, str, str] = ("", "", ""), url: str = "") -> None:
        """Be in another phase; of one that is an end: why, what to do, and the last words."""
        reason, fix, words = end
        with self._turn:
            self._news = replace(
                self._news, phase=phase, url=url or self._news.url, reason=reason, fix=fix, last_words=words
            )
            self._turn.notify_all()

    def _guard(self) -> None:
        """See the server die; end everything where the driver is silent or Ray's own process of the host is gone."""
        while time.monotonic() - self._heard < DRIVER_SILENCE_S and os.getppid() == self._raylet:
            try:
                self._see_a_death()
            except Exception as error:  # noqa: BLE001 - without this thread nobody would end the server
                told = f"it cannot be seen any more: {type(error).__name__}: {one_line(str(error))}"
                self._turn_to("died", (told, "see what is wrong with its host", ""))
            if self._done.wait(_LOOK_S):
                return
        with suppress(BaseException):
            if self._server is not None:
                self._server.kill()
        # What watches the server ends what is left of it, and takes its note back.
        os._exit(1)

    def _see_a_death(self) -> None:
        server = self._server
        if self._news.phase == "ready" and server is not None and not server.alive():
            cause = server.diagnose()
            self._turn_to("died", (cause.reason, cause.fix, server.last_words()))


def _refuse_another(model: Model, files: Mapping[str, int]) -> None:
    """See that the folder of the model holds here what it holds where the run is."""
    there = file_sizes(Path(model.source)) if files else {}
    if there != dict(files):
        odd = sorted(name for name in {*there, *files} if there.get(name) != files.get(name))
        what = "is not on this host" if not there else f"is another one on this host ({odd[0]} differs)"
        raise ServerFailedError(
            f"{model.source} {what}", fix="keep models where every host finds them at the same path, or name a hub id"
        )


def _refuse_unlike(run: HostFacts, here: HostFacts) -> None:
    """See that this host is as the run takes it to be: it may have come, or become free, since the run looked."""
    other = sorted({*here.gpus} - {*run.gpus}) if run.gpus else []
    odd = here.fault or (f"it has a {other[0]}, the run is of {' or '.join(run.gpus)}" if other else "")
    if not odd and (here.evalkit, here.vllm) != (run.evalkit, run.vllm):
        odd = "it has another evalkit, or other packages beside vLLM, than the host of the run"
    if odd:
        raise ServerFailedError(odd, fix="serve with the same packages and one kind of GPU on every host")


def file_sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file in a folder, by its path in it."""
    return {one.relative_to(folder).as_posix(): one.stat().st_size for one in folder.rglob("*") if one.is_file()}


def moving_variables() -> dict[str, str]:
    """Variables of vLLM's that are set here, and that a server's answers may depend on."""
    names = [name for name in inherited() if name.startswith("VLLM_") and name not in QUIET_VARIABLES]
    return {name: os.environ[name] for name in names}


def _take_over(variables: Mapping[str, str]) -> None:
    """Run with the driver's variables in place of this host's: they are part of an answer's identity."""
    for name in moving_variables():
        del os.environ[name]
    # Ray sets it to the CPUs of the actor, which is one, where its host does not: the server would have one thread.
    if "OMP_NUM_THREADS" not in psutil.Process().environ():
        os.environ.pop("OMP_NUM_THREADS", None)
    os.environ.update(variables)


def _end_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LONGEST_LOG_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
