"""One program's judgement: its calls run in the sandbox, their outputs compared by evalplus's own checker."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base.errors import SandboxError
from evalkit.base.identity import digest
from evalkit.harnesses.evalplus import datasets, values
from evalkit.harnesses.judge_process import JudgeDiedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json
    from evalkit.harnesses.evalplus.problems import Problem
    from evalkit.harnesses.evalplus.runs import Runner
    from evalkit.harnesses.evalplus.settings import EvalPlusSettings
    from evalkit.harnesses.judge_process import JudgeProcess

_PATIENT_S = 60.0
"""For a call of a data set's own solution, whose time is not known yet."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a problem's own solution returned on this machine, and how long programs may take beside it."""

    problem: Problem
    outputs: Mapping[str, Sequence[Json]]
    limits_s: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement, as far as one run of the program can tell."""

    statuses: Mapping[str, str]
    """``pass``, ``fail`` or ``timeout``, by ``base`` and ``plus``."""
    note: str = ""
    """Why it is not a pass."""

    @property
    def timed_out(self) -> bool:
        """Whether a time limit ended it."""
        return "timeout" in self.statuses.values()

    @property
    def judgement(self) -> dict[str, Json]:
        """As it is stored with the answer."""
        return {**self.statuses, "note": self.note}


class Rules:
    """Judges programs, in several threads at once, each with its own `JudgeProcess`."""

    def __init__(self, runner: Runner, settings: EvalPlusSettings) -> None:
        """Judge with these limits."""
        self._runner = runner
        self._settings = settings
        self._compared: dict[str, str] = {}
        self._lock = threading.Lock()

    def reference(self, problem: Problem, process: JudgeProcess) -> Reference:
        """What the problem's own solution returns; it must then pass as any program has to.

        Raises:
            SandboxError: It does not, so that no judgement of this machine could be believed.
        """
        program = problem.prompt + problem.solution
        outputs, limits = {}, {}
        for kind, calls in problem.tests.items():
            found = self._runner.run(program, problem, calls, [_PATIENT_S] * len(calls))
            there = problem.entry_point in datasets.returns_nothing_comparable(problem.dataset)
            if found.outputs is None or not (there or all(map(values.carried, found.outputs))):
                raise _unfit(problem, kind, found.note or "it returns values that cannot be compared", found.evidence)
            # As evalplus.gen.util.trusted_exec: of some results only that they are there is compared.
            outputs[kind] = tuple(said is not None for said in found.outputs) if there else found.outputs
            least, factor = self._settings.min_time_limit_s, self._settings.gt_time_factor
            limits[kind] = [max(least, factor * seconds) for seconds in found.seconds]
        reference = Reference(problem, outputs, limits)
        judged = self.judge(reference, program, process, mended=True)
        for kind, status in judged.statuses.items():
            if status != "pass":
                raise _unfit(problem, kind, judged.note)
        return reference

    def judge(self, reference: Reference, program: str, process: JudgeProcess, *, mended: bool = False) -> Judged:
        """The judgement on a program; ``mended`` judges HumanEval/32 as it was meant, whatever the settings say.

        Raises:
            SandboxError: The sandbox does not work.
        """
        mended = mended or self._settings.find_zero == "mended"
        statuses: dict[str, str] = {}
        notes = []
        for kind, calls in reference.problem.tests.items():
            found = self._runner.run(program, reference.problem, calls, reference.limits_s[kind])
            if found.timed_out:
                statuses[kind] = "timeout"
            elif found.outputs is None:
                statuses[kind] = "fail"
            else:
                statuses[kind] = self._compare(reference, kind, found.outputs, process, mended=mended)
            if statuses[kind] != "pass":
                notes.append(f"{kind}: {found.note or 'wrong output'}")
        return Judged(statuses, "; ".join(notes))

    def _compare(
        self, reference: Reference, kind: str, outputs: Sequence[Json], process: JudgeProcess, *, mended: bool
    ) -> str:
        """The judgement of evalplus on outputs; many programs of a problem return the same."""
        problem = reference.problem
        key = digest([problem.digest, kind, mended, digest(list(outputs))])
        with self._lock:
            known = self._compared.get(key)
        if known is None:
            order = {
                "do": "check",
                "dataset": problem.dataset,
                "task_id": problem.task_id,
                "entry_point": problem.entry_point,
                "inputs": problem.tests[kind],
                "expected": reference.outputs[kind],
                "outputs": outputs,
                "atol": problem.atol,
                "mended": mended,
            }
            try:
                known = "pass" if process.ask(order)["judgement"] == "pass" else "fail"
            except JudgeDiedError:
                # Values that cannot even be compared: nothing that a solution returns does that.
                known = "fail"
            with self._lock:
                self._compared[key] = known
        return known


def _unfit(problem: Problem, kind: str, why: str, evidence: str = "") -> SandboxError:
    return SandboxError(
        f"{problem.task_id}: the data set's own solution does not pass its {kind} tests on this machine ({why})",
        fix="leave the machine more memory or time (settings.memory_mib, settings.min_time_limit_s), or mend the data",
        evidence=evidence,
    )
