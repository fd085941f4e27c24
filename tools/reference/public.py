"""What ``import evalkit`` gives, from its list of names and their docstrings."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import evalkit
from reference.declared import attributes, texts
from reference.docstrings import markdown
from reference.markdown import code, table

_LONGEST = 100
"""Characters that a line of code has room for."""

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def text() -> str:
    """A section for each name; functions first, then classes.

    Raises:
        UndocumentedError: One of them, or a method, has no docstring.
    """
    return sections({name: getattr(evalkit, name) for name in evalkit.__all__ if not name.startswith("__")})


def sections(public: Mapping[str, Any]) -> str:
    """A section for each function and class by its name; functions first.

    Raises:
        UndocumentedError: One of them, or a method, has no docstring.
    """
    order = sorted(public, key=lambda name: (inspect.isclass(public[name]), name))
    return "\n\n".join(_section(name, public[name]) for name in order)


def members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class, or one of evalkit's above it, declares; the highest first."""
    for above in reversed([one for one in kind.__mro__ if one.__module__.startswith("evalkit")]):
        for name, one in vars(above).items():
            if not name.startswith("_") and (inspect.isfunction(one) or isinstance(one, property)):
                yield name, one


def _section(name: str, thing: Any) -> str:
    if inspect.isclass(thing):
        parts = [f"## {name}", markdown(thing, name), *_made(name, thing), _fields(thing)]
        for member, one in members(thing):
            parts += [f"### {name}.{member}", _signature(member, one), markdown(one, f"{name}.{member}")]
    else:
        parts = [f"## {name}", _signature(name, thing), markdown(thing, name)]
    return "\n\n".join(part for part in parts if part)


def _made(name: str, kind: type) -> list[str]:
    """How an object of a class that is no mere record is made, with what it then shows."""
    made = vars(kind).get("__init__")
    if made is None or is_dataclass(kind) or getattr(kind, "_is_protocol", False):
        return []
    shown = [[code(one), meaning] for one, meaning in attributes(kind).items()]
    return [
        _signature(name, made).replace(" -> None", ""),
        markdown(made, name),
        *([table(["attribute", "meaning"], shown)] if shown else []),
    ]


def _fields(kind: type) -> str:
    """What a dataclass holds; fields that are for itself alone have no text."""
    if not is_dataclass(kind):
        return ""
    rows = [[code(one.name), code(str(one.type)), texts(kind).get(one.name, "")] for one in fields(kind) if one.repr]
    return table(["field", "type", "meaning"], rows) if rows else ""


def _signature(name: str, one: Any) -> str:
    if isinstance(one, property):
        return ""
    signature = inspect.signature(one)
    shown = [
        parameter.replace(annotation=_Shown(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    line = f"{name}{inspect.Signature(shown, return_annotation=_Shown(signature.return_annotation))}"
    if len(line) > _LONGEST:
        named = [one for one in shown if one.kind in {one.KEYWORD_ONLY, one.VAR_KEYWORD}]
        listed = [*(str(one) for one in shown if one not in named), *["*"] * bool(named), *map(str, named)]
        line = f"{name}(\n" + "".join(f"    {one},\n" for one in listed) + f") -> {signature.return_annotation}"
    return f"```py\n{line}\n```"


class _Shown:
    """An annotation that is printed as it is written, without the quotes of a text."""

    def __init__(self, annotation: str) -> None:
        self._annotation = annotation

    def __repr__(self) -> str:
        return self._annotation
