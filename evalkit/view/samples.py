"""Questions to the index of a run: which samples a filter leaves, and where their lines are."""

from __future__ import annotations

import json
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass, fields
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from evalkit.base.errors import DataError
from evalkit.view import index, words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from evalkit.base.types import Json
    from evalkit.view.index import Files

PAGE: Final = 50
"""Samples on a page."""
_FILTERS_KEPT = 8
"""Four bytes for each sample that one leaves: at most 6.4 MB for a run of 200,000 samples."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples to show; None and the empty text leave all of them in."""

    model: int
    """Whose flip, outcome and failure are meant: a place among the run's models."""
    task: int | None = None
    flip: str | None = None
    outcome: str | None = None
    """One of ``index.OUTCOMES`` or ``index.MARKS``."""
    failure: str | None = None
    text: str = ""
    """Words, or beginnings of longer words, that id, question, references and answers must hold between them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one sample with one model."""

    flip: str | None
    outcome: str | None
    failure: str | None
    unparsed: int
    truncated: int
    empty: int
    score: float | None
    parsed: str | None
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class FoundSamples:
    """One sample as a list shows it."""

    number: int
    task: int
    position: int
    """Its row in the data."""
    id: str
    question: str
    entries: dict[int, Entry]
    """By place of the model."""


class Samples:
    """The samples of one run. Safe to use from several threads."""

    def __init__(self, path: Path, files: Files) -> None:
        """Read the index at ``path``, made from ``files``."""
        self.files = files
        self._path = path
        self._lock = Lock()
        self._kept: OrderedDict[Filter, npt.NDArray[np.uint32]] = OrderedDict()

    @cached_property
    def failures(self) -> list[str]:
        """The kinds of failure that occur; the empty text stands for none."""
        with closing(index.connection(self._path)) as database:
            found = database.execute("SELECT value FROM fact WHERE name = 'failures'").fetchone()[0]
        return list(map(str, json.loads(found)))

    def numbers(self, wanted: Filter) -> npt.NDArray[np.uint32]:
        """Every sample that the filter leaves, in order; kept, so that the next page costs nothing."""
        with self._lock:
            if wanted in self._kept:
                self._kept.move_to_end(wanted)
                return self._kept[wanted]
        found = self._search(wanted)
        with self._lock:
            self._kept[wanted] = found
            while len(self._kept) > _FILTERS_KEPT:
                self._kept.popitem(last=False)
        return found

    def neighbours(self, wanted: Filter, number: int) -> tuple[int | None, int | None]:
        """The samples before and after ``number`` among those that the filter leaves."""
        numbers = self.numbers(wanted)
        before, after = np.searchsorted(numbers, number, "left"), np.searchsorted(numbers, number, "right")
        return int(numbers[before - 1]) if before else None, int(numbers[after]) if after < len(numbers) else None

    def found(self, wanted: Sequence[int]) -> list[FoundSamples]:
        """The samples of these numbers, in order; those that do not exist are left out."""
        if not wanted:
            return []
        numbers = [int(number) for number in wanted]
        marks = ", ".join("?" * len(numbers))
        with closing(index.connection(self._path)) as database:
            rows = database.execute(
                f"SELECT number, task, position, id, question FROM sample WHERE number IN ({marks}) ORDER BY number",  # noqa: S608 - question marks only
                numbers,
            ).fetchall()
            columns = ", ".join(field.name for field in fields(Entry))
            models = range(len(self.files.models))
            # Each model by itself: then a sample is found by its key, not by a walk over all of them.
            query = f"SELECT sample, model, {columns} FROM entry WHERE model = ? AND sample IN ({marks})"  # noqa: S608 - own names
            entries = [row for model in models for row in database.execute(query, [model, *numbers])]
        by_sample: dict[int, dict[int, Entry]] = {}
        for sample, model, *values in entries:
            by_sample.setdefault(sample, {})[model] = Entry(*values)
        return [
            FoundSamples(number, task, position, key, question, by_sample.get(number, {}))
            for number, task, position, key, question in rows
        ]

    def find(self, task: str, key: str) -> int | None:
        """The number of a task's sample by its id."""
        if task not in self.files.tasks:
            return None
        with closing(index.connection(self._path)) as database:
            row = database.execute(
                "SELECT number FROM sample WHERE task = ? AND id = ?", (self.files.tasks.index(task), key)
            ).fetchone()
        return row[0] if row else None

    def line(self, found: FoundSamples, model: int) -> dict[str, Json] | None:
        """What the run wrote of one sample of one model; None where its file lacks it.

        Raises:
            DataError: The file has changed under the index, or is not there any more.
        """
        entry = found.entries.get(model)
        if entry is None:
            return None
        path = self.files.path(model, found.task)
        try:
            with path.open("rb") as stream:
                stream.seek(entry.start)
                raw = stream.read(entry.length)
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}", fix="bring the run's folder back, and look again") from error
        return index.parsed(raw, path.name)

    def _search(self, wanted: Filter) -> npt.NDArray[np.uint32]:
        with closing(index.connection(self._path)) as database:
            chosen = self._code(database, wanted.model, "task") == wanted.task
            if wanted.task is None:
                chosen[:] = True
            for name, value in self._values(wanted):
                chosen &= self._code(database, wanted.model, name) == value
            if wanted.text.strip():
                chosen &= words.holding(database, wanted.text)
        return np.flatnonzero(chosen).astype(np.uint32)

    def _values(self, wanted: Filter) -> Iterator[tuple[str, int]]:
        """What the index has to say of a sample that the filter leaves: name and value of a code."""
        if wanted.flip is not None:
            yield "flip", index.FLIPS.index(wanted.flip)
        if wanted.outcome in index.MARKS:
            yield wanted.outcome, 1
        elif wanted.outcome is not None:
            yield "outcome", index.OUTCOMES.index(wanted.outcome)
        if wanted.failure is not None:
            yield "failure", self.failures.index(wanted.failure)

    def _code(self, database: sqlite3.Connection, model: int, name: str) -> npt.NDArray[np.uint8]:
        body = database.execute("SELECT body FROM code WHERE model = ? AND name = ?", (model, name)).fetchone()[0]
        return np.frombuffer(body, np.uint8)
