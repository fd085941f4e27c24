"""Which flags the serving interpreter's vLLM has, read from its source: its own parser takes many seconds to load."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.errors import UsageError, near_miss
from evalkit.server.installed import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.types import Json

_SOURCES: Final = ("engine/arg_utils.py", "entrypoints/**/cli_args.py")
"""Where vLLM writes its flags down: each by its name, or as the field of a class whose fields become flags."""
_FLAG: Final = re.compile(r"--[a-z][a-z0-9-]*")
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

    Raises:
        UsageError: With the near miss.
    """
    known = known_flags(python)
    if not known:
        return False
    for raw in given:
        # A dotted flag sets one key of a JSON flag (``--compilation-config.mode``), and argparse takes beginnings.
        name = raw.lstrip("-").replace("_", "-").partition(".")[0]
        names = {name, name.removeprefix("no-")}
        if not any(flag.startswith(one) for one in names for flag in known):
            found = installed(python)
            said = f"serve.args.{raw}: {found.name} {found.version} has no such flag"
            close = near_miss(name, known)
            raise UsageError(said, fix=close if close.startswith("did you") else "vllm serve --help=all lists them")
    return True


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
