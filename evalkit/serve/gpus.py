"""The NVIDIA GPUs of this machine, as ``nvidia-smi`` tells."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_FIELDS = "index,uuid,name,memory.total,memory.used,memory.free,driver_version"
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU and its memory now."""

    index: int
    uuid: str
    name: str
    total_mib: int
    used_mib: int
    free_mib: int
    driver: str


def gpus(visible: str | None = None) -> tuple[Gpu, ...]:
    """Every GPU that this process may use; none when there is no NVIDIA driver, or when it does not answer.

    ``CUDA_VISIBLE_DEVICES`` is honoured, as vLLM honours it: indices, or (starts of) UUIDs. ``visible`` stands in the
    place of this process's own.
    """
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    try:
        said = subprocess.run(
            [command, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = [_gpu(row) for row in csv.reader(said.splitlines(), skipinitialspace=True)]
    return _visible(
        [gpu for gpu in found if gpu is not None],
        os.environ.get("CUDA_VISIBLE_DEVICES") if visible is None else visible,
    )


def power(uuids: Collection[str]) -> tuple[float, int] | None:
    """Watts and MiB that some GPUs take now, all together; None where ``nvidia-smi`` does not tell it of all."""
    command = shutil.which("nvidia-smi")
    if command is None or not uuids:
        return None
    try:
        said = subprocess.run(
            [command, "--query-gpu=uuid,power.draw,memory.used", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        ).stdout
        found = {uuid: (float(watts), int(mib)) for uuid, watts, mib in _rows(said) if uuid in uuids}
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if len(found) != len(set(uuids)):
        return None
    return sum(watts for watts, _ in found.values()), sum(mib for _, mib in found.values())


def _rows(said: str) -> list[list[str]]:
    return [[field.strip() for field in row] for row in csv.reader(said.splitlines(), skipinitialspace=True)]


def _gpu(row: list[str]) -> Gpu | None:
    """A line of the answer; None when a field has no value, as the memory of a GPU that is split into slices."""
    try:
        index, uuid, name, total, used, free, driver = (field.strip() for field in row)
        return Gpu(int(index), uuid, name, int(total), int(used), int(free), driver)
    except ValueError:
        return None


def _visible(found: list[Gpu], wanted: str | None) -> tuple[Gpu, ...]:
    if wanted is None:
        return tuple(found)
    chosen = []
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        match = [gpu for gpu in found if (str(gpu.index) == name if name.isdigit() else gpu.uuid.startswith(name))]
        if not match:
            break  # CUDA, too, ignores what follows a name that it does not know.
        chosen += match[:1]
    return tuple(chosen)
