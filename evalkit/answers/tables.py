"""Tables with a line for each sample, as ``evalkit export`` or anybody writes them: parquet, and CSV with a header.

Each becomes the lines that a JSON lines file would have, with the same names; whatever else it holds is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError
from evalkit.base.printable import unguarded
from evalkit.files import textfile
from evalkit.files.delimited import rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from evalkit.base.types import Json

NEEDED: Final = ("id", "score")
"""Columns without which a table is none of scores."""
COLUMNS: Final = (
    *NEEDED, "task", "model", "problem", "metric", "dialect", "scores", "left_out", "failure", "cluster", "stratum",
    "part", "available", "answer", "content", "question", "prompt", "reference", "references",
)  # fmt: skip
"""Those that are read."""
_MAGIC: Final = b"PAR1"
_BATCH: Final = 8192
_WORDS: Final = {"true": True, "false": False}


def is_parquet(path: Path) -> bool:
    """Whether a file begins as parquet does.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", fix="name a file that can be read") from error


def columns(path: Path) -> list[str]:
    """The columns of a parquet file.

    Raises:
        DataError: It is damaged.
    """
    import pyarrow as pa  # noqa: PLC0415 - --help must not wait for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged parquet ({error})", fix="fetch or make it again") from error


def is_delimited(path: Path) -> bool:
    """Whether the first line of a text file looks like the header of a CSV file: several names, and no JSON.

    Raises:
        DataError: The file is not text.
    """
    first = next((line for _, line in textfile.lines(path)), "").strip()
    return "," in first and not first.startswith(("{", "["))


def parquet(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    """The rows of a parquet file, each with its place; nulls are left out.

    Raises:
        DataError: It is damaged, or lacks a column.
    """
    import pyarrow as pa  # noqa: PLC0415 - --help must not wait for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            _has_needed(str(path), names)
            number = 0
            for batch in file.iter_batches(_BATCH, columns=[name for name in COLUMNS if name in names]):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}: row {number}", {"score": None} | {k: v for k, v in row.items() if v is not None}
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged parquet ({error})", fix="fetch or make it again") from error


def delimited(path: Path) -> Iterator[tuple[str, dict[str, Json]]]:
    """The lines of a CSV file under its header, each with its place; empty cells are left out.

    Raises:
        DataError: With the place: a line has another number of cells, or a number is none.
    """
    for place, cells in rows(path, check=_has_needed):
        yield place, _line(cells, place)


def _has_needed(place: str, names: Collection[str]) -> None:
    for name in NEEDED:
        if name not in names:
            fix = f"its columns are {', '.join(sorted(names)) or 'none'}; it needs {' and '.join(NEEDED)}"
            raise DataError(f"{place}: no column '{name}'", fix=fix)


def _line(cells: dict[str, str], place: str) -> dict[str, Json]:
    """A line of CSV with what its columns mean: everything is text but scores and counts."""
    found: dict[str, Json] = {name: unguarded(cells[name]) for name in COLUMNS if cells.get(name)}
    # A cell does not hold a text to the letter: line ends are read as one, and a guarded formula as what it was.
    found.pop("answer", None)
    found["score"] = _number(cells["score"], place, "score")
    if "available" in found:
        found["available"] = _number(cells["available"], place, "available")
    return found


def _number(cell: str, place: str, name: str) -> float | bool | None:
    text = cell.strip()
    if not text:
        return None
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{place}: {name} is {textfile.shown(cell)}", fix=f"{name} is a number") from error
