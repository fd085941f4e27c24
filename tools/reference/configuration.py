"""Keys of the file that ``--config`` names, from the dataclasses that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.config.options import OPTIONS
from evalkit.config.run_config import Config
from reference.declared import keys
from reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    found: dict[str, list[str]] = {one.place: [one.flag] for one in OPTIONS if one.place}
    # ``--vllm MODEL=RELEASE`` is for one model.
    return {**found, "serve.models": [one.flag for one in OPTIONS if one.kind == "releases"]}
