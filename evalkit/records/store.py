"""The samples store: every answer ever given, by fingerprint, in one SQLite file with one writer.

Tables: ``sample`` (a question without its image bytes, by content), ``listing`` (the planned samples of a task, by
content), ``response`` (an answer or a failure, by fingerprint), ``verdict`` (what a checker said of an answer that is a
program), ``run`` (one comparison), ``epoch`` (how often a model's answers were asked for afresh) and ``reading`` (what
rows came to). A second night on the same data adds no samples and no listings.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from evalkit.base.errors import StoreError
from evalkit.base.types import Answer, Record
from evalkit.files import private
from evalkit.records import formats, kept_passes, readings, responses, stored_samples, storefile
from evalkit.records.judgements import judgement_key
from evalkit.records.kept_passes import Content
from evalkit.records.listing import Entries, Listed
from evalkit.records.listing import keep as keep_listing
from evalkit.records.listing import written as listing_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from evalkit.base.types import FailureKind, Json, Outcome, Sample
    from evalkit.records.readings import KnownReading

    _Rows = tuple[int, list[tuple[Any, ...]]]  # of a table, with the format that they are in
    _Planned = tuple[list[tuple[Any, ...]], list[list[str]], list[list[_Rows]]]
    """Rows of some planned samples, and of each model the fingerprints and what is stored under them."""

FILE = storefile.FILE
_AT_ONCE = 500
"""Rows, and fingerprints that one query asks for; SQLite took 999 variables at most for long."""
_KEEP_SAMPLE = (
    "INSERT INTO sample VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body WHERE body <> excluded.body"
)
"""A sample that an earlier evalkit has spelled otherwise is quicker to read in today's spelling."""
_PLANNED = (
    "SELECT listing.sample, sample.body, listing.request FROM listing"
    " LEFT JOIN sample ON sample.digest = listing.sample WHERE listing.listing = ? ORDER BY listing.position"
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as the store keeps it."""

    id: str
    plan: str
    finished: bool
    body: Json


class Store:
    """Reads and writes one store; a context manager. Writers exclude each other, readers exclude nobody."""

    def __init__(self, folder: Path, *, write: bool = True, tell: Callable[[str], None] | None = None) -> None:
        """Name the folder that holds, or will hold, ``store.sqlite3``; ``tell`` hears of what takes long to open."""
        self._tell = tell
        self.path = folder / FILE
        self._write = write
        self._lock = -1
        self._format = formats.VERSION
        """A store of an earlier one is only read as it is."""
        self.withdrawn = 0
        """Answers that an earlier evalkit kept although their server had ended them: failures since this opening."""

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            StoreError: Another process writes to it, it cannot be written, or a newer evalkit made it.
        """
        with self._guarded(), ExitStack() as undone:
            if self._write:
                private.folder(self.path.parent)
                self._lock = storefile.locked(self.path.with_name("store.lock"))
                undone.callback(self._unlock)
                # SQLite gives the files beside it the mode of this one.
                os.close(private.descriptor(self.path, os.O_RDWR))
            elif not self.path.exists():
                raise StoreError(f"{self.path}: no store here", fix=storefile.OTHER)
            self._connection = undone.enter_context(closing(self._connected()))
            self._prepare()
            undone.pop_all()
        return self

    def _connected(self) -> sqlite3.Connection:
        beside = self.path.with_name(FILE + "-wal")
        if self._write or beside.exists() or os.access(self.path.parent, os.W_OK):
            return sqlite3.connect(self.path, isolation_level=None, timeout=30)
        # SQLite puts a file beside one in WAL mode even to read it. In a folder where it may not, nothing is written.
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?immutable=1", isolation_level=None, uri=True)

    def _prepare(self) -> None:
        self._format = formats.found(self._connection, self.path)
        if not self._write:
            if not self._format:
                raise StoreError(f"{self.path}: nothing was ever kept in this file", fix=storefile.OTHER)
            return
        # In WAL mode "normal" survives the death of the process; only a power cut may lose the last answers.
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        if self._format < formats.VERSION:
            with self._transaction():
                self.withdrawn = formats.bring(self._connection, self._format, self._tell)
            self._format = formats.VERSION

    def __exit__(self, *exc: object) -> None:
        """Close it and let the next writer in."""
        self._connection.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # --- samples and listings ---

    def write_listing(self, planned: Iterable[tuple[Sample, str]], *, note: str) -> tuple[str, list[Listed]]:
        """Keep a task's planned samples in order; returns the listing's key and its entries.

        Each item is a sample with its request digest; they are written as they come. ``note`` is part of the key.
        """
        entries: list[Listed] = []
        with self._transaction():
            self._connection.executemany(_KEEP_SAMPLE, listing_rows(planned, entries))
            listing = keep_listing(self._connection, entries, note)
        return listing, entries

    def write_part(self, entries: Sequence[Listed], *, note: str) -> str:
        """List samples that other listings have brought into the store; returns the key, as ``write_listing`` does."""
        with self._transaction():
            return keep_listing(self._connection, entries, note)

    def reading(self, origin: str) -> tuple[KnownReading, Entries] | None:
        """What the reading of an origin came to, with the entries of its listing; None where it is not known."""
        with self._guarded():
            found = readings.known(self._connection, origin)
        if found is not None:
            self._check_listing(found.listing)
        return None if found is None else (found, Entries(self._entries(found.listing)))

    def keep_reading(self, origin: str, reading: KnownReading) -> None:
        """Keep what the reading of an origin came to: every sample of the listing is in the store."""
        with storefile.errors(self.path):
            readings.keep(self._connection, origin, reading)

    # --- what a pass over all that became of a listing came to ---

    def content(self, listing: str, fingerprints: Sequence[Callable[[str], str]]) -> Content:
        """Of all that `outcomes_of` reads for these, read without being understood."""
        return Content(self._planned(listing, fingerprints))

    def has_pass(self, origin: str) -> bool:
        """Whether a pass of this origin was kept, over whatever content."""
        with self._guarded():
            return kept_passes.there(self._connection, origin)

    def kept_pass(self, origin: str, content: str) -> Iterator[Json]:
        """What was kept of a pass, part by part; nothing where it is not known."""
        with self._guarded():
            yield from kept_passes.known(self._connection, origin, content)

    def keep_pass(self, origin: str, content: str, bodies: Iterable[Json]) -> None:
        """Keep a pass, in the place of an earlier one of this origin."""
        with self._transaction():
            kept_passes.keep(self._connection, origin, content, bodies)

    def records(self, listing: str, fingerprint: Callable[[str], str], checker: str = "") -> Iterator[Record]:
        """Every planned sample of a listing in order, with its outcome under ``fingerprint(request digest)``.

        Answers carry the judgement of the checker of that identity, where it has judged them.
        """
        for sample, (outcome,) in self.outcomes_of(listing, [fingerprint], checker):
            yield Record(sample, outcome)

    def outcomes_of(
        self,
        listing: str,
        fingerprints: Sequence[Callable[[str], str]],
        checker: str = "",
        content: Content | None = None,
    ) -> Iterator[tuple[Sample, tuple[Outcome | None, ...]]]:
        """The same of several models, everything read once; what is read goes into ``content``, too."""
        # All of it before the first sample is handed out: whoever takes them counts on their number and order.
        self._check_listing(listing)
        for part in self._planned(listing, fingerprints):
            if content is not None:
                content.add(part)
            rows, keys, stored = part
            samples = [stored_samples.read(self.path, key, body) for key, body, _ in rows]
            found = [self._understood(one) for one in stored]
            for at, sample in enumerate(samples):
                if not rows[at][2]:
                    yield sample, (stored_samples.bad_row(sample),) * len(keys)
                    continue
                outcomes = (answers.get(one[at]) for one, answers in zip(keys, found, strict=True))
                yield sample, tuple(self._judged(sample, outcome, checker) for outcome in outcomes)

    def _planned(self, listing: str, fingerprints: Sequence[Callable[[str], str]]) -> Iterator[_Planned]:
        for rows in self._batches(_PLANNED, listing):
            keys = [[each(request) if request else "" for _, _, request in rows] for each in fingerprints]
            yield rows, keys, [[*self._responses(responses.selected, one)] for one in keys]

    def settled(self, listing: str, fingerprint: Callable[[str], str]) -> int:
        """How many planned samples of a listing have an outcome; none is read."""
        requests = list(self.requests(listing))
        keys = [fingerprint(request) for request in requests if request]
        kinds = self.kinds(keys)
        return len(requests) - len(keys) + sum(key in kinds for key in keys)

    def _judged(self, sample: Sample, outcome: Outcome | None, checker: str) -> Outcome | None:
        if not checker or not isinstance(outcome, Answer):
            return outcome
        return replace(outcome, judgement=self.judgement(judgement_key(checker, sample, outcome)))

    def _check_listing(self, listing: str) -> None:
        if self._format < responses.SEALED_SINCE:
            return
        row = self._row("SELECT seal FROM sealed WHERE listing = ?", listing)
        if storefile.listing_seal(self._entries(listing)) != (row[0] if row else storefile.listing_seal(())):
            raise storefile.damaged(self.path, "a task's list of samples")

    def requests(self, listing: str) -> Iterator[str]:
        """The request of each planned sample of a listing in order; empty where its row can be asked nothing."""
        return (request for _, request in self._entries(listing))

    def _entries(self, listing: str) -> Iterator[Any]:
        return self._rows("SELECT sample, request FROM listing WHERE listing = ? ORDER BY position", listing)

    def sample(self, key: str) -> Sample:
        """One sample by its key, without image bytes."""
        return self.samples([key])[key]

    def samples(self, keys: Sequence[str]) -> dict[str, Sample]:
        """Several of them."""
        with self._guarded():
            return stored_samples.chosen(self.path, self._connection, keys)

    def _guarded(self) -> AbstractContextManager[None]:
        return storefile.errors(self.path) if self._write else storefile.reading(self.path)

    def _batches(self, query: str, *values: str) -> Iterator[list[tuple[Any, ...]]]:
        with self._guarded():
            cursor = self._connection.execute(query, values)
        while True:
            with self._guarded():
                some = cursor.fetchmany(_AT_ONCE)
            if not some:
                return
            yield some

    def _rows(self, query: str, *values: str) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(self._batches(query, *values))

    def _row(self, query: str, *values: str) -> tuple[Any, ...] | None:
        with self._guarded():
            found: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return found

    def _sealed(self, table: str, where: str, *values: str) -> tuple[Any, ...] | None:
        """The one row, without its seal, that a condition finds.

        Raises:
            StoreError: It is not what was written.
        """
        columns, sealed = ", ".join(storefile.SEALED[table]), self._format >= responses.SEALED_SINCE
        row = self._row(f"SELECT {columns}{', seal' if sealed else ''} FROM {table} WHERE {where}", *values)  # noqa: S608 - names and conditions of this module
        if row is None or not sealed:
            return row
        if storefile.seal(*row[:-1]) != row[-1]:
            raise storefile.damaged(self.path, f"a row of '{table}' ({str(row[0])[:40]})")
        return row[:-1]

    # --- responses ---

    def outcome(self, fingerprint: str) -> Outcome | None:
        """What is stored under ``fingerprint``."""
        return self.outcomes([fingerprint]).get(fingerprint)

    def outcomes(self, fingerprints: Sequence[str]) -> dict[str, Outcome]:
        """What is stored under these fingerprints; those under which nothing is are left out.

        Raises:
            StoreError: A row is not what was written.
        """
        return self._understood(self._responses(responses.selected, fingerprints))

    def _understood(self, found: Iterable[_Rows]) -> dict[str, Outcome]:
        return {row[0]: responses.read(self.path, version, row) for version, rows in found for row in rows}

    def kinds(self, fingerprints: Sequence[str]) -> dict[str, FailureKind | None]:
        """Kind of failure by fingerprint, None for an answer, none of them read; what is not stored is left out."""
        # In the order of the table: each page of it is read once.
        return {
            key: responses.kind(failure, finish)
            for _, rows in self._responses(lambda _: "fingerprint, failure, finish_reason", sorted(fingerprints))
            for key, failure, finish in rows
        }

    def _responses(self, columns: Callable[[int], str], fingerprints: Sequence[str]) -> Iterator[_Rows]:
        """Rows under some fingerprints, with the format that they are in."""
        for first in range(0, len(fingerprints), _AT_ONCE):
            part = fingerprints[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            with self._guarded(), self._one_state():
                query = f"SELECT {columns(self._format)} FROM response WHERE fingerprint IN ({marks})"  # noqa: S608 - names of ours
                rows = self._connection.execute(query, part).fetchall()
            yield self._format, rows

    @contextmanager
    def _one_state(self) -> Iterator[None]:
        """A format and rows that belong together: a writer may be bringing a store of an earlier one to today's."""
        if self._format == formats.VERSION:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            self._format = formats.found(self._connection, self.path)
            yield
        finally:
            self._connection.execute("COMMIT")

    def put(self, fingerprint: str, outcome: Outcome, run: str) -> None:
        """Commit one outcome. An answer is never replaced by a failure."""
        self.put_all([(fingerprint, outcome)], run)

    def put_all(self, outcomes: Iterable[tuple[str, Outcome]], run: str) -> None:
        """The same of several: all or none, for a commit costs as much as an outcome."""
        with self._transaction():
            self._connection.executemany(responses.PUT, (responses.written(*one, run) for one in outcomes))

    # --- judgements ---

    def judgement(self, key: str) -> Mapping[str, Json] | None:
        """What a checker said of an answer, by ``judgement_key``; None when it was not judged."""
        row = self._sealed("verdict", "key = ?", key)
        return json.loads(row[1]) if row else None

    def put_judgement(self, key: str, judgement: Mapping[str, Json]) -> None:
        """Commit one judgement."""
        with storefile.errors(self.path):
            row = (key, json.dumps(dict(judgement)))
            self._connection.execute("INSERT OR REPLACE INTO verdict VALUES (?, ?, ?)", (*row, storefile.seal(*row)))

    # --- runs and epochs ---

    def keep_run(self, run: RunRow) -> None:
        """Keep what is known of a run: when it starts, and again when it is complete."""
        with storefile.errors(self.path):
            row = (run.id, run.plan, int(run.finished), json.dumps(run.body))
            self._connection.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?)", (*row, storefile.seal(*row)))

    def latest_run(self, plan: str) -> RunRow | None:
        """The newest run of a plan. Run ids begin with their time."""
        return self._run("plan = ? ORDER BY id DESC LIMIT 1", plan)

    def run(self, key: str) -> RunRow | None:
        """One run by its id."""
        return self._run("id = ?", key)

    def run_ids(self) -> list[str]:
        """Ids of all runs, the oldest first."""
        return [row[0] for row in self._rows("SELECT id FROM run ORDER BY id")]

    def _run(self, where: str, *values: str) -> RunRow | None:
        row = self._sealed("run", where, *values)
        return RunRow(row[0], row[1], bool(row[2]), json.loads(row[3])) if row else None

    def epoch(self, identity: str) -> int:
        """How often answers of this model on this engine were asked for afresh."""
        row = self._sealed("epoch", "identity = ?", identity)
        return row[1] if row else 0

    def next_epoch(self, identity: str) -> int:
        """Set the answers of this model aside: they stay in the store, and none is reused from now on."""
        row = (identity, number := self.epoch(identity) + 1)
        with storefile.errors(self.path):
            self._connection.execute("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)", (*row, storefile.seal(*row)))
        return number

    def _transaction(self) -> AbstractContextManager[None]:
        return storefile.transaction(self.path, self._connection)
