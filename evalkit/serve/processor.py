"""Which numbers a CPU's kernels take: asked of torch's own checks in the serving interpreter, as vLLM asks them.

vLLM 0.32 picks its kernels by these checks (``model_executor/kernels/linear/scaled_mm/cpu.py``,
``model_executor/layers/utils.py``, ``v1/attention/backends/cpu_attn.py``). With AMX the kernel of int8 weights takes
16-bit numbers alone, and float32 ends the server at the first request. Every other kernel takes float32.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_cache_path

from evalkit.base.identity import decoded, digest
from evalkit.serve import bytecode
from evalkit.serve.installed import installed

if TYPE_CHECKING:
    from evalkit.serve.installed import Installed

_PATIENCE_S: Final = 180
"""torch takes seconds to import, on a busy machine with a cold disk a minute or two."""
_ASK: Final = """
import json, platform, sys
import torch
checks = {name: getattr(torch.cpu, name, None) for name in sys.argv[1:]}
print(json.dumps([platform.machine(), *(name for name, check in checks.items() if check and check())]))
"""
_FLAGS: Final = ("flags", "features")
"""Lines of /proc/cpuinfo that list what a processor can, on x86 and on Arm."""


@dataclass(frozen=True, slots=True)
class Processor:
    """What a processor is to vLLM's kernels, and the dtype in which the models of a comparison are served on it."""

    kind: str
    """Such as ``x86-64 with AMX``."""
    dtype: str
    reason: str
    """Why this dtype."""
    int8_dtypes: tuple[str, ...] = ("bfloat16", "float16", "float32")
    """What the kernel of int8 weights and activations (W8A8) takes."""


_BY_WAY_OF_32: Final = "it computes 16-bit numbers by way of 32-bit ones"
_KINDS: Final = {
    "_is_amx_tile_supported": Processor(
        "x86-64 with AMX", "bfloat16", "its int8 kernel takes 16-bit numbers alone", ("bfloat16", "float16")
    ),
    "_is_avx512_bf16_supported": Processor(
        "x86-64 with AVX-512 and bfloat16", "bfloat16", "its int8 kernel takes every dtype, and float32 took more time"
    ),
    "_is_avx512_supported": Processor("x86-64 with AVX-512", "float32", _BY_WAY_OF_32),
    "_is_avx2_supported": Processor("x86-64 with AVX2", "float32", _BY_WAY_OF_32),
}
"""By the function of ``torch.cpu`` that knows a processor; the first that says yes names its kind."""
_UNKNOWN: Final = "torch does not tell what it can, and bfloat16 is what every kernel takes"
_UNMEASURED: Final = "no kernel of it refuses float32; what else is quick there has not been measured"


@lru_cache(maxsize=8)
def processor(python: str = "") -> Processor:
    """The processor as the interpreter ``python`` (empty: this one) sees it.

    What it says is kept in evalkit's cache until the interpreter, its packages or the processor are others.

    Raises:
        UsageError: There is no such interpreter, or it does not run.
    """
    found = installed(python)
    kept = user_cache_path("evalkit") / "processors" / f"{_key(found)}.json"
    said = _read(kept)
    if not said:
        said = _asked(found)
        _keep(kept, said)
    return _judged(said)


def _judged(said: list[str]) -> Processor:
    machine, *checks = said or [platform.machine()]
    for check, kind in _KINDS.items():
        if check in checks:
            return kind
    if said and machine.lower() not in {"x86_64", "amd64"}:
        return Processor(machine, "float32", _UNMEASURED)
    return Processor(f"{machine}, unknown", "bfloat16", _UNKNOWN)


def _asked(found: Installed) -> list[str]:
    """The machine and the checks that say yes; empty where torch cannot be asked."""
    try:
        done = subprocess.run(
            [found.interpreter, "-c", _ASK, *_KINDS],
            env={**os.environ, **bytecode.kept(found.interpreter)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        )
        return [str(word) for word in json.loads(done.stdout.strip().splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return []


def _key(found: Installed) -> str:
    flags = ""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.lower().startswith(_FLAGS)), "")
    return digest([found.interpreter, found.python, dict(found.packages), platform.machine(), flags])[:32]


def _read(kept: Path) -> list[str]:
    try:
        said = decoded(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return said if isinstance(said, list) and all(isinstance(word, str) for word in said) else []


def _keep(kept: Path, said: list[str]) -> None:
    """Remember an answer; a cache that cannot be written only costs time."""
    if not said:
        return
    draft = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(said), encoding="utf-8")
        draft.replace(kept)
    except OSError:
        with suppress(OSError):
            draft.unlink()
