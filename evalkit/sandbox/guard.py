"""The inside of a sandbox: builds the walls, starts the untrusted program behind them, reports how it ended.

It runs in a process of its own, by a clean interpreter that has none of evalkit's modules, so it imports nothing of
evalkit, and of the standard library only what loads in no time (``signal`` and ``json`` would double its start).

Its code comes compiled through a pipe, together with its orders, so that it needs no file behind the walls and no time
to compile. It writes lines to another pipe: ``started``, ``ended STATUS CPU_SECONDS WALL_SECONDS``, ``error TEXT``.
"""

# ruff: noqa: PTH103, PTH108, PTH112, PTH118, PTH120, PTH123, PTH211 - importing pathlib takes longer than all walls

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
import time

TYPE_CHECKING = False
"""Type checkers take it for true; importing ``typing`` for it would take longer than all walls."""
if TYPE_CHECKING:
    from typing import TypedDict

    class Orders(TypedDict):
        """What the guard is told."""

        kind: str
        python: str
        binds: list[tuple[str, str]]
        links: list[tuple[str, str]]
        devices: list[str]
        shared: tuple[str, int]
        packages: list[str]
        folder: str
        environment: dict[str, str]
        uid: int
        """Id to run the program under, group likewise; 0 keeps one's own."""
        program: bytes
        cpu_s: int
        memory_bytes: int
        processes: int
        file_bytes: int


_LIBC = ctypes.CDLL(None, use_errno=True)
_LINUX = sys.platform.startswith("linux")

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_RDONLY, _NOSUID, _NODEV, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_PDEATHSIG, _DUMPABLE, _SECCOMP, _SUBREAPER, _NO_NEW_PRIVS = 1, 4, 22, 36, 38
_SIGINT, _SIGKILL = 2, 9
_INSIDE_ID = 1000
_NEW_ROOT = "/proc"
"""Where the new root is put together: it exists on every Linux, and nothing that a program may see lies in it."""
_OPEN_FILES = 256
_INODES = 8192

_START = """
def start():
    import os, sys
    descriptor, *packages = sys.argv[1:]
    with open(int(descriptor), "rb") as file:
        source = file.read()
    sys.path += packages
    sys.argv[:] = ["program.py"]
    del globals()["start"]
    exec(compile(source, "program.py", "exec", dont_inherit=True), globals())
start()
"""
"""Reads the program from a descriptor and closes it; leaves no name of its own in the program's module."""


def main(orders: Orders, status: int) -> None:
    """Carry out the orders and write to ``status`` how it went; never returns."""
    code = 1
    try:
        os.set_inheritable(status, False)
        _LIBC.signal(_SIGINT, None)
        if _LINUX:
            _die_with_parent()
        if orders["kind"] == "namespaces":
            _isolate(orders, status)
        else:
            _supervise(orders, status)
        code = 0
    except (OSError, ValueError) as error:
        _say(status, f"error {error}")
    finally:
        os._exit(code)


def _say(status: int, line: str) -> None:
    os.write(status, line.replace("\n", " ").encode() + b"\n")


def _check(what: str, outcome: int) -> None:
    if outcome < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(what: str, option: int, *arguments: int | ctypes.c_void_p) -> None:
    rest = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in (*arguments, 0, 0, 0, 0)[:4]]
    _check(what, _LIBC.prctl(option, *rest))


def _die_with_parent() -> None:
    _prctl("prctl(PR_SET_PDEATHSIG)", _PDEATHSIG, _SIGKILL)


def _isolate(orders: Orders, status: int) -> None:
    """Enter new namespaces, build the root, and leave the watching to the first process of the new pid namespace.

    When that process ends, by itself or killed, the kernel kills every other process of the namespace before its parent
    can collect it: once this function returns, nothing of the program is left.
    """
    _unshare(orders)
    _build_root(orders)
    child = os.fork()
    if child:
        # The program's pipes belong to the program and its guard; this process only waits.
        os.closerange(0, 3)
        os.waitpid(child, 0)
        return
    _die_with_parent()
    _supervise(orders, status)


def _unshare(orders: Orders) -> None:
    """New mount, network, process, IPC and host-name namespaces, with one's own user namespace where that is needed."""
    flags = _NEW_NS | _NEW_UTS | _NEW_IPC | _NEW_PID | _NEW_NET
    if orders["uid"] and _LIBC.unshare(flags) == 0:
        return
    uid, gid = os.getuid(), os.getgid()
    _check("unshare", _LIBC.unshare(flags | _NEW_USER))
    orders["uid"] = 0
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_INSIDE_ID} {uid} 1"),
        ("gid_map", f"{_INSIDE_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mount(source: str | None, place: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, place, kind)]
    _check(f"mount {place}", _LIBC.mount(*words, ctypes.c_ulong(flags), data.encode()))


def _read_only(place: str) -> None:
    """Make a mount and all under it read-only, deaf to set-user-id and without devices."""
    attributes = (ctypes.c_uint64 * 4)(_RDONLY | _NOSUID | _NODEV, 0, 0, 0)
    arguments = ctypes.c_char_p(place.encode()), ctypes.c_uint(_AT_RECURSIVE), attributes, ctypes.c_size_t(32)
    if _LIBC.syscall(ctypes.c_long(_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), *arguments) == 0:
        return
    if ctypes.get_errno() != errno.ENOSYS:
        _check(f"mount_setattr {place}", -1)
    # Before Linux 5.12 one mount at a time, keeping the flags that a user namespace must not clear.
    kept = os.statvfs(place).f_flag & 0x40F
    _mount(None, place, None, kept | _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _build_root(orders: Orders) -> None:
    """Make a root of nothing but what the orders name, and leave the old one for good."""
    os.umask(0o022)
    _mount(None, "/", None, _REC | _PRIVATE)
    _mount("tmpfs", _NEW_ROOT, "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    for target, place in orders["links"]:
        os.makedirs(os.path.dirname(_NEW_ROOT + place), exist_ok=True)
        os.symlink(target, _NEW_ROOT + place)
    for source, place in orders["binds"]:
        _bind(source, place)
        _read_only(_NEW_ROOT + place)
    for device in orders["devices"]:
        _bind(device, device)
    private = _NEW_ROOT + orders["folder"]
    os.makedirs(private)
    _mount("tmpfs", private, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={orders['file_bytes']},nr_inodes={_INODES}")
    place, size = orders["shared"]
    os.makedirs(_NEW_ROOT + place)
    _mount("tmpfs", _NEW_ROOT + place, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={size},nr_inodes=64")
    os.chdir(_NEW_ROOT)
    _check("pivot_root", _LIBC.pivot_root(b".", b"."))
    _check("umount2", _LIBC.umount2(b".", _DETACH))
    os.chdir("/")
    _mount(None, "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


def _bind(source: str, place: str) -> None:
    where = _NEW_ROOT + place
    if os.path.isdir(source):
        os.makedirs(where, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(where), exist_ok=True)
        os.close(os.open(where, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(source, where, None, _BIND | _REC)


def _supervise(orders: Orders, status: int) -> None:
    """Start the program, report its end, and collect what dies meanwhile.

    Without a pid namespace this adopts what the program leaves behind and waits for the last of it, so that evalkit
    finds them all.
    """
    if _LINUX:
        _prctl("prctl(PR_SET_DUMPABLE)", _DUMPABLE, 0)
        if orders["kind"] == "none":
            _prctl("prctl(PR_SET_CHILD_SUBREAPER)", _SUBREAPER, 1)
    source = _program_file(orders)
    began = time.monotonic()
    program = os.fork()
    if not program:
        _become(orders, source, status)
    os.close(source)
    _say(status, "started")
    while True:
        try:
            pid, how, used = os.wait4(-1, 0)
        except ChildProcessError:
            return
        if pid == program:
            _say(status, f"ended {how} {used.ru_utime + used.ru_stime:.3f} {time.monotonic() - began:.4f}")
            if orders["kind"] != "none":
                return


def _program_file(orders: Orders) -> int:
    """A descriptor of the program's text, in a file that has no name any more."""
    name = os.path.join(orders["folder"], "program.py")
    source = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(name)
    rest = memoryview(orders["program"])
    while rest:
        rest = rest[os.write(source, rest) :]
    os.lseek(source, 0, os.SEEK_SET)
    return source


def _become(orders: Orders, source: int, status: int) -> None:
    """Give up every right that is left and turn into the program's interpreter."""
    try:
        os.setsid()
        os.chdir(orders["folder"])
        low, high = sorted((source, status))
        for first, last in ((3, low), (low + 1, high), (high + 1, 2**16)):
            os.closerange(first, last)
        os.set_inheritable(source, True)
        _set_limits(orders)
        if orders["uid"]:
            os.setgroups([])
            os.setresgid(*[orders["uid"]] * 3)
            os.setresuid(*[orders["uid"]] * 3)
        if _LINUX:
            _give_up_rights(orders["kind"])
        command = [orders["python"], "-I", "-S", "-B", "-X", "utf8", "-c", _START, str(source), *orders["packages"]]
        os.execve(command[0], command, orders["environment"])  # noqa: S606 - it is what this is for
    except (OSError, ValueError) as error:
        _say(status, f"error {error}")
    finally:
        os._exit(127)


def _set_limits(orders: Orders) -> None:
    wanted = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, orders["cpu_s"]),
        (resource.RLIMIT_FSIZE, orders["file_bytes"]),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_AS, orders["memory_bytes"]),
        # An ordinary user's count includes the guard and the process above it.
        (resource.RLIMIT_NPROC, orders["processes"] + (0 if orders["uid"] else 2)),
    ]
    for which, most in wanted:
        _, hard = resource.getrlimit(which)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(which, (value, value))
        except (OSError, ValueError):
            # macOS refuses some of them; it has no walls either, which evalkit has said by then.
            if _LINUX:
                raise


def _give_up_rights(kind: str) -> None:
    """No capability, none to be had by running a set-user-id program, and a filter on system calls."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if kind != "none":
        _check("capset", _LIBC.capset(header, (ctypes.c_uint32 * 6)()))
    _prctl("prctl(PR_SET_NO_NEW_PRIVS)", _NO_NEW_PRIVS, 1)
    _filter_calls()


# Calls that no plain program makes: new namespaces and mounts, which would give memory and folders without a limit;
# memory that belongs to no process (memfd_create, shmget, msgget, semget, mq_open); keyrings; other processes' memory;
# the parts of the kernel with the longest record of faults (bpf, io_uring, perf, userfaultfd); and socket, so that even
# without a network namespace there is no network (socketpair stays: asyncio needs it).
_CALLS = {
    "x86_64": (0xC000003E, 56, (
        272, 308, 101, 165, 166, 155, 161, 319, 29, 68, 64, 240, 248, 249, 250, 321, 298, 323, 310, 311, 41,
    )),
    "aarch64": (0xC00000B7, 220, (
        97, 268, 117, 40, 39, 41, 51, 279, 194, 186, 190, 180, 217, 218, 219, 280, 241, 282, 270, 271, 198,
    )),
}  # fmt: skip
_CALLS_ANYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442, 447)
"""io_uring_*, open_tree, move_mount, fs*, pidfd_getfd, mount_setattr, memfd_secret: one number on every machine."""
_CLONE3 = 435
_NAMESPACES = 0x7E020000
"""Flags of clone that ask for a new namespace."""


def _filter_calls() -> None:
    """Refuse the calls above; on a processor whose numbers are not listed there is no filter."""
    machine = os.uname().machine
    if machine not in _CALLS:
        return
    architecture, clone, own = _CALLS[machine]
    steps = _steps(architecture, clone, [*own, *_CALLS_ANYWHERE])
    words = b"".join(
        code.to_bytes(2, sys.byteorder) + bytes((yes, no)) + operand.to_bytes(4, sys.byteorder)
        for code, yes, no, operand in steps
    )
    text = ctypes.create_string_buffer(words, len(words))
    filters = _Filter(len(steps), ctypes.addressof(text))
    _prctl("prctl(PR_SET_SECCOMP)", _SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(filters)))


class _Filter(ctypes.Structure):
    """``struct sock_fprog`` of the kernel."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


def _steps(architecture: int, clone: int, denied: list[int]) -> list[tuple[int, int, int, int]]:
    """The filter as (operation, steps to skip if true, steps to skip if false, operand), as seccomp(2) describes it."""
    load, equal, at_least, any_bit, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    following = -1
    allow = 8 + len(denied)
    absent, refuse, kill = allow + 1, allow + 2, allow + 3
    # (operation, operand, step if true, step if false); the call's number lies at 0, the processor at 4, flags at 16.
    plan = [
        (load, 4, following, following),
        (equal, architecture, following, kill),
        (load, 0, following, following),
        (at_least, 0x40000000, absent, following),  # x86_64 has a second set of numbers for the same calls
        (equal, _CLONE3, absent, following),  # a filter cannot see its flags; libc then takes clone
        *((equal, call, refuse, following) for call in denied),
        (equal, clone, following, allow),
        (load, 16, following, following),
        (any_bit, _NAMESPACES, refuse, allow),
    ]
    answers = [0x7FFF0000, 0x50000 | errno.ENOSYS, 0x50000 | errno.EPERM, 0x80000000]

    def skip(here: int, step: int) -> int:
        return 0 if step == following else step - here - 1

    jumps = [(code, skip(here, yes), skip(here, no), operand) for here, (code, operand, yes, no) in enumerate(plan)]
    return [*jumps, *((answer, 0, 0, word) for word in answers)]
