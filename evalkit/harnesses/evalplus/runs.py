"""A program's calls, made in the sandbox and recorded: what came back, how long it took, or why it ended early."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.harnesses.evalplus import datasets, installed
from evalkit.sandbox import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.base.types import Json
    from evalkit.harnesses.evalplus.problems import Problem
    from evalkit.sandbox import Ended, Sandbox

_CHILD: Final = Path(__file__).with_name("child.py")
WALL_FACTOR: Final = 10.0
"""A call that waits instead of computing may take so many times its CPU seconds."""
_WHOLE_S: Final = 60.0
"""The most that all calls of one set may take, as in ``evalplus.eval.untrusted_check``."""
_START_S: Final = 5.0
"""CPU seconds for the interpreter, its imports and the program's own."""
_LOADING_S: Final = (_START_S, 4 * _START_S)
"""CPU seconds and seconds on the wall for what a program does before its function is called."""
_SILENT_S: Final = 6 * _START_S
"""Then it must be loaded, the interpreter's own start included, whatever the program has done to its timers."""
_LOADING: Final = " before it was loaded"
_MOST_PARTS: Final = 4_000_000
"""Values in the lines of all calls; their text is bounded too, but a list of empty lists is thirty times its text."""
_PROCESSES: Final = 16
_OUTPUT_BYTES: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a program's calls."""

    outputs: tuple[Json, ...] | None
    """What every call returned, as ``child`` writes it; None when it did not come to the last one."""
    seconds: tuple[float, ...] = ()
    """CPU seconds of each call."""
    timed_out: bool = False
    note: str = ""
    """Why it ended early."""
    evidence: str = ""
    """The last that was written on standard error, where that may explain it."""


@cache
def guard() -> str:
    """The source of evalplus's own guard and limits, which the child carries out before the program."""
    return installed.source("eval", "utils.py")


@cache
def _child() -> bytes:
    return _CHILD.read_bytes()


class Runner:
    """Runs programs in one sandbox, in several threads at once."""

    def __init__(self, place: Sandbox, memory_mib: int) -> None:
        """Use ``place``, with so much memory for each program."""
        self._place = place
        self._memory = memory_mib * 2**20

    def run(
        self, program: str, problem: Problem, calls: Sequence[Sequence[Json]], limits_s: Sequence[float]
    ) -> Recorded:
        """Call the problem's function in ``program`` with each arguments; the first call that fails is the last.

        Raises:
            SandboxError: The sandbox does not work.
        """
        order = {
            "guard": guard(),
            "program": program,
            "entry_point": problem.entry_point,
            "reader": datasets.reader(problem.dataset, problem.task_id),
            "inputs": calls,
            "limits_s": list(limits_s),
            "wall_factor": WALL_FACTOR,
            "loading_s": _LOADING_S,
        }
        whole = min(_WHOLE_S, math.fsum(limits_s)) + _START_S
        limits = Limits(
            wall_s=whole * WALL_FACTOR,
            cpu_s=whole,
            silent_s=_SILENT_S,
            memory_bytes=self._memory,
            processes=_PROCESSES,
            output_bytes=_OUTPUT_BYTES,
        )
        return _read(self._place.run(_child(), json.dumps(order).encode(), limits), len(calls))


def _read(ended: Ended, calls: int) -> Recorded:
    """What became of the calls."""
    if ended.timed_out:
        return Recorded(None, timed_out=True, note=f"out of time{'' if ended.output else _LOADING}")
    if ended.killed_by or ended.overflow or ended.output.count(b",") + ended.output.count(b"[") > _MOST_PARTS:
        return Recorded(None, note=f"killed: {ended.killed_by or 'output'}")
    return _lines(ended, calls)


def _lines(ended: Ended, calls: int) -> Recorded:
    """What the child wrote; it ran hostile code, so anything may stand there."""
    outputs: list[Json] = []
    seconds: list[float] = []
    where = _LOADING
    for line in ended.output.split(b"\n"):
        try:
            said = json.loads(line)
            word = said[0]
            if word == "ok":
                outputs.append(said[1])
                seconds.append(float(said[2]))
        except (ValueError, TypeError, LookupError, RecursionError):
            break
        if word in {"ok", "loaded"}:
            where = f" in call {len(outputs)}"
        elif word == "timeout":
            return Recorded(None, timed_out=True, note=f"out of time{where}")
        elif word != "end":
            reason = "".join(c for c in str(said[-1])[:60] if c.isprintable())
            return Recorded(None, note=f"{reason}{' at its definition' if word == 'broken' else where}")
        elif len(outputs) == calls:
            return Recorded(tuple(outputs), tuple(seconds))
        else:
            break
    note = f"left with {ended.returncode} after call {len(outputs)}"
    return Recorded(None, note=note, evidence=ended.stderr.decode("utf-8", "replace"))
