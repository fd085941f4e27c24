"""Rows of text files with a header: CSV (RFC 4180), and the same with tabs."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.files import textfile

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from evalkit.base.types import Json


def objects(path: Path, delimiter: str = ",") -> Iterator[tuple[str, dict[str, Json]]]:
    """Every row under the header with its place, ``FILE:LINE``: texts by column, None for an empty cell.

    Raises:
        DataError: As for `textfile.lines`; a row has another number of cells, or two columns have one name.
    """
    for place, cells in rows(path, delimiter):
        yield place, {name: cell or None for name, cell in cells.items()}


def rows(
    path: Path, delimiter: str = ",", check: Callable[[str, Collection[str]], None] = lambda *_: None
) -> Iterator[tuple[str, dict[str, str]]]:
    """The same with empty cells as they are.

    Args:
        path: The file.
        delimiter: What stands between cells.
        check: Is given the header's place and its names, and raises what is wrong with them.

    Raises:
        DataError: As for `objects`.
    """
    before = csv.field_size_limit(sys.maxsize)  # a text may be longer than the 128 KiB that a cell may have
    reader = csv.reader((text for _, text in textfile.lines(path, newline="")), strict=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        check(f"{path}:1", header)
        if len({*header}) < len(header):
            raise DataError(f"{path}:1: two columns have one name", fix="give each its own")
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if len(cells) not in {0, len(header)}:
                raise DataError(
                    f"{place}: {len(cells)} cells under {len(header)} columns", fix="quote cells that hold commas"
                )
            if cells:
                yield place, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV ({error})", fix="write it as RFC 4180 says") from error
    finally:
        csv.field_size_limit(before)
