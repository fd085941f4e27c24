"""The folders of keepers on a host: each is held as long as its keeper lives, and its server's note lies in it.

A lock is given back however its holder ends. A folder that can be locked belongs to a keeper that is gone, and what its
notes name is ended by the next keeper that comes to the host.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING
from uuid import uuid4

from evalkit.files import private
from evalkit.processes.orphans import clear_orphans

if TYPE_CHECKING:
    from collections.abc import Callable


def home() -> Path:
    """Where the folders of this user's keepers are on this host."""
    return Path(gettempdir()) / f"evalkit-keepers-{os.getuid()}"


class HeldFolder:
    """A keeper's own folder, until ``remove`` or the end of its process."""

    def __init__(self) -> None:
        """Make and hold it.

        Raises:
            OSError: The host's folder for temporary files cannot be written, or the place is another user's.
        """
        private.own(home())
        with _locked(home()):
            self.path = home() / uuid4().hex
            private.folder(self.path)
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Give it back."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def clear(tell: Callable[[str], None]) -> None:
    """End the servers that keepers left behind on this host, and remove their folders.

    Raises:
        InfrastructureError: One of them lives even after SIGKILL.
        OSError: The folder for temporary files cannot be written.
    """
    private.own(home())
    with _locked(home()):
        for path in sorted(home().iterdir()):
            with suppress(OSError), _locked(path, fcntl.LOCK_NB):
                clear_orphans(path, tell)
                shutil.rmtree(path, ignore_errors=True)


class _locked:  # noqa: N801 - reads as what it is, a block
    """A block in which nobody else has the lock of a folder."""

    def __init__(self, folder: Path, how: int = 0) -> None:
        self._folder, self._how, self._lock = folder, how, -1

    def __enter__(self) -> None:
        self._lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | self._how)
        except OSError:
            os.close(self._lock)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)
