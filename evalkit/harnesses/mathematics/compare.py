"""The process that compares: ``math-verify`` reads answers of models, and what it is given may keep it busy for ever.

It takes ``(references, answer)`` and says ``{"math": "pass" | "fail" | "no reference", "parsed": text or None}``. The
first that it says is ``{}``, or ``{"absent": why}`` without the library. Its owner ends it where it takes too long; it
bounds its own memory.
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_MEMORY_BYTES: Final = 4 << 30
_LIBRARY_S: Final = 5
"""Seconds that the library gives itself for reading a text and for each comparison, as it does by itself."""


def judged(references: list[str], answer: str) -> dict[str, str | None]:
    """What math-verify says of an answer: equal to one of the references, or not."""
    from math_verify import parse, verify  # noqa: PLC0415 - it brings sympy, and only this process needs it

    golds = [parse(f"${one}$", parsing_timeout=_LIBRARY_S) for one in references]
    if not any(golds):
        return {"math": "no reference", "parsed": None}
    found = parse(answer, parsing_timeout=_LIBRARY_S)
    right = any(bool(gold) and verify(gold, found, timeout_seconds=_LIBRARY_S) for gold in golds)
    return {"math": "pass" if right else "fail", "parsed": str(found[-1])[:200] if found else None}


def serve(orders: Connection) -> None:
    """Answer orders until the other end is closed."""
    logging.disable(logging.CRITICAL)
    with suppress(OSError, ValueError):  # macOS refuses it
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        import math_verify  # noqa: F401, PLC0415 - what it takes to load is not part of anybody's time
    except ImportError as error:
        orders.send({"absent": str(error)})
    else:
        orders.send({})
    while True:
        try:
            references, answer = orders.recv()
        except EOFError:
            return
        said: dict[str, Any]
        try:
            said = judged(references, answer)
        except Exception as error:  # noqa: BLE001 - what an answer makes the library raise is a wrong answer
            said = {"math": "fail", "parsed": None, "note": f"math-verify raises {type(error).__name__}"}
        orders.send(said)
