"""The program that serves, the machine under it, and the provenance block of a run."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections import Counter
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import evalkit
from evalkit import serve
from evalkit.base.errors import UsageError
from evalkit.base.identity import digest
from evalkit.base.types import Engine
from evalkit.serve.environment.experts import is_dense
from evalkit.serve.launch import COPIES, gpus_of_one_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.base.types import Json, Model
    from evalkit.serve import Serving

_GIT_PATIENCE_S: Final = 10
_PACKAGES: Final = (
    "aiohttp",
    "datasets",
    "huggingface-hub",
    "numpy",
    "pandas",
    "pillow",
    "pyarrow",
    "rapidfuzz",
    "requests",
)
"""Distributions of evalkit's own interpreter that take part in an evaluation."""


def engine(serving: Serving, model: Model | None = None, kinds: Sequence[str] = ()) -> Engine:
    """The program that would answer, as far as it can move an answer.

    Args:
        serving: How it is started.
        model: What it serves.
        kinds: The names of the GPUs of other hosts, where it runs on those.

    Raises:
        UsageError: The serving interpreter does not run, or has no vLLM.
    """
    numerics = {**serve.numerics(serving, model), **_named_files(serving)}
    copies = COPIES in numerics and model is not None and is_dense(model)
    if copies:
        del numerics[COPIES]
    accelerator = _accelerator(serving, gpus_of_one_engine(serving) if copies else serve.gpus_used(serving), kinds)
    if serving.command:
        return Engine("command", "unknown", accelerator, {**numerics, "command": list(serving.command)})
    found = serve.installed(serving.python)
    if found.name is None or found.version is None:
        raise UsageError(
            f"{found.interpreter} has no vLLM (looked for {' and '.join(serve.DISTRIBUTIONS)})",
            fix=f"{serve.MAKES_VLLM}, or name a Python that has it with --vllm-python; --endpoint LABEL=URL asks a "
            "server that already runs",
        )
    # A new transformers or torch under the same vLLM has moved published scores before.
    return Engine(found.name, found.version, accelerator, {**numerics, "packages": dict(found.packages)})


def _named_files(serving: Serving) -> dict[str, Json]:
    """Digests of the files and folders that flags name (a chat template, a tokenizer): their content moves answers."""
    found: dict[str, Json] = {}
    for name, value in serving.args.items():
        path = Path(value) if isinstance(value, str) else None
        if path is not None and path.exists():
            files = sorted(one for one in [path, *path.rglob("*")] if one.is_file())
            contents = [[one.relative_to(path).as_posix(), sha256(one.read_bytes()).hexdigest()] for one in files]
            found[f"file:{name}"] = digest(contents)
    return found


def _accelerator(serving: Serving, count: int, kinds: Sequence[str]) -> str:
    """``NVIDIA H100 80GB HBM3 x1``: the kind, and how many of them an answer is computed on."""
    if serve.device(serving) == "cpu":
        return "cpu"
    if kinds:
        return f"{' or '.join(kinds)} x{count}"
    found = serve.chosen_gpus(serving)
    kinds = sorted({gpu.name for gpu in found})
    if serving.several and len(kinds) > 1:
        return f"{' or '.join(kinds)} x{count}"  # whichever of them had room
    used = Counter(gpu.name for gpu in found[:count])
    return ", ".join(f"{name} x{number}" for name, number in used.items()) or "unknown"


def provenance(serving: Serving | None = None) -> dict[str, Json]:
    """Where a run's numbers come from, for ``run.json``. Holds no name of the machine or of its user."""
    found: dict[str, Json] = {
        "evalkit": evalkit.__version__,
        "commit": _checkout(Path(evalkit.__file__).resolve().parent.parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "gpus": [{"name": gpu.name, "memory_mib": gpu.total_mib, "driver": gpu.driver} for gpu in serve.gpus()],
        "packages": _versions(),
    }
    if serving is not None and not serving.command:
        there = serve.installed(serving.python)
        found["serving"] = {"python": there.python, "packages": dict(there.packages), **_processor(serving)}
    return found


def _processor(serving: Serving) -> dict[str, Json]:
    """In what numbers the models are served on a CPU, and what would suit it."""
    if serve.device(serving) != "cpu":
        return {}
    found, dtype = serve.processor(serving.python), str(serve.numerics(serving).get("dtype", "auto"))
    own = dtype == found.dtype
    reason = found.reason if own else f"as the flags say; {found.dtype} suits this processor: {found.reason}"
    return {"processor": found.kind, "dtype": dtype, "dtype_reason": reason}


@cache
def _checkout(folder: Path) -> str | None:
    """The commit that evalkit runs from, ``-dirty`` when files differ from it; None for an installed package."""
    if not (folder / ".git").exists():
        return None
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return f"{commit}-dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    said = subprocess.run(
        ["git", "-C", str(folder), *words],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        timeout=_GIT_PATIENCE_S,
        check=True,
    )
    return said.stdout.strip()


@cache
def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def cpu_name() -> str:
    """What the processor calls itself, such as ``AMD EPYC 9R14``."""
    try:
        if sys.platform == "darwin":
            words = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(
                words, capture_output=True, text=True, timeout=_GIT_PATIENCE_S, check=True
            ).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()
