"""The program that runs inside the sandbox: it calls a generated function and says, in plain text, what came back.

It is read as text and run by the sandbox's interpreter; it needs nothing but Python's own library. It shares its
process with the code it runs, so nothing it says is believed but as data: it never sees what is expected, and whoever
reads its lines compares them elsewhere. What it takes from standard input, one JSON object::

    {"guard": source of evalplus/eval/utils.py, "program": source, "entry_point": name,
     "inputs": [[...], ...], "limits_s": [...], "wall_factor": number, "loading_s": [CPU seconds, seconds on the wall],
     "reader": [source, name, task id], or []}

A reader is a function of evalplus's own that makes of JSON what a data set's arguments are (tuples, sets, complex
numbers). What is written, one JSON array a line: ``["loaded"]`` when the program is defined, ``["ok", value, CPU
seconds]`` for each call, then ``["end"]``; or the reason why it stopped, ``["broken", type]``, ``["raised", type]``,
``["timeout"]``.
"""

from __future__ import annotations

import builtins
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DEEPEST = 150
"""Levels of nesting that are written down; a list that contains itself has no end."""
_MOST_PARTS = 2_000_000
_PLAIN_INT = 2**63
_LIBRARIES = frozenset(
    {
        *("numpy", "pandas", "pyarrow", "datasets", "tqdm", "dateutil", "pytz", "six", "packaging", "yaml", "psutil"),
        *("multiprocess", "dill", "xxhash", "fsspec", "filelock", "huggingface_hub", "termcolor", "appdirs", "wget"),
        *("tempdir", "tree_sitter", "tree_sitter_python", "rich", "typing_extensions"),
    }
)
"""What evalplus has loaded beside Python's own library before its guard takes away what loading it needs."""
_UNFIT = frozenset({"imp", "tkinter", "turtle"})
"""Of Python's own library, what cannot be loaded there either."""
_UNGUARDED = (frozenset(sys.stdlib_module_names) - _UNFIT) | _LIBRARIES
_ABSENT = object()
_PATIENCE = 3
_AGAIN_S = 1.0
"""Between two interruptions of a program that is still being loaded."""
_SLICE = slice(None)
_TAGS: dict[type, str] = {list: "l", tuple: "t", set: "S", frozenset: "Z"}
_HOLDERS = frozenset({*_TAGS, dict})


class _OverTimeError(Exception):
    """A call has used its time. An ``Exception``, as evalplus's own is: code that swallows those swallows this."""


class _UnwritableError(Exception):
    """A value has too many parts."""


class ValueWriter:
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
        # What is too long is known before its parts are written, which takes seconds.
        if kind in _HOLDERS and self._parts + len(value) > _MOST_PARTS:
            raise _UnwritableError
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
def _limited(seconds: float, wall_s: float, give_up: Callable[[], None], again_s: float = 0.0) -> Iterator[None]:
    """Interrupt after ``seconds`` of CPU time, or ``wall_s`` on the wall (for code that waits).

    Code that swallows the interruption is interrupted again, after as long or after ``again_s``; at the third time it
    is given up.
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
    setitimer(profile, seconds, again_s or seconds)
    setitimer(real, wall_s, again_s or seconds)
    try:
        yield
    finally:
        setitimer(profile, 0)
        setitimer(real, 0)


class _Unguarded:
    """Loads modules as they were loaded in evalplus's process, before its guard.

    Most of Python's own library and some others are there when a program starts, whether it asks for them or not, with
    what they took from ``os`` by then. Loading all of them for each program would take seconds.
    """

    def __init__(self, taken: list[tuple[dict[str, Any], str, Any]]) -> None:
        """Take what the guard has taken away: where, its name, and what it was."""
        self._taken = taken

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Where a module is, with a loader that puts back what is missing while it works."""
        if name.partition(".")[0] not in _UNGUARDED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def unguarded(module: Any) -> None:
                with self._lifted():
                    execute(module)

            loader.exec_module = unguarded
        return spec

    @contextmanager
    def _lifted(self) -> Iterator[None]:
        guarded = [(space, name, space.get(name)) for space, name, _ in self._taken]
        for space, name, held in self._taken:
            if held is _ABSENT:
                space.pop(name, None)
            else:
                space[name] = held
        try:
            yield
        finally:
            for space, name, value in guarded:
                space[name] = value


def _put_on(guard: Callable[[None], None]) -> None:
    """Carry out evalplus's guard: part of its semantics, by which a program that opens files fails.

    It bounds no memory here; that is done from outside.
    """
    before = [(vars(module), dict(vars(module))) for module in (builtins, os, shutil, subprocess)]
    guard(None)
    taken = [
        (space, name, held)
        for space, known in before
        for name, held in known.items()
        if held is not None and space.get(name) is None
    ]
    # Both are loaded there when the guard hides them: what was loaded with them has them.
    taken += [(sys.modules, name, _ABSENT) for name in ("psutil", "resource")]
    sys.meta_path.insert(0, _Unguarded(taken))


def _imported(program: str) -> set[str]:
    """The words of all lines that may import something."""
    lines = [line for line in program.splitlines() if "import" in line or "from" in line]
    return set(re.findall(r"\w+", "\n".join(lines)))


def _arguments(order: dict[str, Any]) -> Any:
    """The calls' arguments, in the types that the data set means."""
    if not order.get("reader"):
        return order["inputs"]
    source, name, task_id = order["reader"]
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - evalplus's own function, sent by evalkit
    return space[name](task_id, order["inputs"])


def perform(order: dict[str, Any], tell: Callable[[list[Any]], None]) -> None:
    """Run the program and its calls, telling each; the first call that fails is the last."""
    clock, leave = time.process_time, os._exit

    def give_up() -> None:
        tell(["timeout"])
        leave(0)

    guard: dict[str, Any] = {}
    exec(order["guard"], guard)  # noqa: S102 - evalplus's own file, sent by evalkit
    swallow = guard["swallow_io"]
    for name in sorted(_LIBRARIES & _imported(order["program"])):
        with suppress(Exception):
            import_module(name)
    inputs = _arguments(order)
    # As there, the folder comes before the guard: finding one is among what the guard takes away.
    folder = guard["create_tempdir"]()
    folder.__enter__()
    _put_on(guard["reliability_guard"])
    space: dict[str, Any] = {}
    went_wrong = _loading(order, space, swallow, give_up)
    tell(went_wrong or ["loaded"])
    if went_wrong:
        return
    function, writer = space[order["entry_point"]], ValueWriter()
    for arguments, limit in zip(inputs, order["limits_s"], strict=True):
        started = clock()
        try:
            with _limited(limit, limit * order["wall_factor"], give_up), swallow():
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


def _loading(
    order: dict[str, Any], space: dict[str, Any], swallow: Callable[[], Any], give_up: Callable[[], None]
) -> list[Any]:
    """Run the program, which defines the function in ``space``; what is to be told where it does not."""
    loading_s, loading_wall_s = order["loading_s"]
    try:
        with _limited(loading_s, loading_wall_s, give_up, _AGAIN_S), swallow():
            exec(order["program"], space)  # noqa: S102 - what this process is for
            space[order["entry_point"]]
    except _OverTimeError:
        return ["timeout"]
    except BaseException as error:  # noqa: BLE001 - generated code may raise anything
        return ["broken", type(error).__name__]
    return []


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
