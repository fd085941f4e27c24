"""A mapping becomes a dataclass, or one error that names every bad key and value.

A type is looked into once: what reads its values is made then and kept, because a history reads thousands of files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from itertools import cycle
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeAlias, TypeVar, Union, cast, get_args
from typing import get_origin as _origin

from evalkit.base.codec.faults import Fault, known, refuse, under
from evalkit.base.codec.keys import declared, others_of
from evalkit.base.errors import near_miss

if TYPE_CHECKING:
    from evalkit.base.codec.faults import Source

T = TypeVar("T")

_Place: TypeAlias = "tuple[_Place, str | int] | None"
"""Where a value stands, from the inside out: written out only where something is wrong."""
_Reader: TypeAlias = Callable[[Any, _Place, list[Fault]], Any]

_TOLD = 20
"""Misfits of a kept file that its one line tells; nobody mends more of them by hand."""
_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    Path: "text",
    NoneType: "nothing",
}


class MisfitError(ValueError):
    """What was kept is not of the type that it was kept as."""


class _Rules(NamedTuple):
    """How a file is read."""

    closed: bool
    """Whether unknown keys, unknown words and null are refused."""
    convert: bool
    """Whether a whole number becomes a float where one is wanted."""


_OF_USER = _Rules(closed=True, convert=True)
_KEPT = _Rules(closed=False, convert=False)
_LENIENT = _Rules(closed=True, convert=False)
"""Of a value that stands among the others unless it fits, so that it can be written again as it was."""


def read(
    kind: type[T],
    mapping: Mapping[str, Any],
    source: Source,
    given: Mapping[str, Any] | None = None,
) -> T:
    """An instance of the dataclass ``kind`` with the values of ``mapping``, which a user wrote.

    Annotations that are understood: ``str``, ``int``, ``float``, ``bool``, ``Path``, ``Literal``, an enum,
    ``Any``, ``tuple[X, ...]``, ``tuple[X, Y]``, ``Mapping[str, X]``, another dataclass, ``X | None`` (None is "left
    out": TOML cannot write it), and a dataclass or a plain type (``PublishedPrompt | str``). A class with a
    method ``parse(text)`` is read from text by it; what it raises as ValueError is the problem.

    Args:
        kind: A dataclass whose fields are the keys.
        mapping: What the TOML reader returned.
        source: How messages name the file; a function of the place when several files were put together.
        given: Fields that the caller fills and the file may not set.

    Raises:
        ConfigError: With one line per unknown key, missing key, wrong type or unknown choice.
    """
    problems: list[Fault] = []
    whole: Any = kind
    found = _table(whole, _OF_USER)(mapping, None, problems, given or {})
    refuse(problems, source)
    return cast("T", found)


def kept(kind: Any, stored: Any) -> Any:
    """A value of the type ``kind`` from the JSON that `written` made of it, in this evalkit or another one.

    Keys that are not known are passed over, or stand in the field of a class that has one for them (`keys.OTHERS`);
    words of a ``Literal`` or an enum are taken as they are, because another evalkit may have others.

    Raises:
        MisfitError: In one line what is missing or of another type, each with its place; from 20 on their number.
    """
    problems: list[Fault] = []
    found = _reader(kind, _KEPT)(stored, None, problems)
    if problems:
        told = [problem.line("") for problem in problems[:_TOLD]]
        more = [f"and {len(problems) - _TOLD:,} more"] if len(problems) > _TOLD else []
        raise MisfitError(" | ".join([*told, *more]))
    return found


@cache
def _reader(hint: Any, rules: _Rules) -> _Reader:
    """What reads a value of a type; a misfit is added to the problems."""
    origin = _origin(hint)
    if origin is Annotated:
        return _reader(get_args(hint)[0], rules)
    if is_dataclass(hint):
        return _noun(hint, rules)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _word(hint, rules)
    made = {Union: _either, UnionType: _either, tuple: _list, Mapping: _mapping, Literal: _word}
    return made.get(origin, _plain)(hint, rules)


def _noun(hint: Any, rules: _Rules) -> _Reader:
    """A dataclass: from a table, or from text where it reads itself."""
    parse = getattr(hint, "parse", None)

    def find(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if isinstance(value, Mapping):
            return _table(hint, rules)(value, place, problems, {})
        if parse is None or not isinstance(value, str):
            return _misfit(hint, value, place, problems)
        try:
            return parse(value)
        except ValueError as error:
            problems.append(Fault(_written(place), str(error)))
            return None

    return find


@cache
def _table(kind: Any, rules: _Rules) -> Callable[[Mapping[str, Any], _Place, list[Fault], Mapping[str, Any]], Any]:
    """What reads an instance of a dataclass; None where a problem was found."""
    keys = {key.name: key for key in declared(kind)}
    readers = {key.name: _reader(key.hint, _LENIENT if key.lenient else rules) for key in keys.values()}
    required = [key for key in keys.values() if key.required]
    collects = None if rules.closed else others_of(kind)

    def find(mapping: Mapping[str, Any], place: _Place, problems: list[Fault], given: Mapping[str, Any]) -> Any:
        before, values, others = len(problems), dict(given), {}
        for name, value in mapping.items():
            key = keys.get(name)
            if key is None or key.field in given:
                others[name] = value
                if rules.closed:
                    _unknown(name, [one for one in keys if one not in given], place, problems)
                continue
            mine: list[Fault] = [] if key.lenient else problems
            found = readers[name](value, (place, name), mine)
            if key.lenient and mine:
                others[name] = value
            else:
                values[key.field] = found
        problems += [
            Fault(_written((place, key.name)), "missing", f"must be {_wanted(key.hint)}")
            for key in required
            if key.name not in mapping and key.field not in given
        ]
        if len(problems) > before:
            return None
        return kind(**values, **({} if collects is None else {collects: others}))

    return find


def _unknown(name: str, known_names: list[str], place: _Place, problems: list[Fault]) -> None:
    problems.append(Fault(_written((place, name)), "unknown key", near_miss(name, known_names)))


def _either(hint: Any, rules: _Rules) -> _Reader:
    """A union: the table for a table, the list for a list where there is one, otherwise the plain one."""
    options = [option for option in get_args(hint) if option is not NoneType]
    tables = [option for option in options if _is_table(option)]
    lists = [option for option in options if _origin(option) is tuple]
    plain = [option for option in options if option not in (*tables, *lists)] or lists
    of_table = _reader((tables or options)[0], rules)
    of_list = _reader((lists or plain or options)[0], rules)
    of_other = _reader((plain or options)[0], rules)
    empty = NoneType in get_args(hint) and not rules.closed

    def find(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if value is None and empty:
            return None
        if isinstance(value, Mapping):
            return of_table(value, place, problems)
        return (of_list if isinstance(value, list) else of_other)(value, place, problems)

    return find


def _is_table(hint: Any) -> bool:
    origin = _origin(hint)
    return _is_table(get_args(hint)[0]) if origin is Annotated else origin is Mapping or is_dataclass(hint)


def _list(hint: Any, rules: _Rules) -> _Reader:
    """A list of one type, or of so many values."""
    inner = get_args(hint)
    alike = inner[-1] is Ellipsis
    readers = [_reader(one, rules) for one in (inner[:1] if alike else inner)]
    kinds = (list,) if rules.closed else (list, tuple)

    def find(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if not isinstance(value, kinds) or not (alike or len(value) == len(readers)):
            return _misfit(hint, value, place, problems)
        each = zip(cycle(readers) if alike else readers, value, strict=False)
        return tuple([one(item, (place, at), problems) for at, (one, item) in enumerate(each)])

    return find


def _mapping(hint: Any, rules: _Rules) -> _Reader:
    each = _reader(get_args(hint)[1], rules)

    def find(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if not isinstance(value, Mapping):
            return _misfit(hint, value, place, problems)
        return {key: each(item, (place, key), problems) for key, item in value.items()}

    return find


def _word(hint: Any, rules: _Rules) -> _Reader:
    """One of some words or numbers; those of an enum become its members."""
    members = {one.value if isinstance(one, Enum) else one: one for one in (get_args(hint) or hint)}
    kind = type(next(iter(members)))

    def find(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if type(value) is not kind:
            return _misfit(hint, value, place, problems)
        if rules.closed and isinstance(value, str):
            problems += known(_written(place), value, members, "choice")
        return members.get(value, value)

    return find


def _plain(hint: Any, rules: _Rules) -> _Reader:
    """A value without parts. ``true`` is no whole number here and ``nan`` no number, whatever Python says."""

    def number(value: Any, place: _Place, problems: list[Fault]) -> Any:
        if type(value) in {int, float} and math.isfinite(value):
            return float(value) if rules.convert else value
        return _misfit(hint, value, place, problems)

    def path(value: Any, place: _Place, problems: list[Fault]) -> Any:
        return Path(value) if isinstance(value, str) and value else _misfit(hint, value, place, problems)

    def same(value: Any, place: _Place, problems: list[Fault]) -> Any:
        return value if type(value) is hint else _misfit(hint, value, place, problems)

    if hint is Any:
        return lambda value, _place, _problems: value
    return number if hint is float else path if hint is Path else same


def _misfit(hint: Any, value: Any, place: _Place, problems: list[Fault]) -> None:
    problems.append(Fault(_written(place), f"is {_shown(value)}", f"must be {_wanted(hint)}"))


def _written(place: _Place) -> str:
    """A place as a user writes it: ``tasks[0].decoding.max_tokens``."""
    if place is None:
        return ""
    above, last = place
    return f"{_written(above)}[{last}]" if isinstance(last, int) else under(_written(above), str(last))


def _wanted(hint: Any) -> str:
    """What a key may hold, in words."""
    origin = _origin(hint)
    if origin is Annotated:
        return _wanted(get_args(hint)[0])
    if origin in {Union, UnionType}:
        return " or ".join(_wanted(option) for option in get_args(hint) if option is not NoneType)
    if origin is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        choices = [one.value if isinstance(one, Enum) else one for one in (get_args(hint) or hint)]
        return "one of " + ", ".join(json.dumps(choice) for choice in choices)
    if origin is tuple:
        inner = get_args(hint)
        words = " or ".join(dict.fromkeys(_wanted(one) for one in inner if one is not Ellipsis))
        return f"{'a list' if inner[-1] is Ellipsis else f'a list of {len(inner)}'}, each {words}"
    if origin is Mapping:
        return "a table"
    return _WORDS.get(hint, "text" if hasattr(hint, "parse") else "a table")


def _shown(value: Any) -> str:
    """A wrong value and its type, cut to one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    short = text if len(text) <= 40 else text[:37] + "..."
    return f"{short} ({_WORDS.get(type(value), type(value).__name__)})"
