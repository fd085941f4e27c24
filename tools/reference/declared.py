"""What a class declares: its fields or members, with the text that stands below each in the source."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS = {str: "text", bool: "true or false", int: "whole number", float: "number"}


class UndocumentedError(Exception):
    """Something that a user can write or read has no sentence in its declaration."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table that a dataclass describes."""

    place: str
    """Dotted, from the top of the file; ``NAME`` stands for a key that the user chooses."""
    kind: str
    default: str
    """As TOML; empty where there is none, ``required`` where the key has to be there."""
    meaning: str


@cache
def texts(kind: type) -> Mapping[str, str]:
    """By name of a class's field or member, the text below it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    found, last = {}, ""
    for node in cast("ast.ClassDef", tree).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            last = node.targets[0].id
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last] = prose(str(node.value.value))
            last = ""
        else:
            last = ""
    return found


def attributes(kind: type) -> Mapping[str, str]:
    """By name of what ``__init__`` sets on an object, the text below it; what has none is for the object itself."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    (made,) = [one for one in cast("ast.ClassDef", tree).body if getattr(one, "name", "") == "__init__"]
    found, last = {}, ""
    for node in cast("ast.FunctionDef", made).body:
        if isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            last = target.attr if isinstance(target, ast.Attribute) else ""
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last] = prose(str(node.value.value))
            last = ""
    return found


def keys(kind: type, place: str = "", leave_out: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key of a table and of the tables in it, in the order of the declaration.

    Raises:
        UndocumentedError: A key has no text.
    """
    hints = get_type_hints(kind)
    for field in fields(kind):
        if field.name in leave_out:
            continue
        name = f"{place}.{field.name}" if place else field.name
        below = _tables(hints[field.name], name)
        meaning = texts(kind).get(field.name) or " ".join(prose(one.__doc__ or "") for one in below.values())
        if not meaning:
            raise UndocumentedError(f"{kind.__name__}.{field.name}: write a sentence below the field")
        yield Key(name, _kind(hints[field.name]), _default(field), meaning)
        for table, inner in below.items():
            yield from keys(inner, table)


def prose(text: str) -> str:
    """A docstring on one line, with code marked as Markdown marks it."""
    return " ".join(text.split()).replace("``", "`")


def _tables(hint: Any, place: str) -> dict[str, type]:
    """The tables in a value, by their place."""
    if get_origin(hint) in {Union, UnionType}:
        return {name: kind for option in get_args(hint) for name, kind in _tables(option, place).items()}
    if getattr(get_origin(hint), "__name__", "") == "Mapping":
        return _tables(get_args(hint)[1], f"{place}.NAME")
    if get_origin(hint) is tuple:
        return _tables(get_args(hint)[0], place)
    # A class that reads itself from text is written as one value.
    return {place: hint} if isinstance(hint, type) and is_dataclass(hint) and not hasattr(hint, "parse") else {}


def _kind(hint: Any) -> str:
    """What a key may hold, in words."""
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return " or ".join(dict.fromkeys(_kind(option) for option in get_args(hint) if option is not NoneType))
    if origin is Literal:
        return ", ".join(f'`"{choice}"`' for choice in get_args(hint))
    if origin is tuple:
        return f"list of {_kind(get_args(hint)[0])}"
    if getattr(origin, "__name__", "") == "Mapping":
        return f"table of {_kind(get_args(hint)[1])}" if not is_dataclass(get_args(hint)[1]) else "tables"
    if is_dataclass(hint):
        return "text" if hasattr(hint, "parse") else "table"
    return _WORDS.get(hint, "value")


def _default(field: Field[Any]) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default
    if value is MISSING or value is None or is_dataclass(value) or value in ("", ()):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
