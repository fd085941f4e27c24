"""``results.json``, from its published schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evalkit.files import resources
from reference.declared import UndocumentedError
from reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD = ["key", "value", "meaning"]
_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


def schema() -> Mapping[str, Any]:
    """The published schema."""
    found: Mapping[str, Any] = json.loads((resources.reports() / "results.schema.json").read_text(encoding="utf-8"))
    return found


def text() -> str:
    """The table of keys, and a section for each table among them.

    Raises:
        UndocumentedError: A key of the schema has no description.
    """
    whole = schema()
    tables = {name: below for name, below in whole["$defs"].items() if "properties" in below}
    parts = [table(_HEAD, _rows(whole, whole))]
    for name, below in tables.items():
        parts += [f"## {name}", below.get("description", ""), table(_HEAD, _rows(below, whole))]
    return "\n\n".join(part for part in parts if part)


def _rows(of: Mapping[str, Any], whole: Mapping[str, Any], above: str = "") -> Iterator[list[str]]:
    for key, value in of.get("properties", {}).items():
        place = f"{above}{key}"
        meaning = value.get("description", "")
        if not meaning:
            raise UndocumentedError(f"results.schema.json: {place}: give the key a description")
        yield [code(place), _kind(value, whole), meaning]
        for nested, name in (
            (value, place),
            (value.get("additionalProperties"), f"{place}.NAME"),
            *_one_of(value, place),
        ):
            if isinstance(nested, dict):
                yield from _rows(nested, whole, f"{name}.")


def _one_of(value: Mapping[str, Any], place: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for option in value.get("anyOf", []):
        yield option, place


def _kind(value: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """What a value may be; a table of its own is a link."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        below = whole["$defs"][name]
        return f"[{name}](#{name})" if "properties" in below else _kind(below, whole)
    if "anyOf" in value:
        return " or ".join(_kind(option, whole) for option in value["anyOf"])
    if "enum" in value or "const" in value:
        return ", ".join(code(json.dumps(choice)) for choice in value.get("enum", [value.get("const")]))
    return _parts(value, whole) if value["type"] in {"array", "object"} else _PLAIN[value["type"]]


def _parts(value: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    if value["type"] == "object":
        inner = value.get("additionalProperties")
        if isinstance(inner, dict) and inner.get("type") != "object":
            return f"by name: {_kind(inner, whole)}"
        return "table"
    if "prefixItems" in value:
        return f"[{', '.join(_kind(item, whole) for item in value['prefixItems'])}]"
    inner = _kind(value["items"], whole)
    return f"[{inner}, {inner}]" if value.get("maxItems") == value.get("minItems") == 2 else f"list of {inner}"
