"""The program that runs inside the sandbox: it calls a generated function and says, in plain text, what came back.

It is read as text and run by the sandbox's interpreter; it needs nothing but Python's own library. It shares its
process with the code it runs, so nothing it says is believed but as data: it never sees what is expected, and whoever
reads its lines compares them elsewhere. What it takes from standard input, one JSON object::

    {"guard": source of evalplus/eval/utils.py, "program": source, "entry_point": name,
     "inputs": [[...], ...], "limits_s": [...], "wall_factor": number}

What it writes, one JSON array a line: ``["ok", value, CPU seconds]`` for each call, then ``["end"]``; or the reason why
it stopped, ``["broken", type]``, ``["raised", type]``, ``["timeout"]``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEPEST = 150
"""Levels of nesting that are written down; a list that contains itself has no end."""
_MOST_PARTS = 2_000_000
_PLAIN_INT = 2**63
_PRELOADED = {
    "multiprocessing": ("multiprocessing", "concurrent"),
    "numpy": ("numpy", "pandas", "scipy", "sklearn"),
    "pandas": ("pandas",),
}
"""Modules that evalplus has loaded before its guard takes away what they need to load, and the words in a program that
ask for them."""
_PATIENCE = 3
_SLICE = slice(None)
_TAGS: dict[type, str] = {list: "l", tuple: "t", set: "S", frozenset: "Z"}


class _OverTimeError(Exception):
    """A call has used its time. An ``Exception``, as evalplus's own is: code that swallows those swallows this."""


class _UnwritableError(Exception):
    """A value has too many parts."""


class Writer:
    """Turns a value into JSON that keeps every type and every bit; what it does not know becomes ``["?", type]``."""

    def __init__(self) -> None:
        """Start with nothing written."""
        self._parts = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The JSON form of ``value``.

        Raises:
            _UnwritableError: It has millions of parts.
        """
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _UnwritableError
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if depth > _DEEPEST:
            return ["?", "too deep"]
        exact = self._exact(kind, value, depth)
        if exact is not None:
            return exact
        for base in (int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict):
            if isinstance(value, base) and kind is not base:
                return ["sub", self.encode(_base_value(base, value), depth + 1)]
        numpy = sys.modules.get("numpy")
        if numpy is not None and kind is numpy.ndarray and value.dtype.kind == "O":
            return ["N", list(value.shape), [self.encode(item, depth + 1) for item in value.flat]]
        return _library(kind, value) or ["?", kind.__name__]

    def _exact(self, kind: type, value: Any, depth: int) -> Any:  # noqa: PLR0911 - one line a type
        """A builtin type's form; None for other types."""
        if kind is int:
            return value if -_PLAIN_INT < value < _PLAIN_INT else ["i", hex(value)]
        if kind is float:
            return ["f", value.hex()]
        if kind is complex:
            return ["c", value.real.hex(), value.imag.hex()]
        if kind is bytes or kind is bytearray:
            return ["b" if kind is bytes else "B", value.hex()]
        if kind is dict:
            return ["d", [[self.encode(key, depth + 1), self.encode(item, depth + 1)] for key, item in value.items()]]
        if kind is range:
            return ["r", [self.encode(part, depth + 1) for part in (value.start, value.stop, value.step)]]
        tag = _TAGS.get(kind)
        return None if tag is None else [tag, [self.encode(item, depth + 1) for item in value]]


def _base_value(base: Any, value: Any) -> Any:
    """What an object of a subclass holds, as an object of the builtin class; its own methods are not asked."""
    if base in {int, float, complex}:
        return base.__pos__(value)
    if base is dict:
        return dict(dict.items(value))
    if base in {set, frozenset}:
        return base(base.__iter__(value))
    return base(base.__getitem__(value, _SLICE)) if base is not str else str.__getitem__(value, _SLICE)


def _library(kind: type, value: Any) -> Any:
    """Numbers of ``decimal``, ``fractions`` and numpy; None for everything else."""
    name = f"{kind.__module__}.{kind.__name__}"
    if name == "decimal.Decimal":
        return ["D", str(value)]
    if name == "fractions.Fraction":
        return ["F", hex(value.numerator), hex(value.denominator)]
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)) and value.dtype.kind in "biufc":
        return ["n", value.dtype.str, list(value.shape), value.tobytes().hex(), isinstance(value, numpy.ndarray)]
    return None


@contextmanager
def _limited(seconds: float, wall_factor: float, give_up: Callable[[], None]) -> Iterator[None]:
    """Interrupt after ``seconds`` of CPU time, or a multiple of it on the wall (for code that waits).

    Code that swallows the interruption is interrupted again; at the third time it is given up.
    """
    rings = 0

    def over(_: int, __: object) -> None:
        nonlocal rings
        rings += 1
        if rings == _PATIENCE:
            give_up()
        raise _OverTimeError

    signal.signal(signal.SIGPROF, over)
    signal.signal(signal.SIGALRM, over)
    setitimer, profile, real = signal.setitimer, signal.ITIMER_PROF, signal.ITIMER_REAL
    setitimer(profile, seconds, seconds)
    setitimer(real, seconds * wall_factor, seconds)
    try:
        yield
    finally:
        setitimer(profile, 0)
        setitimer(real, 0)


def perform(order: dict[str, Any], tell: Callable[[list[Any]], None]) -> None:
    """Run the program and its calls, telling each; the first call that fails is the last."""
    clock, leave = time.process_time, os._exit

    def give_up() -> None:
        tell(["timeout"])
        leave(0)

    guard: dict[str, Any] = {}
    exec(order["guard"], guard)  # noqa: S102 - evalplus's own file, sent by evalkit
    swallow = guard["swallow_io"]
    for name, words in _PRELOADED.items():
        if any(word in order["program"] for word in words):
            with suppress(Exception):
                import_module(name)
    # Memory is bounded from outside. The rest is part of evalplus's semantics: a program that opens files fails.
    guard["reliability_guard"](None)
    try:
        space: dict[str, Any] = {}
        with swallow():
            exec(order["program"], space)  # noqa: S102 - what this process is for
            function = space[order["entry_point"]]
    except BaseException as error:  # noqa: BLE001 - generated code may raise anything
        tell(["broken", type(error).__name__])
        return
    writer = Writer()
    for arguments, limit in zip(order["inputs"], order["limits_s"], strict=True):
        started = clock()
        try:
            with _limited(limit, order["wall_factor"], give_up), swallow():
                value = function(*arguments)
            said = ["ok", writer.encode(value), clock() - started]
        except _OverTimeError:
            tell(["timeout"])
            return
        except BaseException as error:  # noqa: BLE001 - generated code may raise anything
            tell(["raised", type(error).__name__])
            return
        tell(said)
    tell(["end"])


def _nowhere() -> int:
    """Where printing past Python's own streams goes."""
    try:
        return os.open(os.devnull, os.O_RDWR)
    except OSError:
        return os.open("nowhere", os.O_RDWR | os.O_CREAT, 0o600)  # in the sandbox's private folder


def main() -> None:
    """Read the order, keep a way to answer, and leave without what the program may have registered for the end."""
    order = json.loads(sys.stdin.buffer.read())
    answers, write, leave, dumps = os.dup(1), os.write, os._exit, json.dumps
    for number in (0, 1, 2):
        os.dup2(_nowhere(), number)

    def tell(said: list[Any]) -> None:
        left = dumps(said).encode() + b"\n"
        while left:
            left = left[write(answers, left) :]

    perform(order, tell)
    leave(0)


if __name__ == "__main__":
    main()
