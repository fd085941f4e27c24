"""Environments that evalkit makes for what it starts: tools that cannot share one with everything else."""

from __future__ import annotations

from evalkit.serve.tools.environment import (
    Environment,
    environments,
    find,
    gigabytes,
    home,
    newest_vllm,
    of_interpreter,
    remove,
    use,
)
from evalkit.serve.tools.making import make
from evalkit.serve.tools.recipes import DEFAULTS, GUIDELLM, VLLM, Device, Recipe, recipe
from evalkit.serve.tools.serving import computing_on, interpreter, provenance, settled

__all__ = [
    "DEFAULTS",
    "GUIDELLM",
    "VLLM",
    "Device",
    "Environment",
    "Recipe",
    "computing_on",
    "environments",
    "find",
    "gigabytes",
    "home",
    "interpreter",
    "make",
    "newest_vllm",
    "of_interpreter",
    "provenance",
    "recipe",
    "remove",
    "settled",
    "use",
]
