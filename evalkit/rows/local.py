"""Files on this machine: which ones, their digest, and the rows in them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit import textfile
from evalkit.errors import DataError
from evalkit.rows import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from evalkit.benchmarks import Benchmark
    from evalkit.types import Dataset, Json

_BATCH = 16
"""Rows that are decoded at once."""
_BUFFER = 1 << 20
"""Bytes that are read at once. Without a buffer pyarrow takes in a column of a whole row group."""

PARQUET = ".parquet"
JSON_LINES = (".jsonl", ".ndjson")


class Part(Protocol):
    """One file of a split."""

    def count(self) -> int:
        """Rows in the file, with its columns checked."""

    def rows(self) -> Iterator[dict[str, Json]]:
        """The rows in stored order."""


def given(path: Path, dataset: Dataset) -> list[Path]:
    """The files that a user's path stands for.

    Raises:
        DataError: There is nothing at the path, or no parquet file in the folder.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder", fix="check the path given with --data")
    # A folder may be a mirror of the data set's repository, with other splits in it.
    paths = _matches(path, dataset.files) or sorted(path.glob(f"*{PARQUET}"))
    if not paths:
        raise DataError(f"{path}: no parquet file in this folder", fix="name a file, or a folder of parquet files")
    return paths


def matching(base: Path, patterns: Sequence[str]) -> list[Path]:
    """A task's own files, beside its task file.

    Raises:
        DataError: A pattern matches nothing.
    """
    paths = _matches(base, patterns)
    if not paths:
        raise DataError(
            f"{base}: no file matches {', '.join(patterns)}",
            fix="put the data beside the task file, or give it with --data TASK=FILE",
        )
    return paths


def revision(paths: Sequence[Path]) -> str:
    """``sha256:`` and the digest of the file; of several files, that of the list that ``sha256sum`` prints."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(file_digest(file, "sha256").hexdigest())
    if len(paths) == 1:
        return f"sha256:{digests[0]}"
    listing = "".join(f"{digest}  {path.name}\n" for digest, path in zip(digests, paths, strict=True))
    return f"sha256:{sha256(listing.encode()).hexdigest()}"


def part(path: Path, benchmark: Benchmark) -> Part:
    """The file at ``path``, read by its suffix.

    Raises:
        DataError: The suffix is none that evalkit reads.
    """
    suffix = path.suffix.lower()
    if suffix == PARQUET:
        return Parquet(str(path), benchmark, lambda: path, lambda: footer(path))
    if suffix in JSON_LINES:
        return JsonLines(path, benchmark)
    raise DataError(f"{path}: unknown kind of file", fix=f"use {PARQUET} or {' or '.join(JSON_LINES)}")


def footer(source: Path | pa.NativeFile) -> pq.FileMetaData:
    """What a parquet file says of itself at its end.

    Raises:
        DataError: It is no parquet file, or a damaged one.
    """
    with _damage(str(source)):
        return pq.read_metadata(source)


@dataclass(frozen=True, slots=True)
class Parquet:
    """A parquet file, here or still on the hub."""

    name: str
    benchmark: Benchmark
    path: Callable[[], Path]
    """Fetches the file if need be."""
    footer: Callable[[], pq.FileMetaData]
    """Does not fetch the file."""

    def count(self) -> int:
        """Rows in the file, from its footer."""
        metadata = self.footer()
        _check(self.name, metadata.schema.to_arrow_schema().names, self.benchmark)
        return int(metadata.num_rows)

    def rows(self) -> Iterator[dict[str, Json]]:
        """The rows in stored order, one row group after the other."""
        path = self.path()
        with _damage(self.name), pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            columns = [field.name for field in file.schema_arrow if self._wanted(field)]
            position = 0
            for group in range(file.num_row_groups):
                batches = file.iter_batches(_BATCH, row_groups=[group], columns=columns, use_threads=False)
                for batch in batches:
                    for row in batch.to_pylist():
                        yield self._with_images(row, path.parent, f"{self.name}: row {position}")
                        position += 1
                # Otherwise the allocator keeps the largest group's memory, and that of several side by side.
                pa.default_memory_pool().release_unused()

    def _wanted(self, field: pa.Field) -> bool:
        """Whether the benchmark reads the column: a fault in any other is nobody's concern."""
        asked = self.benchmark
        is_named = field.name in (*asked.columns, *asked.more_columns)
        return field.name in asked.image_columns or (is_named and not _is_binary(field.type))

    def _with_images(self, row: dict[str, Json], folder: Path, where: str) -> dict[str, Json]:
        for column in self.benchmark.image_columns:
            if column in row:
                row[column] = cells.image(row[column], folder, f"{where}: {column}")
        return row


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file with one JSON object in each line; images as ``cells`` reads them."""

    path: Path
    benchmark: Benchmark

    def count(self) -> int:
        """Objects in the file, each of them looked at, so that a fault in the last line shows before a run."""
        return sum(1 for place, row in textfile.objects(self.path) if self._looks_right(place, row))

    def rows(self) -> Iterator[dict[str, Json]]:
        """The objects in stored order, images read."""
        for place, row in textfile.objects(self.path):
            for column in self.benchmark.image_columns:
                if column in row:
                    row[column] = cells.image(row[column], self.path.parent, f"{place}: {column}")
            yield row

    def _looks_right(self, place: str, row: dict[str, Json]) -> bool:
        _check(place, row, self.benchmark)
        for column in self.benchmark.image_columns:
            cells.located(row.get(column), self.path.parent, f"{place}: {column}")
        return True


def _matches(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Files in the order of the patterns, by name within each."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        # A pattern without a name, such as ".", is none to pathlib.
        named = folder.glob(pattern) if PurePath(pattern).name else ()
        found |= dict.fromkeys(path for path in sorted(named) if path.is_file())
    return list(found)


def _check(name: str, columns: Iterable[str], benchmark: Benchmark) -> None:
    found = list(columns)
    missing = [column for column in benchmark.columns if column not in found]
    if missing:
        raise DataError(
            f"{name}: column {', '.join(missing)} is missing", fix=f"the columns found are {', '.join(found) or 'none'}"
        )


def _is_binary(kind: Any) -> bool:
    """Whether values of an arrow type hold bytes: images and sounds that no benchmark here asks for."""
    types = pa.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return True
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_binary(kind.value_type)
    return types.is_struct(kind) and any(_is_binary(field.type) for field in kind)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Whatever pyarrow finds wrong in a file becomes a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{name}: not a readable parquet file: {reason[0]}", fix="fetch or make it again") from error
