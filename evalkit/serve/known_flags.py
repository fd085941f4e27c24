"""Which flags the serving interpreter's vLLM has, read from its source: its own parser takes many seconds to load."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import UsageError, near_miss
from evalkit.serve.installed import installed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from evalkit.base.types import Json

_SOURCES: Final = ("engine/arg_utils.py", "entrypoints/**/cli_args.py")
"""Where vLLM writes its flags down: each by its name, or as the field of a class whose fields become flags."""
_FLAG: Final = re.compile(r"--[a-z][a-z0-9-]*")
_NAMED: Final = 3
"""Flags of one beginning that are named."""
_FEWEST: Final = 100
"""vLLM 0.32 has about 300. Where fewer are found, its source has another shape, and nothing is refused by it."""


@lru_cache(maxsize=8)
def known_flags(python: str) -> frozenset[str]:
    """Names of all flags, without dashes; empty where they cannot be told.

    Raises:
        UsageError: The serving interpreter does not run.
    """
    site = installed(python).site
    root = Path(site, "vllm")
    if not site:
        return frozenset()
    found: set[str] = set()
    for pattern in _SOURCES:
        for path in root.glob(pattern):
            found |= set(_in_source(path))
    return frozenset(found) if len(found) >= _FEWEST else frozenset()


def refuse_unknown(python: str, given: dict[str, Json]) -> bool:
    """Refuse flags of the user that vLLM does not have; returns whether they could be checked.

    A beginning of a flag is none: vLLM would take it for the flag, and evalkit's rules, which go by names, would miss
    it.

    Raises:
        UsageError: With the near miss, or the flags that begin so.
    """
    known = known_flags(python)
    if not known:
        return False
    for raw in given:
        # A dotted flag sets one key of a JSON flag (``--compilation-config.mode``).
        name = raw.lstrip("-").replace("_", "-").partition(".")[0]
        names = {name, name.removeprefix("no-")}
        if not names & known:
            found = installed(python)
            said = f"serve.args.{raw}: {found.name} {found.version} has no such flag"
            raise UsageError(said, fix=_meant(name, names, known))
    return True


def _meant(name: str, names: set[str], known: Collection[str]) -> str:
    """What a flag that is none may stand for."""
    begun = sorted(flag for flag in known if any(one and flag.startswith(one) for one in names))
    if begun:
        more = f" or {len(begun) - _NAMED} more" if len(begun) > _NAMED else ""
        return f"write it in full: {' or '.join(begun[:_NAMED])}{more}"
    close = near_miss(name, known)
    return close if close.startswith("did you") else "vllm serve --help=all lists them"


def _in_source(path: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FLAG.fullmatch(node.value):
            yield node.value[2:]
        elif isinstance(node, ast.ClassDef) and path.name == "cli_args.py":
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id.replace("_", "-")
