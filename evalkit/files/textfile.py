"""Texts that a user gives, read in one way at every door: UTF-8, with or without a byte-order mark, gzip by suffix.

Rows, answers, scores, tasks, configs, policies and prices all come through here, so no door refuses what another takes,
and each says the same of a file that cannot be read. What only this machine writes and reads is not the business of
this module.
"""

from __future__ import annotations

import codecs
import gzip
import json
import tomllib
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from evalkit.base.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json

ONE_A_LINE: Final = "write one JSON object a line"

_SIXTEEN = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def lines(path: Path, newline: str | None = None) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, counted from 1.

    Args:
        path: The file.
        newline: As for ``open``: empty to leave line ends as they are.

    Raises:
        DataError: The file cannot be read, or is not UTF-8.
    """
    number = 0
    try:
        with _opened(path, newline) as stream:
            for line in stream:
                number += 1
                yield number, line
    except UnicodeDecodeError as error:
        # What Windows calls "Unicode" is another encoding.
        utf16 = number == 0 and bytes(error.object[:2]) in _SIXTEEN
        what = "UTF-16 text" if utf16 else f"not UTF-8 text after line {number} ({error.reason})"
        raise DataError(f"{path}: {what}", fix="save it as UTF-8") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged after line {number} ({error})", fix="fetch or make it again") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", fix="name a file that can be read") from error


def text(path: Path) -> str:
    """The whole text of a file.

    Raises:
        DataError: As for `lines`.
    """
    return "".join(line for _, line in lines(path))


def objects(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    """Every line's JSON object with its place, ``FILE:LINE``; blank lines are skipped.

    Raises:
        DataError: As for `lines`, or a line is not a JSON object.
    """
    for number, line in lines(path):
        if line.strip():
            place = f"{path}:{number}"
            found = parsed(line, place)
            if not isinstance(found, dict):
                raise DataError(f"{place}: not a JSON object but {shown(found)}", fix=ONE_A_LINE)
            yield place, found


def parsed(written: str, place: str) -> Json:
    """A text as JSON.

    Raises:
        DataError: It is not, or is nested too deeply to be read.
    """
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error})", fix=ONE_A_LINE) from error


def toml(path: Path, name: str = "") -> dict[str, Any]:
    """What a TOML file says; ``name`` is how messages call it, its path when empty.

    Raises:
        DataError: As for `lines`.
        ConfigError: It is not TOML.
    """
    try:
        return tomllib.loads(text(path))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name or path}: not TOML: {error}", fix="correct the file there") from error


def shown(value: Json) -> str:
    """A wrong value, cut to one short line."""
    written = json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= 40 else written[:37] + "..."


def short(path: Path) -> str:
    """A path as short as it is clear: relative when it lies in the folder where evalkit runs."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)


def _opened(path: Path, newline: str | None) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline=newline)
    return path.open(encoding="utf-8-sig", newline=newline)
