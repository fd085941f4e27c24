"""What a program sees of this machine: the interpreter, its libraries, packages and time zones, all read-only.

Nothing else of the file system exists inside: no ``/home``, ``/root``, ``/tmp``, ``/proc``, ``/sys``, ``/usr/bin``. The
installed packages appear at ``/packages/N``, so that a virtual environment in the user's home shows nothing around it.
An interpreter that itself lives in the user's home keeps its path, in otherwise empty folders: it finds its library
by it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_LIBRARIES: Final = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store")
_FILES: Final = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")
"""Where the loader finds libraries (Debian's BLAS is reached through ``/etc/alternatives``), and what time it is."""
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SHARED: Final = ("/dev/shm", 2**20)  # noqa: S108 - the C library keeps named semaphores there and nowhere else
"""An empty folder of its own, and its bytes: enough for the semaphores that ``multiprocessing`` makes for its locks."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown inside, besides the devices and the private folder."""

    python: str
    """The interpreter, free of symbolic links."""
    binds: tuple[tuple[str, str], ...]
    """Read-only: (path on this machine, path inside)."""
    links: tuple[tuple[str, str], ...]
    """Symbolic links: (what it says, path inside)."""
    packages: tuple[str, ...]
    """Folders of installed packages, as seen inside."""


def python() -> str:
    """The interpreter under the virtual environment: it needs no ``pyvenv.cfg`` to find its library."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def sites() -> list[str]:
    """Folders of installed packages of this process, in the order of its search path."""
    found = [Path(entry) for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}]
    return [str(path.resolve()) for path in found if path.is_dir()]


@cache
def view() -> View:
    """What programs see on this machine."""
    exe = Path(python())
    links, binds = [], []
    for path in map(Path, _LIBRARIES):
        if path.is_symlink():
            links.append((str(path.readlink()), str(path)))
        elif path.is_dir():
            binds.append(path)
    prefixes = {exe.parent.parent, Path(sys.base_prefix).resolve(), Path(sys.base_exec_prefix).resolve()}
    homes = [prefix / name for prefix in sorted(prefixes) for name in ("lib", "lib64")]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    homes = [path for path in homes if (path / version).is_dir() and not path.is_symlink()]
    zones = [path for path in (sysconfig.get_config_var("TZPATH") or "").split(os.pathsep) if path]
    for path in [*homes, Path(sysconfig.get_path("stdlib")).resolve(), exe, *map(Path, (*_FILES, *zones))]:
        if path.exists() and not any(
            path.is_relative_to(seen) for seen in [*binds, *(Path(link) for _, link in links)]
        ):
            binds.append(path)
    packages = [(site, f"/packages/{number}") for number, site in enumerate(sites())]
    return View(
        python=str(exe),
        binds=(*((str(path), str(path)) for path in binds), *packages),
        links=tuple(links),
        packages=tuple(place for _, place in packages),
    )
