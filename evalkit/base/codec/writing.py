"""A dataclass becomes what JSON can hold, as `reading.kept` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from evalkit.base.codec.keys import declared, others_of

if TYPE_CHECKING:
    from evalkit.base.types import Json


def written(value: Any) -> Json:
    """The value as JSON holds it: objects of dataclasses and mappings, lists of sequences, anything else as it is.

    A class that reads itself from text (``parse``) is written as its ``text``.
    """
    if is_dataclass(value):
        return value.text if hasattr(value, "parse") and hasattr(value, "text") else _table(value)
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _table(value: Any) -> dict[str, Json]:
    kind: Any = type(value)
    found = {}
    for key in declared(kind):
        one = getattr(value, key.field)
        if not ((key.unsaid or key.later) and one == key.default):
            # What may be any JSON is JSON already.
            found[key.name] = one if key.hint is Any else written(one)
    others = others_of(kind)
    return found if others is None else found | dict(getattr(value, others))
