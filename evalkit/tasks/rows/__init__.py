"""Rows of one pinned split, in stored order, with images as stored bytes.

Files are read with pyarrow a few rows at a time, so memory does not grow with the data set: it holds one row
group. (The streaming reader of Hugging Face ``datasets`` yields the same rows, which a test shows, but it needed
820 to 2,000 MB for files that take 130 to 480 MB here.) Nothing that comes with a data set is ever executed.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.tasks.rows import local

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from evalkit.base.types import Dataset, Json
    from evalkit.tasks.benchmarks import Benchmark
    from evalkit.tasks.rows.local import FilePart

__all__ = ["Rows", "open_rows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one split; iterate as often as needed, always in the same order.

    A row maps column names to values. Image columns hold None or ``{"bytes": ..., "path": ...}``; other columns
    with binary contents are left out.
    """

    revision: str
    """What was read: a commit of the hub, or ``sha256:...`` of the local files."""
    planned: int
    """Rows in the split, as the files say before they are read."""
    _parts: Sequence[FilePart]
    _counts: Sequence[int]
    """Rows of each part."""

    def __iter__(self) -> Iterator[dict[str, Json]]:
        """Rows as they are stored. Files on the hub are fetched as they are reached.

        Raises:
            DataError: A file has changed or is damaged behind its header.
            InfrastructureError: A file cannot be fetched.
        """
        for part in self._parts:
            for _, row in part.rows():
                yield row

    def at(self, positions: Sequence[int]) -> Iterator[tuple[int, dict[str, Json]]]:
        """The rows at some places, given in ascending order, each with its place; files without any are not read."""
        first = 0
        for part, count in zip(self._parts, self._counts, strict=True):
            here = positions[bisect_left(positions, first) : bisect_left(positions, first + count)]
            if here:
                for position, row in part.rows({position - first for position in here}):
                    yield first + position, row
            first += count

    def cells(self, columns: Collection[str]) -> Iterator[dict[str, Json]]:
        """Every row, with those of ``columns`` alone that are there; nothing else is read. Fetches every file."""
        for part in self._parts:
            yield from part.cells(columns)

    @property
    def self_contained(self) -> bool:
        """Whether all that was read so far stands in the files that ``revision`` is of, and nothing beside them."""
        return all(part.self_contained for part in self._parts)

    def absent(self, beyond: int = 0) -> int:
        """Bytes to be fetched before all rows can be read, less those of the files that the first rows stand in.

        Args:
            beyond: How many first rows are read whatever becomes of the others.
        """
        starts = accumulate(self._counts, initial=0)
        return sum(part.absent() for part, start in zip(self._parts, starts, strict=False) if start >= beyond)


def at_hand(dataset: Dataset) -> bool:
    """Whether a split of the hub can be read without a network."""
    if not dataset.id:
        return False
    from evalkit.tasks.rows import hub  # noqa: PLC0415 - local data must not wait for the hub's library

    return hub.at_hand(dataset)


def open_rows(
    dataset: Dataset,
    *,
    benchmark: Benchmark,
    data: Path | None = None,
    base: Path,
    tell: Callable[[str], None] | None = None,
) -> Rows:
    """The rows of a split, found, counted and checked for the columns that the benchmark needs.

    For a data set on the hub only the files of this split are looked at, and only their last bytes; a file is
    fetched, into the hub's own cache, when iteration reaches it. What is in the cache is used without a network.

    Args:
        dataset: Which split.
        benchmark: Names the columns that must be there, and those that hold images.
        data: A local file (parquet, JSONL) or folder to read in place of the data set. In a folder, the files
            that the data set would have there count, or else every parquet file.
        base: Folder of the task file, where a data set without an id has its files.
        tell: Is told, in a sentence, before something takes long.

    Raises:
        DataError: No rows, a missing column, a damaged or unknown file, no such data set.
        InfrastructureError: The hub cannot be reached and its files are not in the cache.
    """
    if data is None and dataset.id:
        from evalkit.tasks.rows import hub  # noqa: PLC0415 - local data must not wait for the hub's library

        revision, parts = hub.open_split(dataset, benchmark, tell or (lambda _: None))
        name = dataset.id
    else:
        paths = local.given(data, dataset) if data is not None else local.matching(base, dataset.files)
        revision, parts = local.revision(paths), [local.part(path, benchmark) for path in paths]
        name = str(data or base)
    counts = [part.count() for part in parts]
    if not sum(counts):
        raise DataError(f"{name}: no rows", fix="check that this is the right file")
    return Rows(revision, sum(counts), parts, counts)
