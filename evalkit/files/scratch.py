"""Temporary folders that a killed evalkit leaves to the next one to remove.

Each is locked as long as it is used. The system gives a lock back however its holder ends, so a folder that can be
locked belongs to nobody any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Final

_PREFIX: Final = "evalkit-scratch-"
_YOUNG_S: Final = 2.0
"""Between its making and its lock a folder belongs to somebody as well."""


class Scratch(TemporaryDirectory[str]):
    """A temporary folder, as a context manager or until ``cleanup``; ``name`` is its path."""

    def __init__(self, folder: Path | None = None) -> None:
        """Make it in ``folder``, the system's for such folders by default, and hold it."""
        super().__init__(prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True)
        self._lock = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def cleanup(self) -> None:
        """Remove it."""
        super().cleanup()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def sweep(folder: Path | None = None) -> None:
    """Remove the folders of this user in ``folder`` that nobody holds any more; what cannot be removed is left."""
    for path in (folder or Path(gettempdir())).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            _remove_unheld(path)


def _remove_unheld(path: Path) -> None:
    found = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        seen = os.fstat(found)
        if seen.st_uid != os.getuid() or not stat.S_ISDIR(seen.st_mode) or time.time() - seen.st_ctime < _YOUNG_S:
            return
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(found)
