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

from evalkit.view import index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from evalkit.types import Json
    from evalkit.view.index import Files

PAGE: Final = 50
"""Samples on a page."""
_FILTERS_KEPT = 32
_BEGINNING = 4
"""Letters from which a piece of a search may be the beginning of a word."""


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
class Found:
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

    def found(self, wanted: Sequence[int]) -> list[Found]:
        """The samples of these numbers, in order; those that do not exist are left out."""
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
            Found(number, task, position, key, question, by_sample.get(number, {}))
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

    def line(self, found: Found, model: int) -> dict[str, Json] | None:
        """What the run wrote of one sample of one model; None where its file lacks it.

        Raises:
            DataError: The file has changed under the index.
        """
        entry = found.entries.get(model)
        if entry is None:
            return None
        path = self.files.path(model, found.task)
        with path.open("rb") as stream:
            stream.seek(entry.start)
            return index.parsed(stream.read(entry.length), path.name)

    def _search(self, wanted: Filter) -> npt.NDArray[np.uint32]:
        codes = self._codes(wanted.model)
        chosen = np.ones(len(codes["task"]), bool)
        if wanted.task is not None:
            chosen &= codes["task"] == wanted.task
        if wanted.flip is not None:
            chosen &= codes["flip"] == index.FLIPS.index(wanted.flip)
        if wanted.outcome in index.MARKS:
            chosen &= codes[wanted.outcome] == 1
        elif wanted.outcome is not None:
            chosen &= codes["outcome"] == index.OUTCOMES.index(wanted.outcome)
        if wanted.failure is not None:
            chosen &= codes["failure"] == self.failures.index(wanted.failure)
        match = _match(wanted.text)
        if match:
            holding = np.zeros(len(chosen), bool)
            holding[self._holding(match)] = True
            chosen &= holding
        return np.flatnonzero(chosen).astype(np.uint32)

    def _codes(self, model: int) -> dict[str, npt.NDArray[np.uint8]]:
        with closing(index.connection(self._path)) as database:
            rows = database.execute("SELECT name, body FROM code WHERE model = ?", (model,))
            return {name: np.frombuffer(body, np.uint8) for name, body in rows}

    def _holding(self, match: str) -> npt.NDArray[np.uint32]:
        """The samples that hold the words of ``match``.

        They come as one text, because fetching 200,000 rows one by one takes longer than everything else together.
        """
        query = "SELECT group_concat(rowid) FROM words WHERE words MATCH ?"
        with closing(index.connection(self._path)) as database:
            joined = database.execute(query, [match]).fetchone()[0]
        return np.fromstring(joined, dtype=np.uint32, sep=",") if joined else np.empty(0, np.uint32)


def _match(text: str) -> str:
    """Each piece quoted, so that nothing of it is the search language's, and open at its end.

    A short piece of plain letters is a whole word: as a beginning it would mean half of all words.
    """
    pieces = text.encode("utf-8", "replace").decode().replace("\0", " ").split()
    words = [(piece.replace('"', '""'), piece.isascii() and len(piece) < _BEGINNING) for piece in pieces]
    return " AND ".join(f'"{word}"' if whole else f'"{word}"*' for word, whole in words)
