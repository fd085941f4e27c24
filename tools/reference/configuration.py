"""Keys of the file that ``--config`` names, from the dataclasses that read it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import UsageError
from evalkit.cli.run import OPTIONS
from evalkit.config import options
from evalkit.config.run_config import Config
from reference.declared import keys
from reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def text() -> str:
    """The table of keys."""
    by_place = placed()
    rows = [
        [code(key.place), key.kind, code(key.default), key.meaning, ", ".join(map(code, by_place.get(key.place, [])))]
        for key in keys(Config)
    ]
    return table(["key", "value", "default", "meaning", "option"], rows)


def placed() -> Mapping[str, list[str]]:
    """By dotted place in the file, the options of ``evalkit run`` that set it."""
    found: dict[str, dict[str, None]] = {}
    for option in run_options():
        if option.name in {"config_file", "as_json"}:
            continue
        for word in ("x", "x=y"):
            # A pair is refused in the shape of a plain value; ``--vllm`` takes both, and sets another key with each.
            with suppress(UsageError):
                given = options.as_mapping({option.name or "": (word,) if option.multiple else word})
                found.setdefault(_first(given), {})[option.opts[-1]] = None
    return {place: list(names) for place, names in found.items()}


def run_options() -> Iterator[click.Option]:
    """The options of ``evalkit run``."""

    @click.command
    def bare() -> None: ...

    for decorate in reversed(OPTIONS):
        bare = decorate(bare)
    return (one for one in bare.params if isinstance(one, click.Option))


def _first(mapping: Mapping[str, Any]) -> str:
    """The place of the only value, without the key of a pair."""
    names = []
    tables = {"serve", "client", "policy"}
    while isinstance(mapping, dict) and mapping:
        (name, mapping) = next(iter(mapping.items()))
        names.append(name)
        if names[0] not in tables or len(names) == 2:
            break
    return ".".join(names)
