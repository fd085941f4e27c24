"""The samples store: every answer ever given, by fingerprint, in one SQLite file with one writer.

Tables: ``sample`` (a question without its image bytes, by content), ``listing`` (the planned samples of a task, by
content), ``response`` (an answer or a failure, by fingerprint), ``verdict`` (what a checker said of an answer that is a
program), ``run`` (one comparison) and ``epoch`` (how often a
model's answers were asked for afresh). A second night on the same data adds no samples and no listings.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from evalkit.base.errors import StoreError
from evalkit.base.identity import digest
from evalkit.base.types import FINAL, WHOLE, Answer, Elsewhere, Failure, FailureKind, Record, Sample, Text, ended
from evalkit.files import private
from evalkit.records import storefile

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from evalkit.base.types import Image, Json, Outcome

SCHEMA_VERSION = 3
_SEALED_SINCE = 3
FILE = storefile.FILE
_ENDINGS = ", ".join(f"'{word}'" for word in sorted(filter(None, WHOLE)))
"""Words of ``WHOLE`` for SQL: a stored answer with another one is a failure, and is asked again."""
_AT_ONCE = 500
"""Fingerprints that one query asks for; SQLite took 999 variables at most for long."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sample (digest TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listing (
    listing TEXT, position INTEGER, sample TEXT NOT NULL, request TEXT NOT NULL,
    PRIMARY KEY (listing, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS response (
    fingerprint TEXT PRIMARY KEY, failure TEXT, text TEXT, finish_reason TEXT, prompt_tokens INTEGER,
    completion_tokens INTEGER, latency_s REAL NOT NULL, tries INTEGER NOT NULL, run TEXT NOT NULL,
    elsewhere TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdict (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (
    id TEXT PRIMARY KEY, plan TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sealed (listing TEXT PRIMARY KEY, seal TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS epoch (identity TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS run_by_plan ON run (plan);
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One planned sample: its content and the request that it makes."""

    sample: str
    """Key of the sample in the store."""
    request: str
    """``chat.request_digest``; empty for a row that cannot be made into a question (see ``bad_row``)."""


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
        self._format = SCHEMA_VERSION
        """A store of an earlier one that is only read has no seals, and one of format 1 nothing beside an answer."""
        self.withdrawn = 0
        """Answers that an earlier evalkit kept although their server had ended them: failures since this opening."""

    def __enter__(self) -> Self:
        """Open it.

        Raises:
            StoreError: Another process writes to it, it cannot be written, or a newer evalkit made it.
        """
        with self._guarded():
            if self._write:
                private.folder(self.path.parent)
                self._lock = storefile.locked(self.path.with_name("store.lock"))
                # SQLite gives the files beside it the mode of this one.
                os.close(private.descriptor(self.path, os.O_RDWR))
            elif not self.path.exists():
                raise StoreError(f"{self.path}: no store here", fix=storefile.OTHER)
            self._connection = self._connected()
            self._prepare()
        return self

    def _connected(self) -> sqlite3.Connection:
        beside = self.path.with_name(FILE + "-wal")
        if self._write or beside.exists() or os.access(self.path.parent, os.W_OK):
            return sqlite3.connect(self.path, isolation_level=None, timeout=30)
        # SQLite puts a file beside one in WAL mode even to read it. In a folder where it may not, nothing is written.
        return sqlite3.connect(f"{self.path.resolve().as_uri()}?immutable=1", isolation_level=None, uri=True)

    def _prepare(self) -> None:
        found = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if found > SCHEMA_VERSION:
            raise StoreError(f"{self.path}: written by a newer evalkit (format {found})", fix="update evalkit")
        storefile.check_is_store(self._connection, self.path, found)
        if not found and not self._write:
            raise StoreError(f"{self.path}: nothing was ever kept in this file", fix=storefile.OTHER)
        if not self._write:
            self._format = found
            return
        # In WAL mode "normal" survives the death of the process; only a power cut may lose the last answers.
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        if found < SCHEMA_VERSION:
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                if found == 1:
                    self._connection.execute("ALTER TABLE response ADD COLUMN elsewhere TEXT")
                    self._withdraw()
                storefile.seal_all(self._connection, self._tell)
                self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def _withdraw(self) -> None:
        """Make failures of the answers that their server had ended: format 1 kept how an answer ended, unjudged."""
        kept = self._connection.execute(
            "SELECT fingerprint, finish_reason FROM response WHERE failure IS NULL AND finish_reason IS NOT NULL"
        )
        found = [(key, ended(reason)) for key, reason in kept if reason not in WHOLE]
        self._connection.executemany(
            "UPDATE response SET failure = ?, text = ?, finish_reason = NULL WHERE fingerprint = ?",
            [(failure.kind.value, failure.message, key) for key, failure in found],
        )
        self.withdrawn = len(found)

    def __exit__(self, *exc: object) -> None:
        """Close it and let the next writer in."""
        self._connection.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # --- samples and listings ---

    def write_listing(self, planned: Iterable[tuple[Sample, str]], *, note: str) -> tuple[str, list[Listed]]:
        """Keep a task's planned samples in order; returns the listing's key and its entries.

        Each item is a sample with its request digest. ``note`` (task and data set revision) is part of the key.
        Samples are written as they come, so memory holds digests only.
        """
        entries: list[Listed] = []
        with self._transaction():
            for sample, request in planned:
                body = _sample_json(sample)
                key = digest(body)
                self._connection.execute("INSERT OR IGNORE INTO sample VALUES (?, ?)", (key, json.dumps(body)))
                entries.append(Listed(key, request))
            listing = digest([note, [[entry.sample, entry.request] for entry in entries]])
            self._connection.executemany(
                "INSERT OR IGNORE INTO listing VALUES (?, ?, ?, ?)",
                ((listing, at, entry.sample, entry.request) for at, entry in enumerate(entries)),
            )
            sealed = storefile.listing_seal((entry.sample, entry.request) for entry in entries)
            self._connection.execute("INSERT OR IGNORE INTO sealed VALUES (?, ?)", (listing, sealed))
        return listing, entries

    def records(self, listing: str, fingerprint: Callable[[str], str], checker: str = "") -> Iterator[Record]:
        """Every planned sample of a listing in order, with its outcome under ``fingerprint(request digest)``.

        Answers carry the judgement of the checker of that identity, where it has judged them.
        """
        # All of it before the first sample is handed out: whoever takes them counts on their number and order.
        listed = self._rows("SELECT sample, request FROM listing WHERE listing = ? ORDER BY position", listing)
        self._check_listing(listing, list(listed))
        rows = self._rows(
            "SELECT listing.sample, sample.body, listing.request FROM listing"
            " LEFT JOIN sample ON sample.digest = listing.sample WHERE listing.listing = ? ORDER BY listing.position",
            listing,
        )
        for key, body, request in rows:
            sample = storefile.read_sample(self.path, key, body)
            outcome = self.outcome(fingerprint(request)) if request else bad_row(sample)
            if checker and isinstance(outcome, Answer):
                outcome = replace(outcome, judgement=self.judgement(judgement_key(checker, sample, outcome)))
            yield Record(sample, outcome)

    def _check_listing(self, listing: str, read: list[tuple[object, object]]) -> None:
        row = self._row("SELECT seal FROM sealed WHERE listing = ?", listing) if self._format >= _SEALED_SINCE else None
        fits = row[0] == storefile.listing_seal(read) if row else not read or self._format < _SEALED_SINCE
        if not fits:
            raise storefile.damaged(self.path, "a task's list of samples")

    def sample(self, key: str) -> Sample:
        """One sample by its key, without image bytes."""
        row = self._row("SELECT body FROM sample WHERE digest = ?", key)
        return storefile.read_sample(self.path, key, row[0] if row else None)

    # --- reading ---

    def _guarded(self) -> AbstractContextManager[None]:
        return storefile.errors(self.path) if self._write else storefile.reading(self.path)

    def _rows(self, query: str, *values: str) -> Iterator[tuple[Any, ...]]:
        with self._guarded():
            cursor = self._connection.execute(query, values)
        some: list[tuple[Any, ...]] | None = None
        while some is None or some:
            with self._guarded():
                some = cursor.fetchmany(_AT_ONCE)
            yield from some

    def _row(self, query: str, *values: str) -> tuple[Any, ...] | None:
        with self._guarded():
            found: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return found

    def _sealed(self, table: str, where: str, *values: str) -> tuple[Any, ...] | None:
        """The one row, without its seal, that a condition finds.

        Raises:
            StoreError: It is not what was written.
        """
        columns = ", ".join(storefile.SEALED[table])
        columns = columns.replace("elsewhere", "NULL") if self._format == 1 else columns
        sealed = self._format >= _SEALED_SINCE
        row = self._row(f"SELECT {columns}{', seal' if sealed else ''} FROM {table} WHERE {where}", *values)  # noqa: S608 - names and conditions of this module
        if row is None or not sealed:
            return row
        if storefile.seal(*row[:-1]) != row[-1]:
            raise storefile.damaged(self.path, f"a row of '{table}' ({str(row[0])[:40]})")
        return row[:-1]

    # --- responses ---

    def outcome(self, fingerprint: str) -> Outcome | None:
        """What is stored under ``fingerprint``."""
        row = self._sealed("response", "fingerprint = ?", fingerprint)
        if row is None:
            return None
        _, failure, text, finish, prompt, completion, latency, tries, _, beside = row
        if failure is not None:
            return Failure(FailureKind(failure), text, latency, tries)
        if finish not in WHOLE:  # kept by an evalkit that took it for an answer's ending
            return replace(ended(finish), latency_s=latency, tries=tries)
        elsewhere = Elsewhere(*json.loads(beside)) if beside else None
        return Answer(text, finish, prompt, completion, latency, tries, elsewhere=elsewhere)

    def settled_of(self, fingerprints: Sequence[str], final: Iterable[FailureKind] = FINAL) -> set[str]:
        """Those of ``fingerprints`` that are ``settled``, without reading what is stored under them."""
        kinds = [kind.value for kind in final]
        found: set[str] = set()
        for first in range(0, len(fingerprints), _AT_ONCE):
            part = fingerprints[first : first + _AT_ONCE]
            rows = self._rows(
                f"SELECT fingerprint FROM response WHERE fingerprint IN ({_marks(part)})"  # noqa: S608 - marks alone
                f" AND (failure IN ({_marks(kinds)}) OR failure IS NULL"
                f" AND (finish_reason IS NULL OR finish_reason IN ({_ENDINGS})))",
                *part,
                *kinds,
            )
            found.update(fingerprint for (fingerprint,) in rows)
        return found

    def put(self, fingerprint: str, outcome: Outcome, run: str) -> None:
        """Commit one outcome. An answer is never replaced by a failure."""
        if isinstance(outcome, Answer):
            # SQLite takes no lone surrogates, which a broken tokenizer can emit through JSON.
            text = None if outcome.text is None else outcome.text.encode("utf-8", "replace").decode()
            row: tuple[str | int | None, ...] = (
                None,
                text,
                outcome.finish_reason,
                _whole(outcome.prompt_tokens),
                _whole(outcome.completion_tokens),
            )
            beside = json.dumps([outcome.elsewhere.place, outcome.elsewhere.text]) if outcome.elsewhere else None
        else:
            row, beside = (outcome.kind.value, outcome.message, None, None, None), None
        whole = (fingerprint, *row, float(outcome.latency_s), int(outcome.tries), run, beside)
        with storefile.errors(self.path):
            self._connection.execute(
                "INSERT INTO response VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - words of ours
                " ON CONFLICT (fingerprint) DO UPDATE SET"
                " failure=excluded.failure, text=excluded.text, finish_reason=excluded.finish_reason,"
                " prompt_tokens=excluded.prompt_tokens, completion_tokens=excluded.completion_tokens,"
                " latency_s=excluded.latency_s, tries=excluded.tries, run=excluded.run,"
                " elsewhere=excluded.elsewhere, seal=excluded.seal"
                f" WHERE response.failure IS NOT NULL OR response.finish_reason NOT IN ({_ENDINGS})",
                (*whole, storefile.seal(*whole)),
            )

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
        number = self.epoch(identity) + 1
        with storefile.errors(self.path):
            row = (identity, number)
            self._connection.execute("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)", (*row, storefile.seal(*row)))
        return number

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with storefile.errors(self.path):
            self._connection.execute("BEGIN")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite may have rolled back by itself, as on a full disk: to do it again would hide why.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def settled(outcome: Outcome | None, final: Container[FailureKind] = FINAL) -> bool:
    """Whether asking again would bring nothing: an answer, or a failure that is final."""
    return isinstance(outcome, Answer) or (outcome is not None and outcome.kind in final)


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def judgement_key(checker: str, sample: Sample, answer: Answer) -> str:
    """Key of a judgement: the checker with its problems and limits, the problem, and the answer's text."""
    return digest([checker, sample.references, answer.text])


def _whole(count: float | None) -> int | None:
    """A count as SQLite gives it back."""
    return None if count is None else int(count)


def bad_row(sample: Sample) -> Failure:
    """The failure of a row that could not be made into a question: its one text says why."""
    return Failure(FailureKind.BAD_ROW, sample.text)


def _sample_json(sample: Sample) -> dict[str, Json]:
    content = _parts_json(sample.content)
    body: dict[str, Json] = {
        "id": sample.id,
        "content": content,
        "references": sample.references,
        "cluster": sample.cluster,
    }
    # A sample that stands alone is kept as it always was: its key stays what it is.
    if sample.turns:
        body["turns"] = [[turn.role, _parts_json(turn.content)] for turn in sample.turns]
    return body | ({"prefix": sample.prefix} if sample.prefix else {})


def _parts_json(content: Iterable[Text | Image]) -> list[Json]:
    return [part.text if isinstance(part, Text) else {"image": part.sha256} for part in content]
