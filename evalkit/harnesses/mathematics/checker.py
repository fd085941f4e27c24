"""Who judges answers that are mathematics: one process that compares, and a thread that ends it where it takes long."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.printable import counted
from evalkit.harnesses.facts import FROM_STORE, StoredFacts, fact
from evalkit.harnesses.mathematics.compare import serve
from evalkit.tasks.metrics.text import as_list

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json, Sample

DEADLINE_S: Final = 60.0
"""Of one answer: its reading and its comparison have 5 seconds each by themselves; beyond, the process is ended."""
_LOADING_S: Final = 300.0
INSTALL: Final = "pip install 'evalkit[math]'"
_RULES: Final = 1
"""Goes up when judgements of this code may differ from those of the code before."""


def identity() -> str:
    """Who judges.

    Raises:
        InfrastructureError: math-verify is not installed.
    """
    try:
        return f"math-verify-{version('math-verify')} rules-{_RULES}"
    except PackageNotFoundError as error:
        raise InfrastructureError("math-verify is not installed", fix=f"install it: {INSTALL}") from error


@dataclass(frozen=True, slots=True)
class MathFacts(StoredFacts):
    """How answers were judged."""

    answers: int | None = fact(counted=True)
    """Different ones that were compared."""
    timeouts: int | None = fact()
    """Of all answers, those whose comparison took too long."""
    judgements: str | None = fact("verdicts")
    """`FROM_STORE` where this run judged nothing."""

    def words(self) -> tuple[str, ...]:
        """How it reads in a report."""
        if self.answers is None:
            return tuple(self.told())
        late = f"; {counted(self.timeouts, 'comparison')} took too long" if self.timeouts else ""
        others = self.told("answers", "timeouts")
        return (f"{counted(self.answers, 'different answer')} compared by math-verify{late}", *others)


def judged_before(timeouts: int) -> MathFacts:
    """Facts of a run that judged nothing itself."""
    return MathFacts(judgements=FROM_STORE, timeouts=timeouts)


class MathChecker:
    """A `harness.Checker`."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        """Start nothing yet."""
        self._deadline_s = deadline_s
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, list[str], str]] = deque()
        self._done: deque[tuple[str, Mapping[str, Json]]] = deque()
        self._error: InfrastructureError | None = None
        self._closed = False
        self._answers = 0
        self._thread: threading.Thread | None = None
        self._process: Any = None
        self._orders: Any = None

    def submit(self, key: str, sample: Sample, text: str) -> None:
        """Take an answer to be compared with its sample's references."""
        told = sample.references
        answers = told.get("answers") if isinstance(told, dict) else told
        with self._changed:
            self._answers += 1
            self._waiting.append((key, [str(one) for one in as_list(answers)], text))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def ready(self, wait_s: float = 0.0) -> list[tuple[str, Mapping[str, Json]]]:
        """Judgements that have come since.

        Raises:
            InfrastructureError: math-verify is not installed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._error, wait_s)
            if self._error:
                raise self._error
            found = list(self._done)
            self._done.clear()
            return found

    def facts(self, timeouts: int) -> MathFacts:
        """How many were judged."""
        return MathFacts(answers=self._answers, timeouts=timeouts)

    def close(self) -> None:
        """End the process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._end()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                key, references, text = self._waiting.popleft()
            said = self._compared(references, text)
            with self._changed:
                if "absent" in said:
                    self._error = InfrastructureError(
                        f"math-verify cannot be used ({said['absent']})", fix=f"install it: {INSTALL}"
                    )
                self._done.append((key, said))
                self._changed.notify_all()

    def _compared(self, references: list[str], text: str) -> dict[str, Json]:
        """What the process says; a process that is silent is ended, and the next answer has a new one."""
        try:
            if self._process is None and "absent" in (said := self._start()):
                return said
            self._orders.send((references, text))
            if self._orders.poll(self._deadline_s):
                return dict(self._orders.recv())
            said = {"math": "timeout", "parsed": None, "note": "the comparison took too long"}
        except (OSError, EOFError, BrokenPipeError):
            said = {"math": "fail", "parsed": None, "note": "the comparison ended its process"}
        self._end()
        return said

    def _start(self) -> dict[str, Json]:
        """The first that a new process says: nothing, or that it cannot work.

        Raises:
            OSError: It says nothing.
        """
        # Spawned: a fork of a process with threads and an open store may hang, or write into it.
        context = get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._orders.poll(_LOADING_S):
            raise OSError("math-verify is not loaded in time")
        return dict(self._orders.recv())

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join()
            self._orders.close()
