"""The code that is at work: evalkit's own and that of the libraries that read rows and pictures and compare texts."""

from __future__ import annotations

import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_LIBRARIES: Final = ("evalkit", "pillow", "pyarrow", "jinja2", "rapidfuzz", "google-re2")


@cache
def state() -> str:
    """A digest that is another one as soon as evalkit's code, or the release of Python or of a library, is another."""
    return of(Path(__file__).parent.parent)


def of(root: Path) -> str:
    """The same with the code in a folder.

    Files count by what they say: where archives or images are unpacked, all of them may have one time of change.
    """
    found = sha256(f"python {sys.version}\n".encode())  # what counts as a letter is Python's to say
    for name in _LIBRARIES:
        try:
            found.update(f"{name} {version(name)}\n".encode())
        except PackageNotFoundError:
            found.update(f"{name}\n".encode())
    for path in sorted(root.rglob("*.py")):
        found.update(f"{path.relative_to(root)} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()
