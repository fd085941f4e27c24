"""A parsed TOML mapping becomes a dataclass, or one error that names every bad key and value.

The dataclass is the declaration: its field names are the keys, its annotations the types, a field without a
default is required. So a key is written down once, and a new field needs no second list to keep in step. What
an annotation cannot say (a range, a name that must exist) the owner of the dataclass checks and reports as
further `Fault` values.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from evalkit.base.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Source: TypeAlias = str | Callable[[str], str]

T = TypeVar("T")

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_WORDS = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    Path: "text",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file."""

    place: str
    """The key, dotted from the top of the file; empty for the file as a whole."""
    what: str
    fix: str = ""

    def line(self, source: str) -> str:
        """``source: place: what; fix``."""
        said = ": ".join(part for part in (source, self.place, self.what) if part)
        return f"{said}; {self.fix}" if self.fix else said


def read(
    kind: type[T],
    mapping: Mapping[str, Any],
    source: Source,
    given: Mapping[str, Any] | None = None,
) -> T:
    """An instance of the dataclass ``kind`` with the values of ``mapping``.

    Annotations that are understood: ``str``, ``int``, ``float``, ``bool``, ``Path``, ``Literal``,
    ``Any``, ``tuple[X, ...]``, ``Mapping[str, X]``, another dataclass, ``X | None`` (None is "left
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
    found = _table(kind, mapping, "", problems, given or {})
    refuse(problems, source)
    return cast("T", found)


def refuse(problems: Sequence[Fault], source: Source) -> None:
    """Raise what was found; do nothing when nothing was.

    Every problem brings its own fix, so each stands in its own line of the message.

    Raises:
        ConfigError: When there is at least one problem.
    """
    if problems:
        named = source if callable(source) else lambda _: source
        raise ConfigError("\n".join(problem.line(named(problem.place)) for problem in problems))


def at_least(low: float, values: Mapping[str, float | None]) -> list[Fault]:
    """A problem for each value (by its place) that is below ``low``; None (left out) is fine."""
    return [
        Fault(place, f"is {value}", f"must be {low} or more")
        for place, value in values.items()
        if value is not None and value < low
    ]


def above(low: float, values: Mapping[str, float | None]) -> list[Fault]:
    """A problem for each value (by its place) that is not above ``low``; None (left out) is fine."""
    return [
        Fault(place, f"is {value}", f"must be more than {low}")
        for place, value in values.items()
        if value is not None and value <= low
    ]


def known(place: str, word: str, names: Iterable[str], what: str) -> list[Fault]:
    """A problem with the near miss when ``word`` is not one of ``names``."""
    names = list(names)
    return [] if word in names else [Fault(place, f"unknown {what} {word!r}", near_miss(word, names))]


def under(place: str, key: str) -> str:
    """The dotted place of ``key`` in the table at ``place``, quoted where TOML would quote it."""
    name = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{place}.{name}" if place else name


def _table(
    kind: Any,
    mapping: Mapping[str, Any],
    place: str,
    problems: list[Fault],
    given: Mapping[str, Any],
) -> Any:
    """An instance of ``kind``, or None when a problem was found."""
    hints = get_type_hints(kind)
    open_fields = {field.name: field for field in fields(kind) if field.name not in given}
    before = len(problems)
    values = dict(given)
    for key, value in mapping.items():
        if key in open_fields:
            values[key] = _value(hints[key], value, under(place, key), problems)
        else:
            problems.append(Fault(under(place, key), "unknown key", near_miss(key, open_fields)))
    for name, field in open_fields.items():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and name not in mapping:
            problems.append(Fault(under(place, name), "missing", f"must be {_wanted(hints[name])}"))
    return kind(**values) if len(problems) == before else None


def _value(hint: Any, value: Any, place: str, problems: list[Fault]) -> Any:
    """``value`` as ``hint`` wants it; a misfit is added to ``problems``."""
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return _value(_branch(hint, value), value, place, problems)
    if isinstance(value, list) and origin is tuple:
        inner = get_args(hint)[0]
        return tuple(_value(inner, item, f"{place}[{number}]", problems) for number, item in enumerate(value))
    if isinstance(value, Mapping) and is_dataclass(hint):
        return _table(hint, value, place, problems, {})
    if isinstance(value, Mapping) and origin is Mapping:
        inner = get_args(hint)[1]
        return {key: _value(inner, item, under(place, key), problems) for key, item in value.items()}
    if isinstance(value, str):
        return _text(hint, value, place, problems)
    return _plain(hint, value, place, problems)


def _text(hint: Any, value: str, place: str, problems: list[Fault]) -> Any:
    """What a text stands for: itself, a choice, a path, or a class that reads itself from text."""
    if get_origin(hint) is Literal:
        problems += known(place, value, get_args(hint), "choice")
        return value
    if hint is Path and value:
        return Path(value)
    if not hasattr(hint, "parse"):
        return _plain(hint, value, place, problems)
    try:
        return hint.parse(value)
    except ValueError as error:
        problems.append(Fault(place, str(error)))
        return None


def _plain(hint: Any, value: Any, place: str, problems: list[Fault]) -> Any:
    """A value without parts. ``true`` is no whole number here and ``nan`` no number, whatever Python says."""
    if hint is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    if hint is not Any and (type(value) is not hint or hint is float):
        problems.append(Fault(place, f"is {_shown(value)}", f"must be {_wanted(hint)}"))
    return value


def _branch(hint: Any, value: Any) -> Any:
    """The alternative of a union that ``value`` can mean: the table for a table, otherwise the plain one."""
    options = [option for option in get_args(hint) if option is not NoneType]
    fitting = [option for option in options if is_dataclass(option) == isinstance(value, Mapping)]
    return (fitting or options)[0]


def _wanted(hint: Any) -> str:
    """What a key may hold, in words."""
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return " or ".join(_wanted(option) for option in get_args(hint) if option is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(hint))
    if origin is tuple:
        return "a list, each " + _wanted(get_args(hint)[0])
    if origin is Mapping:
        return "a table"
    return _WORDS.get(hint, "text" if hasattr(hint, "parse") else "a table")


def _shown(value: Any) -> str:
    """A wrong value and its type, cut to one short line."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    short = text if len(text) <= 40 else text[:37] + "..."
    return f"{short} ({_WORDS.get(type(value), type(value).__name__)})"
