"""One maker at a time for each environment: a file lock, which ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from evalkit.base.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def locked(home: Path, name: str, waits: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of an environment; ``waits`` hears once who holds it where that is another.

    Raises:
        InfrastructureError: The folder cannot be written, or knows no locks.
    """
    file = _opened(home, name)
    try:
        if not _taken(home, file):
            waits(os.pread(file, 32, 0).decode(errors="replace").strip() or "?")
            fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(OSError):
            # For those who wait; that a number stands here says nothing by itself.
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)


def free(home: Path, name: str) -> bool:
    """Whether nobody holds the lock of an environment now."""
    file = _opened(home, name)
    try:
        return _taken(home, file)
    finally:
        os.close(file)


def unwritable(home: Path, error: OSError) -> InfrastructureError:
    """The error of a folder that does not take what is written into it."""
    return InfrastructureError(
        f"{home}: cannot be written ({error.strerror})", fix="make room, or set XDG_CACHE_HOME to a folder that can be"
    )


def _taken(home: Path, file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unwritable(home, error) from error
    return True


def _opened(home: Path, name: str) -> int:
    try:
        (home / ".locks").mkdir(parents=True, exist_ok=True)
        return os.open(home / ".locks" / name, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise unwritable(home, error) from error
