"""Where the data that evalkit brings along is: in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path

from evalkit.base.errors import InfrastructureError

_PACKAGE = Path(__file__).resolve().parent.parent


def tasks() -> Path:
    """The folder of the built-in tasks and suites."""
    return _folder("tasks")


def reports() -> Path:
    """The folder of the report's templates and styles."""
    return _folder("reports")


def _folder(name: str) -> Path:
    """The wheel's copy where there is one: a folder beside an installed package could be anybody's."""
    inside, beside = _PACKAGE / "resources" / name, _PACKAGE.parent / name
    if inside.is_dir():
        return inside
    if beside.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return beside
    raise InfrastructureError(f"the folder '{name}' is missing from {_PACKAGE}", fix="install evalkit again")
