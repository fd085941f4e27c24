"""Environments that evalkit makes for what it starts: tools that cannot share one with everything else."""

from __future__ import annotations

from evalkit.serve.tools.environment import (
    Environment,
    environments,
    gigabytes,
    home,
    newest_vllm,
    of_interpreter,
    remove,
    use,
)
from evalkit.serve.tools.making import make
from evalkit.serve.tools.recipes import DEFAULTS, VLLM, Device, Recipe, recipe
from evalkit.serve.tools.serving import computing_on, interpreter, provenance, settled

__all__ = [
    "DEFAULTS",
    "VLLM",
    "Device",
    "Environment",
    "Recipe",
    "computing_on",
    "environments",
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
