"""Files on this machine: which ones, their digest, and the rows in them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from evalkit.base.errors import DataError
from evalkit.files import delimited, textfile
from evalkit.tasks.rows import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

    from evalkit.base.types import Dataset, Json
    from evalkit.tasks.benchmarks import Benchmark

_BATCH = 16
"""Rows that are decoded at once."""
_LIGHT_BATCH = 8192
"""The same where no picture is among the columns."""
_BUFFER = 1 << 20
"""Bytes that are read at once. Without a buffer pyarrow takes in a column of a whole row group."""

PARQUET = ".parquet"
JSON_LINES = (".jsonl", ".ndjson")
DELIMITED = {".csv": ",", ".tsv": "\t"}


class FilePart(Protocol):
    """One file of a split."""

    @property
    def self_contained(self) -> bool:
        """Whether every picture that was read so far stands in the file itself."""

    def count(self) -> int:
        """Rows in the file, with its columns checked."""

    def rows(self, wanted: Container[int] | None = None) -> Iterator[tuple[int, dict[str, Json]]]:
        """The rows in stored order, each with its place in the file; only the wanted places where they are named."""

    def cells(self, columns: Collection[str]) -> Iterator[dict[str, Json]]:
        """Every row in stored order, with those of ``columns`` alone that are there."""

    def absent(self) -> int:
        """Bytes that have to be fetched before the rows can be read; 0 where the file is here."""


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


def part(path: Path, benchmark: Benchmark) -> FilePart:
    """The file at ``path``, read by its suffix.

    Raises:
        DataError: The suffix is none that evalkit reads.
    """
    if path.suffix.lower() == PARQUET:
        return Parquet(str(path), benchmark, lambda: path, lambda: footer(path))
    return Lines(path, benchmark, _objects(path))


def _objects(path: Path) -> Callable[[], Iterator[tuple[str, dict[str, Json]]]]:
    """What reads the rows of a text file, each with its place."""
    suffix = path.suffix.lower()
    if suffix in JSON_LINES:
        return partial(textfile.objects, path)
    if suffix in DELIMITED:
        return partial(delimited.objects, path, DELIMITED[suffix])
    known = ", ".join([PARQUET, *JSON_LINES, *DELIMITED])
    raise DataError(f"{path}: unknown kind of file", fix=f"use one of {known}")


def footer(source: Path | pa.NativeFile) -> pq.FileMetaData:
    """What a parquet file says of itself at its end.

    Raises:
        DataError: It is no parquet file, or a damaged one.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - rows of text must not wait for it

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
    missing: Callable[[], int] = int
    """Bytes of the file that are not here yet."""
    _beside: set[str] = field(default_factory=set)
    """Columns in which a cell was not the bytes of a picture."""

    @property
    def self_contained(self) -> bool:
        """Whether every cell for a picture has held its bytes, or nothing."""
        return not self._beside

    def count(self) -> int:
        """Rows in the file, from its footer."""
        metadata = self.footer()
        _check(self.name, metadata.schema.to_arrow_schema().names, self.benchmark)
        return int(metadata.num_rows)

    def absent(self) -> int:
        """As far as the file is still on the hub, its size."""
        return self.missing()

    def rows(self, wanted: Container[int] | None = None) -> Iterator[tuple[int, dict[str, Json]]]:
        """The rows in stored order, one row group after the other; a group with none that is wanted is passed over."""
        return self._read(self._wanted, wanted)

    def cells(self, columns: Collection[str]) -> Iterator[dict[str, Json]]:
        """Every row, with the columns alone that are asked for."""
        for _, row in self._read(lambda field: field.name in columns and not self._is_sound(field), None):
            yield row

    def _read(
        self, column: Callable[[pa.Field], bool], wanted: Container[int] | None
    ) -> Iterator[tuple[int, dict[str, Json]]]:
        import pyarrow as pa  # noqa: PLC0415 - rows of text must not wait for it
        import pyarrow.parquet as pq  # noqa: PLC0415 - rows of text must not wait for it

        path = self.path()
        with _damage(self.name), pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            columns = [field.name for field in file.schema_arrow if column(field)]
            size = _BATCH if set(columns) & set(self.benchmark.image_columns) else _LIGHT_BATCH
            first = 0
            for group in range(file.num_row_groups):
                places = range(first, first + file.metadata.row_group(group).num_rows)
                first = places.stop
                if wanted is not None and not any(place in wanted for place in places):
                    continue
                yield from self._group(file.iter_batches(size, [group], columns, use_threads=False), places, wanted)
                # Otherwise the allocator keeps the largest group's memory, and that of several side by side.
                pa.default_memory_pool().release_unused()

    def _group(
        self, batches: Iterator[pa.RecordBatch], places: range, wanted: Container[int] | None
    ) -> Iterator[tuple[int, dict[str, Json]]]:
        import pyarrow as pa  # noqa: PLC0415 - rows of text must not wait for it

        folder, first = self.path().parent, places.start
        for batch in batches:
            here = [at for at in range(batch.num_rows) if wanted is None or first + at in wanted]
            # Rows that nobody wants are not made into objects: a picture's bytes would be copied.
            rows = (
                batch.to_pylist() if len(here) == batch.num_rows else batch.take(pa.array(here, pa.int64())).to_pylist()
            )
            for at, row in zip(here, rows, strict=True):
                yield first + at, self._with_images(row, folder, f"{self.name}: row {first + at}")
            first += batch.num_rows

    def _is_sound(self, field: pa.Field) -> bool:
        """Whether a column holds bytes that are neither a picture of the benchmark nor text that was kept as bytes."""
        return field.name not in self.benchmark.image_columns and _is_binary(field.type, plain=False)

    def _wanted(self, field: pa.Field) -> bool:
        """Whether the benchmark reads the column: a fault in any other is nobody's concern."""
        asked = self.benchmark
        is_named = field.name in (*asked.columns, *asked.more_columns, *asked.image_columns)
        return is_named and not self._is_sound(field)

    def _with_images(self, row: dict[str, Json], folder: Path, where: str) -> dict[str, Json]:
        for column, value in row.items():
            if column in self.benchmark.image_columns:
                if value is not None and not (isinstance(value, dict) and value.get("bytes")):
                    self._beside.add(column)
                row[column] = cells.image(value, folder, f"{where}: {column}")
            else:
                row[column] = cells.text(value)
        return row


@dataclass(frozen=True, slots=True)
class Lines:
    """A text file with a row a line: JSON objects, or cells under a header; images as ``cells`` reads them."""

    path: Path
    benchmark: Benchmark
    objects: Callable[[], Iterator[tuple[str, dict[str, Json]]]]
    """Each row with its place in the file."""

    @property
    def self_contained(self) -> bool:
        """No: a text names its pictures."""
        return not self.benchmark.image_columns

    def count(self) -> int:
        """Objects in the file, each of them looked at, so that a fault in the last line shows before a run."""
        return sum(1 for place, row in self.objects() if self._looks_right(place, row))

    def rows(self, wanted: Container[int] | None = None) -> Iterator[tuple[int, dict[str, Json]]]:
        """The objects in stored order, images of the wanted ones read."""
        for position, (place, row) in enumerate(self.objects()):
            if wanted is None or position in wanted:
                yield position, self._with_images(place, row)

    def cells(self, columns: Collection[str]) -> Iterator[dict[str, Json]]:
        """Every object, with the keys alone that are asked for."""
        for place, row in self.objects():
            yield self._with_images(place, {name: value for name, value in row.items() if name in columns})

    def absent(self) -> int:
        """Nothing: lines are counted by reading them, so the file is here."""
        return 0

    def _with_images(self, place: str, row: dict[str, Json]) -> dict[str, Json]:
        for column in self.benchmark.image_columns:
            if column in row:
                row[column] = cells.image(row[column], self.path.parent, f"{place}: {column}")
        return row

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


def _is_binary(kind: Any, *, plain: bool = True) -> bool:
    """Whether values of an arrow type hold bytes: images and sounds that no benchmark here asks for.

    With ``plain`` false, bytes of any length, alone or in a list, are none of these: some writers keep text as bytes.
    """
    from pyarrow import types  # noqa: PLC0415 - rows of text must not wait for it

    if types.is_binary(kind) or types.is_large_binary(kind):
        return plain
    if types.is_fixed_size_binary(kind):
        return True
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _is_binary(kind.value_type, plain=plain)
    return types.is_struct(kind) and any(_is_binary(field.type) for field in kind)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Whatever pyarrow finds wrong in a file becomes a DataError."""
    import pyarrow as pa  # noqa: PLC0415 - rows of text must not wait for it

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{name}: not a readable parquet file: {reason[0]}", fix="fetch or make it again") from error


def peek(path: Path, most: int) -> tuple[list[str], list[dict[str, Json]]]:
    """The columns of a file, and its first rows as they are stored; of columns with bytes only the first few cells.

    Raises:
        DataError: It cannot be read, or is of no kind that evalkit reads.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file", fix="name a file with rows")
    if path.suffix.lower() != PARQUET:
        found = [row for _, row in islice(_objects(path)(), most)]
        return list(dict.fromkeys(name for row in found for name in row)), found
    import pyarrow.parquet as pq  # noqa: PLC0415 - rows of text must not wait for it

    with _damage(str(path)), pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        light = [field.name for field in file.schema_arrow if not _is_binary(field.type)]
        heavy = [name for name in file.schema_arrow.names if name not in light]
        rows: list[dict[str, Json]] = [{} for _ in range(min(most, file.metadata.num_rows))]
        for columns, size, count in ((heavy, _BATCH, _BATCH), (light, _LIGHT_BATCH, most)):
            batches = file.iter_batches(size, columns=columns, use_threads=False) if columns else ()
            cells_ = (row for batch in batches for row in batch.to_pylist())
            for row, more in zip(rows, islice(cells_, count), strict=False):
                row.update({name: cells.text(cell) for name, cell in more.items()})
        return list(file.schema_arrow.names), rows
