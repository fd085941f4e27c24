"""One cell of an image column, in every form that data sets have it; the same for parquet, JSON lines and the viewer.

An image is its bytes, their Base64 (alone or as a ``data:`` address), a path beside the data, or the stored form of
Hugging Face ``datasets``: ``{"bytes": any of the former or null, "path": a path or null}``.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from evalkit.base.types import Json

_DATA: Final = re.compile(r"data:[\w.+/-]*(?:;[\w.=+-]+)*;base64,", re.ASCII | re.IGNORECASE)
_FORMS: Final = "write an image as a path relative to the data, as Base64, or as {'bytes': ..., 'path': ...}"
_LONGEST_PATH: Final = 4096
_LONGEST_NAME: Final = 255
"""Bytes of a path and of a name in it that Linux and macOS take."""
_PEEKED: Final = 64
_STARTS: Final = re.compile(
    rb"\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP|....ftyp"
    rb"|\0\0\0\x0cjP  |\xff\x4f\xff\x51|\0\0[\x01\x02]\0|P[1-6]\s|\n[\0-\x05]\x01",
    re.DOTALL,
)
"""How files of images begin. Only a text that spells one of these is taken for an image in place of a path."""


def image(cell: Json, folder: Path, where: str) -> dict[str, Json] | None:
    """The stored form of a cell, ``{"bytes": ..., "path": ...}``; None where there is no image.

    Args:
        cell: What the file has in the column.
        folder: Where paths count from; nothing outside of it is read.
        where: The cell's place, for messages.

    Raises:
        DataError: It is no image in any known form, or its file is not there or lies outside.
    """
    found = located(cell, folder, where)
    if not isinstance(found, Path):
        return None if found is None else {"bytes": found, "path": cell.get("path") if isinstance(cell, dict) else None}
    try:
        return {"bytes": found.read_bytes(), "path": cell if isinstance(cell, str) else cell["path"]}
    except OSError as error:
        raise DataError(f"{where}: image {shown(found.name)}: {error.strerror}", fix="make it readable") from error


def text(cell: Json) -> Json:
    """A cell of another column, with text where it was kept as bytes in UTF-8; other bytes stay, and are no text."""
    if isinstance(cell, list):
        return [text(one) for one in cell]
    if not isinstance(cell, bytes):
        return cell
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell


def located(cell: Json, folder: Path, where: str) -> bytes | Path | None:
    """The bytes of a cell, or the file that has them; that file is not read.

    Raises:
        DataError: As for `image`.
    """
    if isinstance(cell, Mapping):
        if not cell.keys() & {"bytes", "path"}:
            raise _unknown(cell, where)
        stored = cell.get("bytes")
        if isinstance(stored, str) and stored:
            return _decoded(stored, where)
        if stored in (b"", "") and not _names_a_file(cell.get("path"), folder):
            # Bytes that are there and empty are one row's fault; a path alone says where all pictures should be.
            return None
        cell = stored or cell.get("path")
    if cell is None or cell in ("", b""):
        return None
    return _named(cell, folder, where) if isinstance(cell, str) else _raw(cell, where)


def _named(text: str, folder: Path, where: str) -> bytes | Path:
    """What a text stands for: a file before Base64, which begins like a path (``/9j/`` of a JPEG)."""
    if _DATA.match(text):
        return _decoded(text, where)
    found = _beside(folder, text)
    if found is None and _spells_an_image(text):
        return _decoded(text, where)
    return _there(found, folder, text, where)


def _names_a_file(path: Json, folder: Path) -> bool:
    """Whether the path beside empty bytes leads to a picture that may be read."""
    found = _beside(folder, path) if isinstance(path, str) and path else None
    return found is not None and found.is_relative_to(folder.resolve())


def _raw(cell: Json, where: str) -> bytes:
    """Bytes, or the list of their values that a table of numbers has."""
    if isinstance(cell, bytes | bytearray | memoryview):
        return bytes(cell)
    if isinstance(cell, list) and cell and all(type(one) is int and 0 <= one < 256 for one in cell):
        return bytes(cell)
    raise _unknown(cell, where)


def _spells_an_image(text: str) -> bool:
    """Whether a text is the Base64 of a file that begins as images do; its beginning says so."""
    begin = "".join(text[: 2 * _PEEKED].split())[:_PEEKED]
    begin = begin[: len(begin) // 4 * 4]
    try:
        return bool(begin) and bool(_STARTS.match(b64decode(begin.translate(_URL_SAFE), validate=True)))
    except ValueError:
        return False


_URL_SAFE: Final = str.maketrans("-_", "+/")


def _decoded(text: str, where: str) -> bytes:
    """The bytes of Base64, with or without the ``data:`` in front, line breaks, padding and the signs of URLs."""
    written = "".join(_DATA.sub("", text, count=1).split()).translate(_URL_SAFE).rstrip("=")
    try:
        return b64decode(written + "=" * (-len(written) % 4), validate=True)
    except ValueError as error:
        raise DataError(f"{where}: not the Base64 of an image ({error}): {shown(text)}", fix=_FORMS) from error


def _beside(folder: Path, name: str) -> Path | None:
    """The file that a text names from a folder, wherever it leads; None where there is none."""
    if not _may_be_path(name):
        return None
    try:
        path = (folder / name).resolve()
        return path if path.is_file() else None
    except (OSError, RuntimeError):
        return None


def _there(path: Path | None, folder: Path, name: str, where: str) -> Path:
    """A file that a data file names; what it names must lie in the data file's own folder."""
    inside = (path or Path(os.path.normpath(folder / name))).is_relative_to(
        folder if path is None else folder.resolve()
    )
    if not _may_be_path(name):
        raise DataError(f"{where}: neither a path nor an image: {shown(name)} ({len(name):,} characters)", fix=_FORMS)
    if not inside:
        raise DataError(f"{where}: image {name!r} is outside the folder of the data", fix="put the images beside it")
    if path is None:
        raise DataError(f"{where}: image {name!r} is not there", fix=f"put it into {folder}")
    return path


def _may_be_path(text: str) -> bool:
    """Whether a file system could hold a file of this name at all."""
    try:
        name = os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return (
        b"\0" not in name
        and b"\n" not in name
        and len(name) <= _LONGEST_PATH
        and all(len(part) <= _LONGEST_NAME for part in name.split(b"/"))
    )


def _unknown(cell: Json, where: str) -> DataError:
    return DataError(f"{where}: not an image: {shown(cell)}", fix=_FORMS)
