"""A program's calls, made in the sandbox and recorded: what came back, how long it took, or why it ended early."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.harnesses.evalplus import installed
from evalkit.sandbox import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.sandbox import Ended, Sandbox
    from evalkit.types import Json

_CHILD: Final = Path(__file__).with_name("child.py")
WALL_FACTOR: Final = 10.0
"""A call that waits instead of computing may take so many times its CPU seconds."""
_WHOLE_S: Final = 60.0
"""The most that all calls of one set may take, as in ``evalplus.eval.untrusted_check``."""
_START_S: Final = 5.0
"""CPU seconds for the interpreter, its imports and the program's own."""
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
        self, program: str, entry_point: str, calls: Sequence[Sequence[Json]], limits_s: Sequence[float]
    ) -> Recorded:
        """Call the function ``entry_point`` of ``program`` with each arguments; the first call that fails is the last.

        Raises:
            SandboxError: The sandbox does not work.
        """
        order = {
            "guard": guard(),
            "program": program,
            "entry_point": entry_point,
            "inputs": calls,
            "limits_s": list(limits_s),
            "wall_factor": WALL_FACTOR,
        }
        whole = min(_WHOLE_S, math.fsum(limits_s)) + _START_S
        limits = Limits(
            wall_s=whole * WALL_FACTOR,
            cpu_s=whole,
            memory_bytes=self._memory,
            processes=_PROCESSES,
            output_bytes=_OUTPUT_BYTES,
        )
        return _read(self._place.run(_child(), json.dumps(order).encode(), limits), len(calls))


def _read(ended: Ended, calls: int) -> Recorded:
    """What the child wrote; it ran hostile code, so anything may stand there."""
    if ended.timed_out:
        return Recorded(None, timed_out=True, note="out of time")
    if ended.killed_by or ended.overflow:
        return Recorded(None, note=f"killed: {ended.killed_by or 'output'}")
    outputs: list[Json] = []
    seconds: list[float] = []
    for line in ended.output.split(b"\n"):
        try:
            said = json.loads(line)
            word = said[0]
            if word == "ok":
                outputs.append(said[1])
                seconds.append(float(said[2]))
                continue
        except (ValueError, TypeError, LookupError, RecursionError):
            break
        if word == "end":
            if len(outputs) == calls:
                return Recorded(tuple(outputs), tuple(seconds))
            break
        if word == "timeout":
            return Recorded(None, timed_out=True, note=f"out of time in call {len(outputs)}")
        reason = "".join(c for c in str(said[-1])[:60] if c.isprintable())
        return Recorded(None, note=f"{reason} {'at its definition' if word == 'broken' else f'in call {len(outputs)}'}")
    note = f"left with {ended.returncode} after call {len(outputs)}"
    return Recorded(None, note=note, evidence=ended.stderr.decode("utf-8", "replace"))
