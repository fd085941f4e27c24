"""A process that reads answers as evalplus does and compares recorded outputs as evalplus does.

``python -m evalkit.harnesses.evalplus.judge`` takes one JSON object a line on standard input and answers each with one
on standard output. It never runs generated code: evalplus's checker gets, in the place of a program, a function that
returns what the program returned in the sandbox. torch is not imported here, and nothing else of the run: evalplus
forks for every check, with limits on the memory of the fork.

========  ==============================================================  =======================================
order     with                                                            answer
========  ==============================================================  =======================================
sanitize  ``text``, ``entry_point``                                       ``{"program": ...}`` or ``{"none": why}``
check     ``dataset``, ``task_id``, ``entry_point``, ``inputs``,      ``{"judgement": "pass" or "fail"}``
          ``expected``, ``outputs``, ``atol``, ``mended`` (find_zero)
========  ==============================================================  =======================================
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Final

import psutil

from evalkit.harnesses.evalplus import datasets, values
from evalkit.harnesses.evalplus.extract import SanitizeError, sanitize

if TYPE_CHECKING:
    from evalkit.base.types import Json

_STUB: Final = "from evalkit.harnesses.evalplus.values import replay as {}"
_ROOM_BYTES: Final = 2**30
_PATIENCE_S: Final = 60.0
"""For a call of the stub, which takes microseconds: the real calls were timed in the sandbox."""


def check(order: dict[str, Json]) -> str:
    """The judgement of evalplus on outputs that were recorded elsewhere: ``pass`` or ``fail``."""
    from evalplus.eval import untrusted_check  # noqa: PLC0415 - after ``_prepare``

    try:
        expected, outputs = ([values.decode(said) for said in order[key]] for key in ("expected", "outputs"))
    except (ValueError, MemoryError):
        return "fail"
    if order["mended"] and order["entry_point"] == "find_zero":
        return "pass" if _are_roots(order["inputs"], outputs, order["atol"]) else "fail"
    values.record(outputs)
    judgement, _ = untrusted_check(
        dataset=order["dataset"],
        code=_STUB.format(order["entry_point"]),
        inputs=_arguments(order),
        entry_point=order["entry_point"],
        expected=expected,
        atol=order["atol"],
        ref_time=[0.0] * len(expected),
        fast_check=True,
        min_time_limit=_PATIENCE_S,
    )
    return str(judgement)


def _arguments(order: dict[str, Json]) -> Json:
    """The calls' arguments in the types that the data set means: some answers are compared with them."""
    if not (restore := datasets.reader(order["dataset"], order["task_id"])):
        return order["inputs"]
    space: dict[str, Json] = {}
    exec(restore[0], space)  # noqa: S102 - evalplus's own function
    return space[restore[1]](order["task_id"], order["inputs"])


def _are_roots(inputs: list[Json], outputs: list[Json], atol: float) -> bool:
    """The check of evalplus for HumanEval/32, without forgetting that it held."""
    from evalplus.eval import _poly  # noqa: PLC0415 - after ``_prepare``

    try:
        return all(abs(_poly(*arguments, out)) <= atol for arguments, out in zip(inputs, outputs, strict=True))
    except (ArithmeticError, TypeError, ValueError):
        return False


def answer(order: dict[str, Json]) -> dict[str, Json]:
    """What is said to one order."""
    if order["do"] == "check":
        return {"judgement": check(order)}
    try:
        return {"program": sanitize(order["text"], order["entry_point"])}
    except SanitizeError as error:
        return {"none": str(error)}


def _prepare() -> None:
    """Make evalplus importable in a moment, and its checks independent of the machine's settings."""
    # evalplus.data imports it for a benchmark that is not asked here; the real one takes seconds.
    absent = ModuleType("datasets")
    absent.__dict__["load_dataset"] = None
    sys.modules["datasets"] = absent
    # The recorded values reach the process that compares them by being there before it is forked.
    multiprocessing.set_start_method("fork")
    # evalplus's own limit ends the evaluation on machines that refuse to set one.
    os.environ["EVALPLUS_MAX_MEMORY_BYTES"] = "-1"
    # evalplus 0.3.1 compares this text with a number.
    os.environ.pop("EVALPLUS_TIMEOUT_PER_TASK", None)
    import evalplus.eval  # noqa: F401, PLC0415 - what it takes is not part of the bound

    _bound_memory()


def _bound_memory() -> None:
    """Let this process and each of its forks take so much more than now; beyond, values cannot be compared."""
    size = psutil.Process().memory_info().vms + _ROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # macOS refuses it: there what is compared is bounded by its text and by the length of ranges alone.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not an answer
    _prepare()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
