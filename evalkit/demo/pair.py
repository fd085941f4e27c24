"""The two models of the demo: the trained pair of the package, and a random pair, made on the spot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import evalkit
from evalkit.base.errors import InfrastructureError
from evalkit.files.scratch import Scratch, sweep

MODELS = Path(__file__).parent / "models"
"""Where the package holds the trained pair."""
BASELINE, QUANTIZED, SUMS = "baseline", "w8a8", "SHA256SUMS"
"""Names of the two folders and of the list of checksums in `MODELS`."""

SEED = 1
_DEADLINE_S = 900.0


def trained(models: Path = MODELS) -> tuple[Path, Path]:
    """Folders of the trained baseline and of its W8A8 quantization, whole and unchanged.

    Args:
        models: Folder that holds both, with their checksums.

    Raises:
        InfrastructureError: A file is missing or is not the one that was packed.
    """
    if not (models / SUMS).is_file():
        raise InfrastructureError("the trained pair is not in this installation", fix="install evalkit again")
    for line in (models / SUMS).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        if not (models / name).is_file() or digest(models / name) != expected:
            raise InfrastructureError(f"the trained pair: {name} is missing or damaged", fix="install evalkit again")
    return models / BASELINE, models / QUANTIZED


def digest(file: Path) -> str:
    """The file's sha256, in hexadecimal."""
    return sha256(file.read_bytes()).hexdigest()


def made(folder: Path, python: str = "") -> tuple[Path, Path]:
    """Folders of the random baseline and of its rounding to 8 bits; made when they are not there yet.

    Args:
        folder: Where the two folders are, or will be.
        python: Interpreter that has vLLM; empty for this one.

    Raises:
        InfrastructureError: The interpreter cannot make them.
    """
    pair = folder / "random-bf16", folder / "random-int8"
    if all(path.is_dir() for path in pair):
        return pair
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    with Scratch(folder) as scratch:
        fresh = [Path(scratch, path.name) for path in pair]
        _run(python or sys.executable, fresh[0], fresh[1])
        for source, path in zip(fresh, pair, strict=True):
            shutil.rmtree(path, ignore_errors=True)
            source.rename(path)
    return pair


def _run(python: str, baseline: Path, candidate: Path) -> None:
    words = [python, "-m", "evalkit.demo.tiny", str(baseline.resolve()), "--seed", str(SEED)]
    words += ["--int8", str(candidate.resolve())]
    try:
        with Scratch() as alone:
            # The serving interpreter may lack evalkit; this part needs nothing that vLLM does not bring. Only the
            # package is shown to it: what else is installed beside evalkit belongs to another interpreter.
            Path(alone, "evalkit").symlink_to(Path(evalkit.__file__).resolve().parent)
            env = {**os.environ, "PYTHONPATH": os.pathsep.join([alone, *_python_path()])}
            done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"the random pair could not be made: {error}", fix="check --vllm-python") from error
    if done.returncode:
        raise InfrastructureError(
            f"the random pair could not be made: {python} left with {done.returncode}",
            fix="`evalkit doctor` says whether that interpreter has vLLM",
            evidence="\n".join(done.stderr.splitlines()[-20:]),
        )


def _python_path() -> list[str]:
    return [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
