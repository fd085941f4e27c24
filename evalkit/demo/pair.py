"""The random pair, made on the spot by the interpreter that will serve it, and kept for the next time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import evalkit
from evalkit.errors import InfrastructureError

SEED = 1
_DEADLINE_S = 900.0


def made(folder: Path, python: str = "") -> tuple[Path, Path]:
    """Folders of the baseline and of its rounding to 8 bits; made when they are not there yet.

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
    with TemporaryDirectory(dir=folder, prefix="making-") as scratch:
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
        with TemporaryDirectory() as alone:
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
