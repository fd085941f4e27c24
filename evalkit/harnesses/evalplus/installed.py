"""The evalplus that is installed beside evalkit: which one it must be, and where its files are."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from evalkit.base.errors import InfrastructureError

VERSION: Final = "0.3.1"
"""The one whose texts are those of the published commands."""
INSTALL: Final = f"install it beside evalkit: pip install evalplus=={VERSION}"


def release() -> str:
    """The version that is installed.

    Raises:
        InfrastructureError: There is none.
    """
    try:
        return version("evalplus")
    except PackageNotFoundError as error:
        raise InfrastructureError("evalplus is not installed", fix=INSTALL) from error


def source(*parts: str) -> str:
    """The text of one of its files, found without importing any of them.

    Raises:
        InfrastructureError: It is not there.
    """
    spec = find_spec("evalplus")
    places = list((spec and spec.submodule_search_locations) or ())
    if not places:
        raise InfrastructureError("evalplus is not installed", fix=INSTALL)
    file = Path(places[0], *parts)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InfrastructureError(f"{file}: {error.strerror}, so this is another evalplus", fix=INSTALL) from error


def unusable(error: ImportError) -> InfrastructureError:
    """What to raise where a part of it cannot be imported."""
    return InfrastructureError(f"evalplus cannot be imported ({error})", fix=INSTALL)
