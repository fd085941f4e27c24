"""``results.schema.json``, from the types that write and read the file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from evalkit.base import codec
from evalkit.base.codec import Items, Key
from evalkit.records.results import FORMAT, Results
from reference.declared import UndocumentedError, prose, texts

_PLAIN: Final[Mapping[Any, str]] = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schema() -> dict[str, Any]:
    """The schema of ``results.json``, in JSON Schema 2020-12.

    Raises:
        UndocumentedError: A key has no sentence below its field.
    """
    below: dict[str, Any] = {}
    whole = _table(Results, below)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:evalkit:results:{FORMAT}",
        "title": "results.json of an evalkit run",
        **whole,
        "$defs": dict(sorted(below.items())),
    }


def text() -> str:
    """The file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _table(kind: Any, below: dict[str, Any]) -> dict[str, Any]:
    keys = codec.declared(kind)
    return {
        "type": "object",
        "description": prose(kind.__doc__ or ""),
        "properties": {key.name: _described(kind, key, below) for key in keys},
        "required": sorted(key.name for key in keys if not key.unsaid),
        "additionalProperties": False,
    }


def _described(kind: Any, key: Key, below: dict[str, Any]) -> dict[str, Any]:
    said = next((found for one in kind.__mro__[:-1] if (found := texts(one).get(key.field))), "")
    if not said:
        raise UndocumentedError(f"{kind.__name__}.{key.field}: write a sentence below the field")
    # What is always written, or not there at all, is never null, although files of earlier evalkits read as None.
    found = _value(_without_null(key.hint) if key.later or key.unsaid else key.hint, below)
    return {**found, "description": said}


def _without_null(hint: Any) -> Any:
    options = tuple(option for option in get_args(hint) if option is not NoneType)
    return Union[options] if get_origin(hint) in {Union, UnionType} else hint  # noqa: UP007 - made at run time


def _value(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    """What a value of a type is; tables and kinds of numbers are added to ``below`` by their names."""
    origin = get_origin(hint)
    if is_dataclass(hint):
        return _named(hint, below)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _words([one.value for one in hint])
    if origin is Literal:
        return _words([one.value if isinstance(one, Enum) else one for one in get_args(hint)])
    made = {Annotated: _annotated, Union: _either, UnionType: _either, Mapping: _mapping, tuple: _list}
    if origin in made:
        return made[origin](hint, below)
    return {} if hint is Any else {"type": _PLAIN[hint]}


def _named(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", hint.__name__.removeprefix("Stated")).lower()
    if name not in below:
        below[name] = {}
        below[name] = _table(hint, below)
    return {"$ref": f"#/$defs/{name}"}


def _words(words: list[Any]) -> dict[str, Any]:
    return {"const": words[0]} if len(words) == 1 else {"enum": words}


def _either(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"} if one is NoneType else _value(one, below) for one in get_args(hint)]}


def _mapping(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    inner = _value(get_args(hint)[1], below)
    return {"type": "object", **({"additionalProperties": inner} if inner else {})}


def _annotated(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    inner, said = get_args(hint)
    found = _value(inner, below)
    if isinstance(said, Items):
        return {
            **found,
            **({"minItems": said.least} if said.least else {}),
            **({"uniqueItems": True} if said.unique else {}),
        }
    ends = {"minimum": said.low, "maximum": said.high, "description": said.text or None}
    below[said.name] = {**found, **{name: end for name, end in ends.items() if end is not None}}
    return {"$ref": f"#/$defs/{said.name}"}


def _list(hint: Any, below: dict[str, Any]) -> dict[str, Any]:
    inner = get_args(hint)
    found = {"type": "array", "items": _value(inner[0], below)}
    return found if inner[-1] is Ellipsis else {**found, "minItems": len(inner), "maxItems": len(inner)}
