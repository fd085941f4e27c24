"""What this machine has and lacks for a run: findings as data, each with what to do."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Final, Literal

from platformdirs import user_cache_path

from evalkit import sandbox, serve
from evalkit.base.errors import UsageError
from evalkit.config.run_config import Serving
from evalkit.serve import environment, tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IMPORT_PATIENCE_S: Final = 180
"""torch and torchvision together take seconds to import, on a busy machine with a cold disk a minute or two."""
_OUTPUT_GIB: Final = 1
"""Answers, logs and reports of a run of the five vision tasks."""
_CACHE_GIB: Final = 80
"""A 12 B model in 16 bit is 24 GB, the five vision tasks are 40 GB."""
_IMPORT: Final = """
import json, torch, torchvision
versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
print(json.dumps({**versions, "cuda": torch.cuda.is_available()}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "note", "problem"]
    """``problem``: a run that starts a server will fail. ``note``: worth knowing."""
    detail: str
    fix: str = ""
    """What to do; empty when nothing needs doing."""


def examine(
    python: str = "", output: Path = Path("runs"), prompts: Mapping[str, bool] | None = None, vllm: str = ""
) -> list[Finding]:
    """Look at everything that a run needs.

    Args:
        python: The serving interpreter; empty for the one that a run would find.
        output: The folder of the store and the reports.
        prompts: Task name to whether its published prompt is in the prompt cache; None leaves the finding out.
        vllm: The release to serve with; empty for what there is.
    """
    python, serving = _serving(Serving(python=python, vllm=vllm))
    return [
        Finding("Python", "ok", f"{platform.python_version()} ({environment.cpu_name()})"),
        *serving,
        _tools(),
        *_gpus(python),
        *_ray(),
        _sandbox(),
        _disk("output", output, _OUTPUT_GIB),
        _disk("cache", _hub_cache(), _CACHE_GIB),
        _hub(),
        *([] if prompts is None else [_prompts(prompts)]),
    ]


def _serving(wanted: Serving) -> tuple[str, list[Finding]]:
    """The interpreter that a run would serve with: its vLLM, and whether what that stands on can be loaded."""
    try:
        python = tools.interpreter(wanted, lambda _: None, "nothing").python
        found = serve.installed(python)
    except UsageError as error:
        return wanted.python, [Finding("vLLM", "problem", error.message, error.fix)]
    if found.name is None:
        detail = f"not in {found.interpreter} (Python {found.python})"
        fix = f"{serve.MAKES_VLLM}; or name another Python with --vllm-python"
        return python, [Finding("vLLM", "problem", detail, fix)]
    others = ", ".join(f"{name} {number}" for name, number in found.packages.items() if name != found.name)
    vllm = Finding(
        "vLLM", "ok", f"{found.name} {found.version} in {found.interpreter} (Python {found.python}; {others})"
    )
    torch = _torch(found)
    return python, [vllm, torch, *([_dtype(python)] if found.device == "cpu" and torch.status == "ok" else [])]


def _dtype(python: str) -> Finding:
    """In what the processor's kernels compute a model and its quantizations, and in what models are served here."""
    found = serve.processor(python)
    detail = f"{found.dtype} suits this processor ({found.kind}): {found.reason}"
    flags = str(serve.numerics(Serving(python=python, device="cpu")).get("dtype", "auto"))
    if flags != found.dtype:
        detail += (
            f"; `evalkit demo` serves in it, `evalkit run` and `plan` in {flags} as the model card's commands do, "
            f"unless --serve-arg dtype={found.dtype} says otherwise"
        )
    return Finding("dtype", "ok", detail)


def _tools() -> Finding:
    """The environments that evalkit has made."""
    made = tools.environments()
    if not made:
        return Finding("environments", "ok", f"none made yet in {tools.home()}")
    names = ", ".join(f"{one.distribution} {one.release}" for one in made)
    size = tools.gigabytes(sum(one.size_bytes for one in made))
    return Finding("environments", "ok", f"{names}: {size} in {tools.home()} (`evalkit tools` lists them)")


def _torch(found: serve.Installed) -> Finding:
    """Whether torch and torchvision belong together, which only importing them tells."""
    try:
        said = subprocess.run(
            [found.interpreter, "-c", _IMPORT],
            env={**os.environ, **serve.bytecode_kept(found.interpreter)},
            capture_output=True,
            text=True,
            timeout=_IMPORT_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        detail = f"torch and torchvision were not imported after {_IMPORT_PATIENCE_S} s"
        return Finding("torch", "note", detail, "ask again when the machine is less busy")
    if said.returncode:
        last = (said.stderr.strip().splitlines() or [f"exit status {said.returncode}"])[-1]
        fix = f"install the pair that this vLLM pins; or {serve.MAKES_VLLM}"
        return Finding("torch", "problem", f"torch and torchvision cannot be loaded together: {last}", fix)
    versions = json.loads(said.stdout.strip().splitlines()[-1])
    detail = f"torch {versions['torch']} with torchvision {versions['torchvision']}"
    if found.device == "gpu" and not versions["cuda"]:
        fix = (
            "see that nvidia-smi works and that the driver is not older than torch; or without a GPU "
            f"{serve.MAKES_VLLM}"
        )
        return Finding("torch", "problem", f"{detail} sees no GPU", fix)
    return Finding("torch", "ok", detail)


def _gpus(python: str) -> Iterable[Finding]:
    found = serve.gpus()
    if not found:
        yield Finding("GPU", "note", "none; models are served on the CPU", "for real models use a machine with one")
    for gpu in found:
        detail = f"{gpu.name}, {gpu.free_mib / 1024:.1f} of {gpu.total_mib / 1024:.1f} GiB free, driver {gpu.driver}"
        # The profiles ask for 90 % of a GPU.
        held = gpu.free_mib < 0.9 * gpu.total_mib
        fix = "see with nvidia-smi who holds the rest, or lower gpu-memory-utilization" if held else ""
        yield Finding(f"GPU {gpu.index}", "note" if held else "ok", detail, fix)
    if found and _has_cpu_build(python):
        detail = "the serving interpreter has vLLM's CPU build, which leaves the GPU idle"
        yield Finding("GPU use", "note", detail, serve.MAKES_VLLM)


def _has_cpu_build(python: str) -> bool:
    try:
        return serve.installed(python).device == "cpu"
    except UsageError:
        return False


def _hub_cache() -> Path:
    """Where models and data sets are downloaded to."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub")


def _ray() -> Iterable[Finding]:
    """Whether the Ray cluster that is named or runs here is to ask for a token; nothing where there is none."""
    address = os.environ.get("RAY_ADDRESS", "")
    if not address:
        # Where `ray start` notes the cluster that it has begun.
        noted = Path(os.environ.get("RAY_TMPDIR") or gettempdir()) / "ray" / "ray_current_cluster"
        try:
            address = noted.read_text(encoding="utf-8")
        except OSError:
            return
    # A token that lies ready is not asked for by every release of Ray.
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        yield Finding("Ray", "ok", f"{address.strip()}, asked with a token")
        return
    detail = f"{address.strip()}, RAY_AUTH_MODE is not token: whoever reaches its ports may run code on its hosts"
    fix = "set RAY_AUTH_MODE=token on every host before Ray is started there (from Ray 2.52 on)"
    yield Finding("Ray", "note", detail, fix)


def _sandbox() -> Finding:
    """Where generated code can run: tasks whose answers are programs need it, no other task does."""
    kinds = sandbox.available()
    works = [name for name, can, _ in kinds if can]
    if works:
        return Finding("sandbox", "ok", f"{works[0]}, for generated code")
    why = "; ".join(f"{name}: {reason}" for name, _, reason in kinds)
    fix = "install bubblewrap, or allow user namespaces; --unsafe-exec runs generated code without a sandbox"
    return Finding("sandbox", "note", f"none works here ({why})", fix)


def _disk(name: str, folder: Path, wanted_gib: int) -> Finding:
    """Free space where ``folder`` is or would be, and whether it can be written."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        fix = "choose another folder (--output)" if name == "output" else "set HF_HOME to a folder that you can write"
        return Finding(f"disk ({name})", "problem", f"{place} cannot be written", fix)
    free = shutil.disk_usage(place).free / 2**30
    detail = f"{free:.1f} GiB free at {folder.absolute()}"
    if free < wanted_gib:
        serious = name == "output"
        fix = "make room, or choose another place: --output" if serious else "make room, or set HF_HOME"
        needs = f"; a full run needs up to {wanted_gib} GiB"
        return Finding(f"disk ({name})", "problem" if serious else "note", detail + needs, fix)
    return Finding(f"disk ({name})", "ok", detail)


def _hub() -> Finding:
    """Whether models and data can be downloaded."""
    local = "use local models and --data TASK=FILE, or what the cache has"
    if fault := environment.hub_fault():
        asked = local if environment.offline() else f"check the network, or try again later; {local}"
        return Finding("hub", "note", fault, asked)
    return Finding("hub", "ok", f"{os.environ.get('HF_ENDPOINT') or 'https://huggingface.co'} reachable")


def _prompts(cached: Mapping[str, bool]) -> Finding:
    place = user_cache_path("evalkit") / "prompts"
    missing = sorted(name for name, here in cached.items() if not here)
    if not missing:
        return Finding("prompts", "ok", f"all in {place}")
    detail = f"not yet in {place}: those of {', '.join(missing)}"
    return Finding("prompts", "note", detail, "evalkit fetch, or EVALKIT_MISTRAL_EVALS=<checkout of mistral-evals>")
