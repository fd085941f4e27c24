"""Where a serving interpreter keeps what it has compiled: without such a place every start compiles torch anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from evalkit.base.errors import UsageError
from evalkit.serve.installed import installed

if TYPE_CHECKING:
    from evalkit.serve.installed import Installed

_NEVER, _ELSEWHERE = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
_LARGE = ("torch", "transformers", "vllm")
"""Packages whose thousands of modules take a minute of every start where they are not kept compiled."""


def kept(python: str = "") -> dict[str, str]:
    """Variables under which what the interpreter ``python`` (empty: this one) compiles is found again.

    Compiled files lie beside their sources, where pip puts them, too. In an environment that cannot be written and
    holds none, they go to evalkit's cache; where the user has named a place, they go there. An interpreter that does
    not run keeps nothing.
    """
    try:
        found = installed(python)
    except UsageError:
        return {}
    variables = {_NEVER: ""} if os.environ.get(_NEVER) else {}
    if found.site and not os.environ.get(_ELSEWHERE) and not os.access(found.site, os.W_OK) and not _compiled(found):
        variables |= {_NEVER: "", _ELSEWHERE: str(user_cache_path("evalkit") / "bytecode")}
    return variables


def _compiled(found: Installed) -> bool:
    packages = [Path(found.site, name) for name in _LARGE]
    return all(
        (package / "__pycache__" / f"__init__.{found.cache_tag}.pyc").is_file()
        for package in packages
        if (package / "__init__.py").is_file()
    )
