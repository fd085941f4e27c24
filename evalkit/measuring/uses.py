"""The uses that can be measured: those that evalkit brings along, and files of the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.base.errors import UsageError, near_miss
from evalkit.files import resources, textfile
from evalkit.perf.uses import CARD, Use, use

if TYPE_CHECKING:
    from collections.abc import Sequence


def built_in() -> dict[str, Use]:
    """Every use that evalkit brings along, by name: those of the published card first."""
    found = {one.name: one for one in map(_read, sorted((resources.tasks() / "perf").glob("*.toml")))}
    return {name: found[name] for name in (*CARD, *(name for name in found if name not in CARD))}


def chosen(names: Sequence[str]) -> tuple[Use, ...]:
    """The named uses, each once; a name may be the path of a file. The card's three where none is named.

    Raises:
        UsageError: There is no such use, with the near miss; or two have one name.
        ConfigError: A file is wrong.
    """
    known = built_in()
    found: dict[str, Use] = {}
    for name in names or CARD:
        if name.endswith(".toml") or os.sep in name:
            one = _read(Path(name))
        elif name in known:
            one = known[name]
        else:
            raise UsageError(f"unknown use '{name}'", fix=near_miss(name, known))
        other = found.setdefault(one.name, one)
        if other != one:
            raise UsageError(
                f"{other.source} and {one.source} are both named '{one.name}'", fix="give one another name"
            )
    return tuple(found.values())


def _read(path: Path) -> Use:
    name = textfile.short(path)
    return use(textfile.toml(path, name), name)
