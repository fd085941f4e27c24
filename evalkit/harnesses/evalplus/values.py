"""What ``child`` wrote, as values again, and a function that plays them back.

The lines come from a process that ran hostile code. They are data: whatever they hold becomes numbers, texts and
containers of these, or an object that equals nothing.
"""

from __future__ import annotations

import re
from collections import deque
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from evalkit.base.types import Json

_DTYPE: Final = re.compile(r"[<>|=][biufc][0-9]{1,2}")
_DEEPEST: Final = 400
_LONGEST_RANGE: Final = 1_000_000


class Opaque:
    """A value of a type that is not carried across. It equals nothing, not even itself, and is never right."""

    def __init__(self, kind: str) -> None:
        """Keep the type's name for the reader."""
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)


class _Int(int): ...


class _Float(float): ...


class _Complex(complex): ...


class _Str(str): ...  # noqa: SLOT000 - a subclass of the builtin is the point


class _Bytes(bytes): ...


class _Bytearray(bytearray): ...


class _List(list[Any]): ...


class _Tuple(tuple[Any, ...]): ...  # noqa: SLOT001


class _Set(set[Any]): ...


class _Frozenset(frozenset[Any]): ...


class _Dict(dict[Any, Any]): ...


_SUBCLASSES: Final[dict[type, type]] = {
    int: _Int,
    float: _Float,
    complex: _Complex,
    str: _Str,
    bytes: _Bytes,
    bytearray: _Bytearray,
    list: _List,
    tuple: _Tuple,
    set: _Set,
    frozenset: _Frozenset,
    dict: _Dict,
}


def decode(said: Json, depth: int = 0) -> Any:
    """The value that was written; ``Opaque`` for a type that is not carried.

    An object of a subclass (``Counter``, a named tuple, an ``IntEnum``) comes back as an object of a subclass with
    the same content: it equals what the builtin equals, and its type is another, which is all that comparing asks.

    Raises:
        ValueError: It was not written by ``child.Writer``.
    """
    if said is None or type(said) in {bool, int, str}:
        return said
    if depth > _DEEPEST or type(said) is not list or not said or type(said[0]) is not str:
        raise ValueError("not a written value")
    read = _READERS.get(said[0])
    if read is None:
        raise ValueError(f"unknown tag {said[0]!r}")
    try:
        return read(said, depth + 1)
    except (TypeError, IndexError, OverflowError, ZeroDivisionError, InvalidOperation, RecursionError) as error:
        raise ValueError(f"a value cannot be read ({type(error).__name__})") from error


def _items(said: list[Json], depth: int) -> list[Any]:
    if type(said[1]) is not list:
        raise ValueError("not a list of items")
    return [decode(item, depth) for item in said[1]]


def _dict(said: list[Json], depth: int) -> dict[Any, Any]:
    return {decode(key, depth): decode(item, depth) for key, item in said[1]}


def _sub(said: list[Json], depth: int) -> Any:
    value = decode(said[1], depth)
    subclass = _SUBCLASSES.get(type(value))
    if subclass is None:
        raise ValueError("no subclass of that")
    return subclass(value)


def _fraction(said: list[Json], _: int) -> Fraction:
    return Fraction(int(said[1], 16), int(said[2], 16))


def _range(said: list[Json], depth: int) -> range:
    """A range that may be written out, as comparing with a tolerance does: a long one is a few bytes until then."""
    found = range(*_items(said, depth))
    if len(found) > _LONGEST_RANGE:
        raise ValueError("a range too long to be compared")
    return found


def _numpy(said: list[Json], _: int) -> Any:
    """A numpy scalar or array of numbers."""
    import numpy as np  # noqa: PLC0415 - only where such a value came

    _, dtype, shape, data, is_array = said
    if not _DTYPE.fullmatch(dtype):
        raise ValueError(f"unknown dtype {dtype!r}")
    array = np.frombuffer(bytes.fromhex(data), np.dtype(dtype)).reshape(shape)
    return array if is_array else array[()]


def _objects(said: list[Json], depth: int) -> Any:
    """A numpy array of Python objects, such as numbers that fit into no other."""
    import numpy as np  # noqa: PLC0415 - as above

    _, shape, items = said
    array = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        array[place] = decode(item, depth)
    return array.reshape(shape)


_READERS: Final[dict[str, Callable[[list[Json], int], Any]]] = {
    "i": lambda said, _: int(said[1], 16),
    "f": lambda said, _: float.fromhex(said[1]),
    "c": lambda said, _: complex(float.fromhex(said[1]), float.fromhex(said[2])),
    "b": lambda said, _: bytes.fromhex(said[1]),
    "B": lambda said, _: bytearray.fromhex(said[1]),
    "l": _items,
    "t": lambda said, depth: tuple(_items(said, depth)),
    "S": lambda said, depth: set(_items(said, depth)),
    "Z": lambda said, depth: frozenset(_items(said, depth)),
    "r": _range,
    "d": _dict,
    "D": lambda said, _: Decimal(said[1]),
    "F": _fraction,
    "n": _numpy,
    "N": _objects,
    "sub": _sub,
    "?": lambda said, _: Opaque(str(said[1])),
}


def carried(said: Json) -> bool:
    """Whether nothing in a written value was of a type that is not carried."""
    if type(said) is not list:
        return True
    tag, content = said[0], said[1]
    if tag in {"l", "t", "S", "Z"}:
        return all(map(carried, content))
    if tag == "d":
        return all(carried(part) for pair in content for part in pair)
    if tag == "N":
        return all(map(carried, said[2]))
    return carried(content) if tag == "sub" else bool(tag != "?")


_RECORDED: deque[Any] = deque()


def record(values: Iterable[Any]) -> None:
    """Have ``replay`` return these, one a call."""
    _RECORDED.clear()
    _RECORDED.extend(values)


def replay(*_: object) -> Any:
    """What the recorded function returned at this call, whatever the arguments.

    Raises:
        IndexError: It was called more often than it was recorded.
    """
    return _RECORDED.popleft()
