"""Judges answers while others are generated: threads that wait for sandboxes, each with a process that compares.

Before the first judgement the data set's own solutions must pass. Answers that are the same text, and texts that are
the same program, are judged once. A program that ran out of time is run once more at the end, with nothing beside it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit.base.identity import digest
from evalkit.harnesses.evalplus.facts import JudgingFacts, JudgingLimits
from evalkit.harnesses.evalplus.rules import Rules
from evalkit.harnesses.evalplus.runs import WALL_FACTOR, Runner
from evalkit.harnesses.judge_process import JudgeDiedError, JudgeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.base.types import Json, Sample
    from evalkit.harnesses.evalplus.problems import Problem, Problems
    from evalkit.harnesses.evalplus.rules import Judged, Reference
    from evalkit.harnesses.evalplus.settings import EvalPlusSettings
    from evalkit.sandbox import Sandbox

_LAST_WORDS_S: Final = 5.0
_JUDGE: Final = "evalkit.harnesses.evalplus.judge"
DIFFERS: Final = (
    "outputs are compared outside the process of the program: what equals everything, or changes the checker, fails",
    "what a program does to its inputs does not change what its output is compared with",
    f"time limits are CPU seconds, so that load fails no program; what only waits has {WALL_FACTOR:g} times as long",
    "a call that runs out of time is a timeout; evalplus calls it a failure",
)
"""Where a judgement is reached otherwise than in evalplus."""


@dataclass(slots=True)
class _Unit:
    """Something to be judged once, and who waits for it."""

    task_id: str
    keys: list[str] = field(default_factory=list)
    judgement: Mapping[str, Json] | None = None


class ProgramChecker:
    """A `harness.Checker` for programs."""

    def __init__(self, problems: Problems, settings: EvalPlusSettings, place: Sandbox) -> None:
        """Prepare; the first answer starts the work."""
        self._problems = problems
        self._settings = settings
        self._place = place
        self._rules = Rules(Runner(place, settings.memory_mib), settings)
        self._changed = threading.Condition()
        self._first: deque[Callable[[JudgeProcess], None]] = deque()
        self._next: deque[Callable[[JudgeProcess], None]] = deque()
        self._last: deque[Callable[[JudgeProcess], None]] = deque()
        self._unready: set[str] = set()
        self._references: dict[str, Reference] = {}
        self._texts: dict[str, _Unit] = {}
        self._programs: dict[str, _Unit] = {}
        self._done: deque[tuple[str, Mapping[str, Json]]] = deque()
        self._active = 0
        self._alone = False
        self._closed = False
        self._error: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._counts = {"answers": 0, "programs": 0, "retried": 0}

    # --- the caller's side ---

    def submit(self, key: str, sample: Sample, text: str) -> None:
        """Take an answer: a solution as evalplus keeps it before sanitizing.

        ``sample.references["as_written"]`` says that it is a program already, as in a sample file.
        """
        task_id = str(sample.references["task_id"])
        as_written = bool(sample.references.get("as_written"))
        with self._changed:
            self._counts["answers"] += 1
            if not self._threads:
                self._start()
            if task_id not in self._references and task_id not in self._unready:
                self._require(self._problems.problems[task_id])
            unit = self._texts.setdefault(digest([task_id, as_written, text]), _Unit(task_id))
            unit.keys.append(key)
            if unit.judgement is not None:
                self._settle(unit, unit.judgement)
            elif len(unit.keys) == 1:
                self._next.append(lambda process: self._read(unit, text, process, as_written=as_written))
            self._changed.notify_all()

    def ready(self, wait_s: float = 0.0) -> list[tuple[str, Mapping[str, Json]]]:
        """Judgements that have come since.

        Raises:
            SandboxError: A problem's own solution does not pass here, or programs cannot be run.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._error, wait_s)
            if self._error is not None:
                raise self._error
            found = list(self._done)
            self._done.clear()
            return found

    def facts(self, timeouts: int) -> JudgingFacts:
        """The sandbox, the limits, and how often they were met."""
        with self._changed:
            counts = dict(self._counts)
        return JudgingFacts(
            sandbox=self._place.name,
            find_zero=self._settings.find_zero,
            limits=JudgingLimits(
                min_time_limit_s=self._settings.min_time_limit_s,
                gt_time_factor=self._settings.gt_time_factor,
                memory_mib=self._settings.memory_mib,
            ),
            answers=counts["answers"],
            programs=counts["programs"],
            retried=counts["retried"],
            timeouts=timeouts,
            differs=DIFFERS,
        )

    def close(self) -> None:
        """End the workers; a program that is running is waited for a moment, and ends by its own limits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        ends = time.monotonic() + _LAST_WORDS_S
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    # --- the threads' side ---

    def _start(self) -> None:
        cores = os.cpu_count() or 2
        for number in range(self._settings.workers or max(1, min(16, cores // 2))):
            thread = threading.Thread(target=self._work, name=f"evalkit-judge-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()
        for problem in self._problems.asked:
            self._require(problem)

    def _require(self, problem: Problem) -> None:
        """Have a problem's own solution tried before anything else."""
        self._unready.add(problem.task_id)
        self._first.append(lambda process: self._refer(problem, process))

    def _work(self) -> None:
        process = JudgeProcess(_JUDGE)
        try:
            while (step := self._take()) is not None:
                try:
                    step(process)
                finally:
                    self._release()
        except BaseException as error:  # noqa: BLE001 - raised again where judgements are awaited
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()
        finally:
            process.close()

    def _take(self) -> Callable[[JudgeProcess], None] | None:
        """The next step; None when there shall be no more."""
        with self._changed:
            while not self._closed and self._error is None:
                if not self._alone:
                    if self._first:
                        queue = self._first
                    elif not self._unready and self._next:
                        queue = self._next
                    elif not self._unready and self._last and not self._active:
                        queue, self._alone = self._last, True
                    else:
                        queue = None
                    if queue:
                        self._active += 1
                        return queue.popleft()
                self._changed.wait()
            return None

    def _release(self) -> None:
        with self._changed:
            self._active -= 1
            self._alone = False
            self._changed.notify_all()

    def _refer(self, problem: Problem, process: JudgeProcess) -> None:
        reference = self._rules.reference(problem, process)
        with self._changed:
            self._references[problem.task_id] = reference
            self._unready.discard(problem.task_id)

    def _read(self, text_unit: _Unit, text: str, process: JudgeProcess, *, as_written: bool) -> None:
        """Make an answer a program, and have that judged unless it is known."""
        task_id = text_unit.task_id
        try:
            said = {"program": text} if as_written else self._sanitized(task_id, text, process)
        except JudgeDiedError:
            said = {"none": "the answer ended the process that read it"}
        if "none" in said:
            statuses = dict.fromkeys(self._problems.problems[task_id].tests, "fail")
            with self._changed:
                self._settle(text_unit, {**statuses, "note": str(said["none"])})
            return
        program = str(said["program"])
        with self._changed:
            unit = self._programs.setdefault(digest([task_id, program]), _Unit(task_id))
            known = unit.judgement
            if known is not None:
                self._settle(text_unit, known)
                return
            # Its keys are those of texts: each settles the answers that wait for it.
            unit.keys.append(digest([task_id, as_written, text]))
            if len(unit.keys) > 1:
                return
            self._counts["programs"] += 1
        self._judge(unit, program, process)

    def _sanitized(self, task_id: str, text: str, process: JudgeProcess) -> dict[str, Json]:
        entry_point = self._problems.problems[task_id].entry_point
        return process.ask({"do": "sanitize", "text": text, "entry_point": entry_point})

    def _judge(self, unit: _Unit, program: str, process: JudgeProcess, *, again: bool = False) -> None:
        """Judge a program; one that ran out of time is judged once more, alone."""
        judged = self._rules.judge(self._references[unit.task_id], program, process)
        with self._changed:
            if judged.timed_out and not again:
                self._counts["retried"] += 1
                self._last.append(lambda process: self._judge(unit, program, process, again=True))
            else:
                self._conclude(unit, judged)

    def _conclude(self, unit: _Unit, judged: Judged) -> None:
        """Tell everyone who waits for a program."""
        unit.judgement = judged.judgement
        for text in unit.keys:
            waiting = self._texts[text]
            self._settle(waiting, judged.judgement)
        unit.keys.clear()

    def _settle(self, unit: _Unit, judgement: Mapping[str, Json]) -> None:
        """Tell everyone who waits for a text."""
        unit.judgement = judgement
        self._done.extend((key, judgement) for key in unit.keys)
        unit.keys.clear()
        self._changed.notify_all()
