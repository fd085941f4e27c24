"""An index over the sample files of one run, so that any fifty of 200,000 samples are found at once.

``samples/<model>/<task>.jsonl`` stay the source: the index keeps where each line begins, what a filter asks for, and
which samples hold which word. It lies beside them as ``view.sqlite3``, or in the user's cache where the run's
folder cannot be written, and is made again when a file of the run has another size or time. Making one takes about
100 MB of memory for the words and 7 bytes for each sample and model; a task whose problems are asked several times
needs its scores besides.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.errors import DataError, FullDiskError, is_full
from evalkit.base.identity import decoded, digest, file_name
from evalkit.comparison.score import paired_id
from evalkit.files import private
from evalkit.records import history
from evalkit.tasks.metrics.why import settings_of
from evalkit.view import words
from evalkit.view.error_pages import ErrorPages, flip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.records.history import PastRun

FILE: Final = "view.sqlite3"
FORMAT: Final = 2
FAILED: Final = "failed"
FLIPS: Final = ("", "regressed", "improved", "unchanged")
OUTCOMES: Final = ("", "right", "partial", "wrong", FAILED)
MARKS: Final = ("unparsed", "truncated", "empty")
CODES: Final = ("task", "flip", "outcome", "failure", *MARKS)
"""What a filter asks for, kept as one byte for each sample: masks over 200,000 bytes take no time."""
_EXCERPT = 200
_PARSED = 60
_TOGETHER = 2_000
"""Samples between two reports of progress."""

_SCHEMA = f"""
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE sample (number INTEGER PRIMARY KEY, task INTEGER, position INTEGER, id TEXT, question TEXT);
CREATE TABLE entry (
    model INTEGER, sample INTEGER, task INTEGER, flip TEXT, outcome TEXT, failure TEXT, unparsed INTEGER,
    truncated INTEGER, empty INTEGER, score REAL, parsed TEXT, start INTEGER, length INTEGER,
    PRIMARY KEY (model, sample)) WITHOUT ROWID;
CREATE TABLE code (model INTEGER, name TEXT, body BLOB, PRIMARY KEY (model, name)) WITHOUT ROWID;
{words.SCHEMA}"""
_CLOSING = """
CREATE INDEX sample_by_id ON sample (task, id);
"""


@dataclass(frozen=True, slots=True)
class Files:
    """Where the samples of one run lie."""

    folder: Path
    models: tuple[str, ...]
    """Labels, the baseline first."""
    tasks: tuple[str, ...]
    headlines: tuple[str, ...]
    """The metric of each task that counts."""
    attempts: tuple[int, ...]
    """How often each task asks a problem."""
    dialects: tuple[str, ...]
    """Whose reading of its metrics each task is scored by."""
    settings: tuple[Mapping[str, Json], ...]
    """What each task's own settings change of what its metrics are given; empty where the run does not say."""

    @classmethod
    def of(cls, run: PastRun) -> Files:
        """The files that a finished run has left."""
        rows = () if run.results is None else run.results.tasks
        names = [row.task for row in rows]
        several = history.attempts(run)
        return cls(
            run.folder,
            tuple(run.labels),
            tuple(names),
            tuple(row.metric for row in rows),
            tuple(several.get(name, 1) for name in names),
            tuple(row.dialect or "" for row in rows),
            tuple(_settings(run, name) for name in names),
        )

    def path(self, model: int, task: int) -> Path:
        """The file of one model's answers on one task."""
        return self.folder / "samples" / file_name(self.models[model]) / f"{self.tasks[task]}.jsonl"

    def all(self) -> list[Path]:
        """Every file that is there."""
        paths = [self.path(model, task) for task in range(len(self.tasks)) for model in range(len(self.models))]
        return [path for path in paths if path.is_file()]

    def state(self) -> str:
        """What the index was made from: it is stale when this is another."""
        stats = [(path, path.stat()) for path in self.all()]
        found = [[str(path.relative_to(self.folder)), stat.st_size, stat.st_mtime_ns] for path, stat in stats]
        return digest([FORMAT, *map(list, (self.models, self.tasks, self.headlines, self.attempts)), found])


def _settings(run: PastRun, task: str) -> Mapping[str, Json]:
    planned = run.facts.plan.part(task) if run.facts.plan else None
    return settings_of(planned.task) if planned else {}


def ready(files: Files) -> Path | None:
    """The index of these files, when there is one and it is not stale."""
    state = files.state()
    for path in _places(files):
        with suppress(sqlite3.Error), closing(connection(path)) as database:
            row = database.execute("SELECT value FROM fact WHERE name = 'state'").fetchone()
            if row is not None and row[0] == state:
                return path
    return None


def connection(path: Path) -> sqlite3.Connection:
    """A connection that cannot change anything."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def build(files: Files, tell: Callable[[int, int], None]) -> Path:
    """Make the index; ``tell`` is given the bytes read so far and all bytes.

    Raises:
        DataError: There are no files, a line is damaged, two models' files do not hold the same samples, or no folder
            can be written.
    """
    if not files.all():
        raise DataError(
            f"{files.folder / 'samples'}: the run's sample files are not there any more",
            fix="bring the folder back, or run the same command again: it writes them anew from the store",
        )
    reasons: list[tuple[Path, Exception]] = []
    for path in _places(files):
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            private.folder(path.parent)
            unfinished.unlink(missing_ok=True)
            os.close(private.descriptor(unfinished, os.O_RDWR))
            with closing(sqlite3.connect(unfinished, isolation_level=None)) as database:
                _Builder(files, database, tell).build()
            unfinished.replace(path)
        except (OSError, sqlite3.OperationalError) as error:
            reasons.append((path.parent, error))
        else:
            return path
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
    said = "the index of the samples cannot be written: " + "; ".join(f"{place}: {error}" for place, error in reasons)
    if any(is_full(error) for _, error in reasons):
        raise FullDiskError(said, fix="make room on one of these disks")
    raise DataError(said, fix="make one of these folders writable")


def _places(files: Files) -> tuple[Path, Path]:
    from platformdirs import user_cache_path  # noqa: PLC0415 - only a viewer needs it

    own = digest(str(files.folder.resolve()))[:24]
    return files.folder / FILE, user_cache_path("evalkit") / "view" / f"{own}.sqlite3"


class _Builder:
    """Reads every file once, the models of a task side by side."""

    def __init__(self, files: Files, database: sqlite3.Connection, tell: Callable[[int, int], None]) -> None:
        self._files, self._database, self._tell = files, database, tell
        self._total = sum(path.stat().st_size for path in files.all())
        self._read = 0
        self._number = 0
        self._words = words.IndexWriter(database)
        self._failures = [""]
        self._codes = {(model, name): bytearray() for model in range(len(files.models)) for name in CODES}

    def build(self) -> None:
        state = self._files.state()
        self._database.executescript(_SCHEMA)
        self._database.execute("BEGIN")
        for task in range(len(self._files.tasks)):
            self._task(task)
        self._words.end_part()
        codes = [(model, name, bytes(body)) for (model, name), body in self._codes.items()]
        self._database.executemany("INSERT INTO code VALUES (?, ?, ?)", codes)
        facts = [("state", state), ("failures", json.dumps(self._failures))]
        self._database.executemany("INSERT INTO fact VALUES (?, ?)", facts)
        self._database.execute("COMMIT")
        self._database.executescript(_CLOSING)

    def _task(self, task: int) -> None:
        models = [model for model in range(len(self._files.models)) if self._files.path(model, task).is_file()]
        readers = [_lines(self._files.path(model, task)) for model in models]
        several = self._files.attempts[task] > 1
        problems = ErrorPages()
        samples: list[Any] = []
        entries: list[Any] = []
        for position, found in enumerate(zip_longest(*readers)):
            self._same(task, models, found)
            first = found[0][2]
            number, self._number = self._number, self._number + 1
            question = _question(first)
            samples.append((number, task, position, _clean(str(first["id"])), question.strip()[:_EXCERPT]))
            self._words.add(_text(question, [line for _, _, line in found]))
            # Attempts flip with their problem, which is known when all of them have been read.
            base = _score(first) if models[0] == 0 and not several else None
            problem = paired_id(str(first["id"]), self._files.attempts[task])
            for model, (start, length, line) in zip(models, found, strict=True):
                problems.add(problem, number, model, _score(line) if several else None)
                entry = (flip(base, _score(line)) if model else None, *_entry(line, self._files.headlines[task]))
                entries.append((model, number, task, *entry, start, length))
                self._note(model, task, entry)
                self._read += length
            for model in {*range(len(self._files.models))}.difference(models):
                self._note(model, task, ("", "", "", 0, 0, 0))
            if len(samples) >= _TOGETHER:
                self._flush(samples, entries)
        self._flush(samples, entries)
        for model, number, word in problems.flips():
            self._codes[model, "flip"][number] = FLIPS.index(word)
            self._database.execute("UPDATE entry SET flip = ? WHERE model = ? AND sample = ?", (word, model, number))

    def _note(self, model: int, task: int, entry: Sequence[Any]) -> None:
        """Add one sample to what the filters look at."""
        change, outcome, failure, *marks = entry[:6]
        if (failure or "") not in self._failures:
            self._failures.append(failure)
        values = [task, FLIPS.index(change or ""), OUTCOMES.index(outcome or ""), self._failures.index(failure or "")]
        for name, value in zip(CODES, [*values, *marks], strict=True):
            self._codes[model, name].append(value)

    def _flush(self, samples: list[Any], entries: list[Any]) -> None:
        self._database.executemany("INSERT INTO sample VALUES (?, ?, ?, ?, ?)", samples)
        marks = ", ".join("?" * 13)
        self._database.executemany(f"INSERT INTO entry VALUES ({marks})", entries)  # noqa: S608 - question marks only
        samples.clear()
        entries.clear()
        self._tell(self._read, self._total)

    def _same(self, task: int, models: Sequence[int], found: Sequence[Any]) -> None:
        """Both files list the planned samples in one order; where they do not, pairing them would be a lie."""
        ids = {None if one is None else one[2]["id"] for one in found}
        if len(ids) > 1:
            names = " and ".join(self._files.models[model] for model in models)
            raise DataError(
                f"{self._files.tasks[task]}: the sample files of {names} do not hold the same samples",
                fix="run the same command again: it writes them anew",
            )


def _lines(path: Path) -> Iterator[tuple[int, int, dict[str, Json]]]:
    """Start, length and content of each line. Bytes are read, because only a line feed ends a line."""
    start = 0
    with path.open("rb") as stream:
        for raw in stream:
            yield start, len(raw), parsed(raw, f"{path.name}, byte {start}")
            start += len(raw)


def parsed(raw: bytes, where: str) -> dict[str, Json]:
    """One line of a sample file.

    Raises:
        DataError: It is not what a run writes.
    """
    try:
        found = decoded(raw)
        if "id" in found and isinstance(found["content"], list):
            return dict(found)
    except (ValueError, TypeError, KeyError):
        pass
    raise DataError(f"{where}: not a line that a run writes", fix="run the same command again: it writes it anew")


def _entry(line: Mapping[str, Json], headline: str) -> tuple[Json, ...]:
    """Outcome, failure kind, unparsed, truncated, empty, score and what was parsed."""
    failure = line.get("failure")
    if failure is not None:
        return FAILED, str(failure["kind"]), 0, 0, 0, None, None
    score = _score(line)
    detail = (line.get("scores") or {}).get(headline) or {}
    read = detail.get("parsed")
    outcome = None if score is None else "right" if score >= 1 else "wrong" if score <= 0 else "partial"
    return (
        outcome,
        None,
        int(read is None),
        int(line.get("finish_reason") == "length"),
        int(not (line.get("answer") or "").strip()),
        score,
        None if read is None else _clean(str(read))[:_PARSED],
    )


def _score(line: Mapping[str, Json]) -> float | None:
    found = line.get("score")
    return float(found) if isinstance(found, int | float) else None


def _question(line: Mapping[str, Json]) -> str:
    return _clean(" ".join(str(part["text"]) for part in line["content"] if "text" in part))


def _text(question: str, lines: Sequence[Mapping[str, Json]]) -> str:
    """What a text search looks at: the sample's id, question and references, and every model's answer."""
    first = lines[0]
    pieces = [str(first["id"]), question, json.dumps(first.get("references"), ensure_ascii=False)]
    pieces += [str(line.get("answer") or (line.get("failure") or {}).get("message") or "") for line in lines]
    return _clean("\n".join(pieces))


def _clean(text: str) -> str:
    """SQLite takes no lone surrogates, which a broken tokenizer can emit through JSON."""
    return text.encode("utf-8", "replace").decode()
