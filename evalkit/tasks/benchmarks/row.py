"""A row of a data set, read cell by cell with errors that name the row and the column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from evalkit.base.errors import DataError
from evalkit.base.identity import own_id
from evalkit.base.types import Groups, Image, Json, Sample, Score, Text


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The rules that turn one data set's rows into questions; task files name it under ``benchmark``.

    ``columns`` and ``sample`` are enough for a benchmark of one's own; `DataRow`, beside this class, reads cells with
    errors that name the row and the column.
    """

    columns: tuple[str, ...]
    """Columns that a data set must have."""
    image_columns: tuple[str, ...]
    """Columns that hold images, to be read as stored bytes; those outside ``columns`` may be missing."""
    sample: Callable[[Mapping[str, Json], str, int], Sample]
    """``(row, prompt, position) -> Sample``, or `DataError` for a row that cannot be made into a question."""
    more_columns: tuple[str, ...] = ()
    """Columns beside ``columns`` that are read where they are there, such as that of the ids; no others are."""
    unit_columns: tuple[str, ...] = ()
    """Columns that together name what a random part of the data takes as a whole: the picture, the page, or the row."""
    shared_image: str = ""
    """The image column whose bytes name it where those columns are missing; empty where rows share no picture."""
    groups: Groups = "sampled"
    """What its clusters are: some of many, such as pages, or all that there are, such as subjects."""
    score: Callable[[str, str, Json, Callable[[str, Json], Score]], Score] | None = None
    """``(name, answer, references, metric) -> Score``, where not all of an answer counts, or its references hold more
    than metrics compare; left out, metrics are given both as they are."""

    def unit(self, cells: Mapping[str, Json], position: int) -> str | None:
        """What the row is drawn together with, by its ``unit_columns``; None where only its picture can tell."""
        try:
            names = [own_id(cells.get(column)) for column in self.unit_columns]
        except TypeError:
            names = []
        if names and None not in names:
            return "/".join(map(str, names))
        return None if self.shared_image else f"row {position}"

    def picture(self, cells: Mapping[str, Json], position: int) -> str:
        """The same by the bytes of its picture; a row without one stands for itself."""
        stored = cells.get(self.shared_image)
        data = stored.get("bytes") if isinstance(stored, Mapping) else None
        return sha256(data).hexdigest() if isinstance(data, bytes | bytearray) else f"row {position}"


@dataclass(frozen=True, slots=True)
class DataRow:
    """The cells of one row and its place in the data set, counted from 0."""

    cells: Mapping[str, Json]
    position: int

    def refuse(self, why: str) -> NoReturn:
        """Raise `DataError` with the row's place in front of ``why``."""
        raise DataError(
            f"row {self.position}: {why}",
            fix="correct the row, or take a revision of the data set that has it right",
        )

    def value(self, column: str) -> Json:
        """The cell, whatever it holds but null."""
        found = self.cells.get(column)
        if found is None:
            self.refuse(f"{column} is null" if column in self.cells else f"there is no column {column}")
        return found

    def text(self, column: str) -> str:
        """The cell, which must hold text."""
        found = self.value(column)
        if not isinstance(found, str):
            self.refuse(f"{column} holds {type(found).__name__}, not text")
        return found

    def image(self, column: str) -> Image:
        """The picture in the cell: raw bytes, or the stored form ``{"bytes": ..., "path": ...}``."""
        found = self.value(column)
        stored = found.get("bytes") if isinstance(found, Mapping) else found
        if not isinstance(stored, bytes | bytearray) or not stored:
            self.refuse(f"{column} holds no image bytes")
        return Image.of(bytes(stored))

    def references(self, column: str) -> Json:
        """What answers are compared with, as the data set has it: one text, or a list."""
        found = self.value(column)
        if not isinstance(found, str | list):
            self.refuse(f"{column} holds {type(found).__name__}, not a text or a list of references")
        return found

    def id(self, column: str | None, question: str) -> str:
        """The data set's own id where it has one, otherwise the place and a digest of the question.

        The digest makes pairs of different questions impossible when a data set without ids is put in another
        order between two runs: the place alone would pair them.
        """
        own = self.cells.get(column) if column else None
        try:
            name = own_id(own)
        except TypeError:
            self.refuse(f"{column} holds {type(own).__name__}, not an id")
        if name is None:
            return f"{self.position:06d}-{sha256(question.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        return name


def kinds(row: DataRow, column: str) -> tuple[str, ...]:
    """The kinds of question that a cell names, one text or a list of them, each once; none where it names none.

    They only group what was asked: a cell that holds anything else costs no row.
    """
    found = row.cells.get(column)
    names = found if isinstance(found, list) else [found]
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name.strip()))


def one_image(image: Image, question: str, prompt: str) -> tuple[Image, Text]:
    """The published order of a question about one image: the image, the question, the prompt on a new line."""
    return image, Text(f"{question}\n{prompt}")
