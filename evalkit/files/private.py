"""Folders and files that their owner alone may read: answers, samples, logs and configs are nobody else's business.

Whatever the umask says. A folder that was there before keeps its own mode; what evalkit puts into it does not need it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from evalkit.base.errors import unwritable

ANOTHER_OUTPUT: Final = "choose another --output, then run the same command again"
_FOLDER, _FILE = 0o700, 0o600


def folder(path: Path) -> None:
    """Make a folder, and those above it that are missing.

    Raises:
        OSError: It cannot be made, or something else has its name.
    """
    if not path.is_dir():
        folder(path.parent)
        path.mkdir(mode=_FOLDER, exist_ok=True)


def own(path: Path) -> None:
    """The same for a folder that is evalkit's alone, also where an earlier evalkit has made it for everybody.

    Raises:
        OSError: It cannot be made, or is another user's.
    """
    folder(path)
    path.chmod(_FOLDER)


def descriptor(path: Path, flags: int) -> int:
    """A file opened to be written, made where it is missing; an older one of evalkit's own becomes private too.

    Raises:
        OSError: It cannot be opened.
    """
    found = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _FILE)
    try:
        os.fchmod(found, _FILE)
    except PermissionError:
        pass  # another user's file that may be written: its mode is theirs
    except BaseException:
        os.close(found)
        raise
    return found


def opener(path: str, flags: int) -> int:
    """For ``open(..., opener=...)``."""
    return descriptor(Path(path), flags)


def write(path: Path, text: str) -> None:
    """Write a text whole, and the folders above it: a reader sees the old one or the new one, never half of one.

    Raises:
        OutputError: It cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        folder(path.parent)
        with open(unfinished, "w", encoding="utf-8", errors="backslashreplace", opener=opener) as stream:
            stream.write(text)
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error, ANOTHER_OUTPUT) from error
