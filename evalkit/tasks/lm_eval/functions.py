"""Functions that lm-eval's task files name: which module has one, also where another file comes to name it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json

FUNCTION: Final = "!function"
"""How a text begins that stands for a function."""


def placed(value: Json, folder: Path) -> Json:
    """A value of a file in ``folder``, in which each function whose module lies beside the file says so.

    ``!function utils.f`` becomes ``!function utils.f FOLDER``; a function of a package that can be imported stays.
    """
    if isinstance(value, dict):
        return {key: placed(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [placed(one, folder) for one in value]
    if not isinstance(value, str) or not value.startswith(f"{FUNCTION} ") or folder_of(value):
        return value
    module, _, _ = value.removeprefix(f"{FUNCTION} ").rpartition(".")
    beside = module and (folder / f"{module.replace('.', '/')}.py").is_file()
    return f"{value} {folder}" if beside else value


def folder_of(text: str) -> Path | None:
    """The folder that `placed` has named behind a function."""
    _, _, place = text.removeprefix(f"{FUNCTION} ").partition(" ")
    return Path(place) if text.startswith(FUNCTION) and place else None


def texts(value: Json) -> Iterator[str]:
    """Every function in a value."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)
    elif isinstance(value, str) and value.startswith(FUNCTION):
        yield value


def unplaced(value: Json) -> Json:
    """A value without the folders of its functions, as its file has it."""
    if isinstance(value, dict):
        return {key: unplaced(one) for key, one in value.items()}
    if isinstance(value, list):
        return [unplaced(one) for one in value]
    return " ".join(value.split(" ")[:2]) if isinstance(value, str) and folder_of(value) else value
