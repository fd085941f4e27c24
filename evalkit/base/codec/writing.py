"""A dataclass becomes what JSON can hold, as `reading.kept` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from evalkit.base.codec.keys import declared, others_of

if TYPE_CHECKING:
    from evalkit.base.types import Json

_PLAIN: Final = frozenset({str, int, float, bool, NoneType})
"""Types whose values JSON holds as they are: most of what is written."""


def written(value: Any) -> Json:
    """The value as JSON holds it: objects of dataclasses and mappings, lists of sequences, anything else as it is.

    A class that reads itself from text (``parse``) is written as its ``text``.
    """
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    form = _form(kind)
    if form is not None:
        return value.text if form.reads_itself and hasattr(value, "text") else _table(value, form)
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    return value.value if isinstance(value, Enum) else value


class _Spelling(NamedTuple):
    """How a dataclass is written: looked up once, because a report writes hundreds of thousands of one."""

    keys: tuple[tuple[str, str, bool, Any, bool], ...]
    """Name, field, whether it is left out where it is its default, that default, whether it may be any JSON."""
    others: str | None
    reads_itself: bool


@cache
def _form(kind: Any) -> _Spelling | None:
    """The form of a dataclass; None of any other type."""
    noun: Any = kind if is_dataclass(kind) else None
    if noun is None:
        return None
    keys = [(key.name, key.field, key.unsaid or key.later, key.default, key.hint is Any) for key in declared(noun)]
    return _Spelling(tuple(keys), others_of(noun), hasattr(noun, "parse"))


def _table(value: Any, form: _Spelling) -> dict[str, Json]:
    found = {}
    for name, field, spared, default, is_json in form.keys:
        one = getattr(value, field)
        if not (spared and one == default):
            # What may be any JSON is JSON already.
            found[name] = one if is_json or type(one) in _PLAIN else written(one)
    return found if form.others is None else found | dict(getattr(value, form.others))
