"""The image of a sample, found again in the data that the run read; nothing is fetched for it.

A sample's position in its task is that of its row in the data, or, where rows were drawn, in the run's list of them. So
one row group of one file is read for it, and the sha256 of what is found there must be the one that the run has noted.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from evalkit import harnesses
from evalkit.base.errors import DataError
from evalkit.files import textfile
from evalkit.records.provenance import ToldConfig
from evalkit.tasks import images
from evalkit.tasks.rows import cells, local

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Dataset, Json
    from evalkit.records.history import PastRun
    from evalkit.records.plan import PlannedTask

QUICK: Final = 64 << 20
"""Bytes of a row group that are read while a page waits; the image alone may take longer."""
_KEPT = 64 << 20
_SHARD = re.compile(r"-(\d{5})-of-\d{5}\b")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a browser may be given."""

    data: bytes
    kind: str
    """``png``, ``jpeg``, ``gif`` or ``webp``, as its first bytes say."""


@dataclass(frozen=True, slots=True)
class PictureSpot:
    """Where the images of one row are."""

    path: Path
    columns: tuple[str, ...]
    group: int | None
    """Row group of a parquet file; None for a file of JSON lines."""
    row: int
    """In the row group, or in the file."""
    size: int
    """Bytes to read at most."""


class Pictures:
    """The images of one run. Safe to use from several threads."""

    def __init__(self, run: PastRun) -> None:
        """Find the data of ``run`` when they are asked for."""
        self._run = run
        plan, told = run.facts.plan, run.facts.provenance
        self._parts = {} if plan is None else {part.task.name: part for part in plan.tasks}
        self._config = ToldConfig() if told is None or told.config is None else told.config
        self._lock = Lock()
        self._kept: OrderedDict[str, Picture] = OrderedDict()
        self._spots: dict[str, list[tuple[Path, list[tuple[int, int]]]]] = {}

    def spot(self, task: str, position: int) -> PictureSpot:
        """Where the images of a sample should be.

        Raises:
            DataError: The data are not on this machine, with the reason.
        """
        columns = self._columns(task)
        position, before = self._row(task, position), 0
        for path, groups in self._groups(task, columns):
            for group, (rows, size) in enumerate(groups):
                if position < before + rows:
                    is_parquet = path.suffix.lower() == ".parquet"
                    return PictureSpot(path, columns, group if is_parquet else None, position - before, size)
                before += rows
        raise DataError(f"{task}: the data on this machine end before row {position}", fix="fetch the data again")

    def load(self, spot: PictureSpot, digest: str) -> Picture:
        """The image with this sha256.

        Raises:
            DataError: It is not there, or of no kind that is shown.
        """
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
                return self._kept[digest]
        try:
            data = next((found for found in _images(spot) if sha256(found).hexdigest() == digest), None)
        except (OSError, ValueError, TypeError, LookupError) as error:
            raise DataError(f"{spot.path.name}: cannot be read: {error}", fix="fetch the data again") from error
        if data is None:
            raise DataError(
                f"{spot.path.name} has another image at this row: the data have changed since the run",
                fix="put the data back as they were",
            )
        picture = _shown(data)
        with self._lock:
            self._kept[digest] = picture
            while len(self._kept) > 1 and sum(len(one.data) for one in self._kept.values()) > _KEPT:
                self._kept.popitem(last=False)
        return picture

    def _row(self, task: str, position: int) -> int:
        """Of the data, counted from 0."""
        drawn = self._run.facts.rows.get(task, ())
        if position < len(drawn):
            return drawn[position]
        part = self._parts.get(task)
        # Each row has as many lines as attempts.
        return position if part is None else position // part.task.decoding.n

    def _columns(self, task: str) -> tuple[str, ...]:
        part = self._parts.get(task)
        if part is None:
            raise DataError(f"run.json does not say where the data of {task} are", fix="run the same command again")
        columns = harnesses.harness(part.task).pictures(part.task)
        if not columns:
            raise DataError(f"{task}: the benchmark {part.task.benchmark} has no images", fix="update evalkit")
        return columns

    def _groups(self, task: str, columns: Sequence[str]) -> list[tuple[Path, list[tuple[int, int]]]]:
        """The files of a task in order, with rows and bytes of every row group."""
        with self._lock:
            if task not in self._spots:
                self._spots[task] = [(path, _sizes(path, columns)) for path in self._files(self._parts[task])]
            return self._spots[task]

    def _files(self, part: PlannedTask) -> list[Path]:
        dataset = part.task.dataset
        given = (self._config.data or {}).get(part.task.name)
        if given:
            return local.given(self._root() / given, dataset)
        if dataset.id:
            return _cached(dataset, part.revision)
        return local.matching((self._root() / part.task.source).parent, dataset.files)

    def _root(self) -> Path:
        """The folder in which the run was started: relative paths of a run count from there.

        It is not noted, but the output folder that the run was given leads back to it.
        """
        given = Path(self._config.output or "runs")
        output = self._run.folder.resolve().parent
        if not given.is_absolute() and ".." not in given.parts and output.parts[-len(given.parts) :] == given.parts:
            return output.parents[len(given.parts) - 1]
        return Path()


def _cached(dataset: Dataset, commit: str) -> list[Path]:
    """The split's files in the hub's own cache, as far as they are there without a gap."""
    folder = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=dataset.id, repo_type="dataset"))
    snapshot = folder / "snapshots" / commit
    paths = []
    for pattern in dataset.files:
        for at, path in enumerate(sorted(snapshot.glob(pattern))):
            shard = _SHARD.search(path.name)
            if shard and int(shard[1]) != at:
                break
            paths.append(path)
    if not paths:
        raise DataError(
            f"{dataset.id} at {commit[:12]} is not in the hub's cache on this machine", fix="run `evalkit fetch`"
        )
    return paths


def _sizes(path: Path, columns: Sequence[str]) -> list[tuple[int, int]]:
    """Rows, and bytes of the image columns, of every row group."""
    if path.suffix.lower() != ".parquet":
        with path.open("rb") as stream:
            return [(sum(1 for line in stream if line.strip()), path.stat().st_size)]
    footer = local.footer(path)
    found = []
    for at in range(footer.num_row_groups):
        group = footer.row_group(at)
        parts = [group.column(number) for number in range(group.num_columns)]
        size = sum(one.total_compressed_size for one in parts if one.path_in_schema.split(".")[0] in columns)
        found.append((int(group.num_rows), int(size)))
    return found


def _images(spot: PictureSpot) -> Iterator[bytes]:
    """The images of the row."""
    row = _line(spot) if spot.group is None else _record(spot)
    for column in spot.columns:
        found = cells.image(row.get(column), spot.path.parent, spot.path.name)
        if found is not None:
            yield found["bytes"]


def _record(spot: PictureSpot) -> dict[str, Json]:
    with pq.ParquetFile(spot.path, buffer_size=1 << 20, pre_buffer=False) as file:
        columns = [name for name in file.schema_arrow.names if name in spot.columns]
        batches = file.iter_batches(16, row_groups=[spot.group], columns=columns, use_threads=False)
        batch = next(islice(batches, spot.row // 16, None))
        found: dict[str, Json] = batch.slice(spot.row % 16, 1).to_pylist()[0]
        return found


def _line(spot: PictureSpot) -> dict[str, Json]:
    return next(islice((row for _, row in textfile.objects(spot.path)), spot.row, None))


def _shown(data: bytes) -> Picture:
    """The image as it is when browsers know its kind, else its pixels as PNG."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return Picture(data, kind)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Picture(data, "webp")
    return Picture(images.png(data), "png")
