"""The kinds of sandbox, which of them work on this machine, and the one to use.

====================  =======================  =======================  =============================================
what is kept          bubblewrap               namespaces               none (``--unsafe-exec``)
====================  =======================  =======================  =============================================
network               no interface, no socket  no interface, no socket  no socket (Linux on x86_64 or aarch64)
files of the machine  not there                not there                all that the user may read or write
other processes       not there                not there                may be seen and signalled
CPU, file, output     yes                      yes                      yes
memory of the tree    yes                      yes                      yes
number of processes   refused by the system    refused by the system    refused by the system; root: killed when seen
room in the folder    yes                      yes, files counted too   no: only the size of each file
end of the tree       by the kernel            by the kernel            by search, on macOS not of runaways
====================  =======================  =======================  =============================================

As root a program runs under an unused user id, one per run, so that the limit on processes counts it alone; as an
ordinary user within one's own user namespace, which is counted alone from Linux 5.14 on (before, all processes of the
user count, so that a program may find itself unable to start any). Root of a container that has no other user id gets a
user namespace as well; there the system may refuse no process, and too many are killed when seen.
"""

from __future__ import annotations

import itertools
import marshal
import math
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import SandboxError
from evalkit.files.scratch import Scratch
from evalkit.sandbox.limits import Ended, Limits, Sandbox
from evalkit.sandbox.view import DEVICES, SHARED, View, python, sites, view
from evalkit.sandbox.watch import Watch

if TYPE_CHECKING:
    from types import CodeType

    from evalkit.sandbox.guard import Orders

_FOLDER: Final = "/tmp"  # noqa: S108 - the program's own, on a file system of its own
_RUN_GUARD: Final = """
import marshal, sys
control, status = map(int, sys.argv[1:])
with open(control, "rb") as file:
    code, orders = marshal.load(file)
guard = {"__name__": "guard"}
exec(code, guard)
guard["main"](orders, status)
"""
"""``marshal``: sender and reader are the same interpreter, and the program does not exist yet."""
_FIX: Final = "install bubblewrap, or allow user namespaces, or pass --unsafe-exec to run generated code without walls"
_PROBE: Final = Limits(wall_s=30, cpu_s=30)
_runs: Final = itertools.count()


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Walls of the kernel's namespaces, built by evalkit itself."""

    name: str = "namespaces"

    def run(self, program: bytes, stdin: bytes, limits: Limits) -> Ended:
        """See `Sandbox.run`."""
        _only_linux()
        seen = view()
        orders = _orders(self.name, program, limits, seen, uid=_unused_id())
        return Watch(limits, walls=True).run(lambda *pipes: _guard(seen.python, *pipes), orders, stdin)


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """The same walls, built by ``bwrap``, which some systems allow where they allow no other program."""

    name: str = "bubblewrap"

    def run(self, program: bytes, stdin: bytes, limits: Limits) -> Ended:
        """See `Sandbox.run`."""
        _only_linux()
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise SandboxError("bubblewrap is not installed", fix=_FIX)
        seen = view()
        uid = _unused_id()
        orders = _orders(self.name, program, limits, seen, uid=uid)
        walls = [bwrap, *_walls(seen, limits, uid)]
        return Watch(limits, walls=True).run(
            lambda *pipes: [
                *walls,
                "--remount-ro",
                "/",
                "--",
                *_guard(seen.python, *pipes),
            ],
            orders,
            stdin,
        )


@dataclass(frozen=True, slots=True)
class Unprotected:
    """No walls: limits, a clean interpreter and a folder of its own, for ``--unsafe-exec``."""

    name: str = "none"

    def run(self, program: bytes, stdin: bytes, limits: Limits) -> Ended:
        """See `Sandbox.run`."""
        seen = View(python=python(), binds=(), links=(), packages=tuple(sites()))
        with Scratch() as folder:
            orders = _orders(self.name, program, limits, seen, folder=folder)
            return Watch(limits, walls=False).run(lambda *pipes: _guard(seen.python, *pipes), orders, stdin)


PROTECTED: Final[tuple[Sandbox, ...]] = (Bubblewrap(), Namespaces())
"""The kinds with walls, best first."""


def find(*, unsafe: bool = False) -> Sandbox:
    """The best kind that works here; the one without walls only with ``unsafe``, and only where no other works.

    Raises:
        SandboxError: No kind with walls works here, and ``unsafe`` was not given.
    """
    reasons = []
    for kind in PROTECTED:
        reason = _why_not(kind)
        if not reason:
            return kind
        reasons.append(f"{kind.name}: {reason}")
    if unsafe:
        return Unprotected()
    raise SandboxError(f"generated code cannot be run safely on this machine ({'; '.join(reasons)})", fix=_FIX)


def available() -> list[tuple[str, bool, str]]:
    """Each kind with walls: its name, whether it works here, and why not."""
    return [(kind.name, not reason, reason) for kind in PROTECTED for reason in [_why_not(kind)]]


def _why_not(kind: Sandbox) -> str:
    """Empty when a small program runs as it should; whether a kind is installed or allowed says too little."""
    try:
        ended = kind.run(b"print(input())", b"walls", _PROBE)
    except SandboxError as error:
        return error.message
    if (ended.returncode, ended.output) == (0, b"walls\n"):
        return ""
    tail = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return f"a program of one line failed ({ended.killed_by or ' '.join(tail) or ended.returncode})"


def _only_linux() -> None:
    if sys.platform != "linux":
        raise SandboxError(f"there are no namespaces on {sys.platform}", fix=_FIX)


def _guard(interpreter: str, control: int, status: int) -> list[str]:
    return [interpreter, "-I", "-S", "-B", "-c", _RUN_GUARD, str(control), str(status)]


@cache
def _guard_code() -> CodeType:
    source = Path(__file__).with_name("guard.py")
    return compile(source.read_bytes(), source.name, "exec", dont_inherit=True)


def _orders(kind: str, program: bytes, limits: Limits, seen: View, *, folder: str = _FOLDER, uid: int = 0) -> bytes:
    orders: Orders = {
        "kind": kind,
        "python": seen.python,
        "binds": list(seen.binds),
        "links": list(seen.links),
        "devices": list(DEVICES),
        "shared": SHARED,
        "packages": list(seen.packages),
        "folder": folder,
        "environment": _environment(folder),
        "uid": uid,
        "program": program,
        "cpu_s": math.ceil(limits.cpu_s),
        "memory_bytes": limits.memory_bytes,
        "processes": limits.processes,
        "file_bytes": limits.file_bytes,
    }
    return marshal.dumps((_guard_code(), dict(orders)))


def _environment(folder: str) -> dict[str, str]:
    """All variables of a program. Libraries of linear algebra would start a thread per core, which the limit counts."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {"HOME": folder, "TMPDIR": folder, "LC_ALL": "C.UTF-8", **threads}


def _unused_id() -> int:
    """For root a user id that no account and no other run has, 0 for others and where no such id can be had."""
    if os.geteuid() != 0:
        return 0
    spans = [_span(Path(f"/proc/self/{name}_map")) for name in ("uid", "gid")]
    number = os.getpid() * 2**7 + next(_runs) % 2**7
    if min(spans) > 2**31:
        return int(2**30 + number % 2**29)
    # In a container with few ids: those that systemd keeps for services started for a moment.
    return int(61184 + number % 4336) if min(spans) > 65520 else 0


def _span(table: Path) -> int:
    """Ids from 0 up that this user namespace has."""
    first, _, count = table.read_text(encoding="ascii").splitlines()[0].split()
    return int(count) if first == "0" else 0


def _walls(seen: View, limits: Limits, uid: int) -> list[str]:
    """Options of ``bwrap`` for the same view that the guard builds for itself."""
    options = ["--unshare-ipc", "--unshare-net", "--unshare-pid", "--unshare-uts", "--die-with-parent", "--as-pid-1"]
    if uid:
        # The guard needs them to become the unused user; the program has none.
        options += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        options += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    for target, place in seen.links:
        options += ["--symlink", target, place]
    places = [*DEVICES, SHARED[0], *(place for _, place in seen.binds)]
    parents = {str(parent) for place in places for parent in Path(place).parents}
    for parent in sorted(parents - {"/"}):
        # Left to itself, bwrap makes folders that only root may enter.
        options += ["--perms", "0755", "--dir", parent]
    for source, place in seen.binds:
        options += ["--ro-bind", source, place]
    for device in DEVICES:
        options += ["--dev-bind", device, device]
    for place, size in (SHARED, (_FOLDER, limits.file_bytes)):
        options += ["--perms", "1777", "--size", str(size), "--tmpfs", place]
    return options
