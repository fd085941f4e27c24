"""The formats that a store has had, and how an earlier one becomes today's: in one transaction, or not at all.

1. As it began.
2. An answer may have text beside its content (``elsewhere``); what its server had ended is an answer no more.
3. Rows have seals.
4. The words of a failure have a column of their own (``message``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.errors import StoreError
from evalkit.base.printable import part_of
from evalkit.base.types import WHOLE, ended
from evalkit.records import responses, storefile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

VERSION: Final = 4
_TOLD_EVERY: Final = 20_000
_TABLES: Final = frozenset({"sample", "listing", "response", "verdict", "run", "epoch"})
_SCHEMA: Final = """
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
"""Of format 2; seals and messages are added to new stores as to old ones."""


def found(connection: sqlite3.Connection, path: Path) -> int:
    """The format of a file; 0 for an empty one, which will be a store.

    Raises:
        StoreError: It belongs to another program or a newer evalkit, or its head is damaged.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StoreError(f"{path}: written by a newer evalkit (format {version})", fix="update evalkit")
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not version:
        if tables:
            raise StoreError(f"{path}: is another program's database, not a store of evalkit", fix=storefile.ELSEWHERE)
        return 0
    columns = [row[1] for row in connection.execute("PRAGMA table_info(response)")]
    if not tables >= _TABLES or sorted(columns) != sorted(set(responses.selected(version).split(", ")) - {"NULL"}):
        raise StoreError(f"{path}: is damaged, or no store of evalkit (format {version})", fix=storefile.RESTORE)
    return version


def bring(connection: sqlite3.Connection, version: int, tell: Callable[[str], None] | None = None) -> int:
    """Make a store of format ``version`` one of today's; the caller's transaction holds all of it.

    ``tell`` hears how far it is where it takes long. Returns how many answers are failures from now on, because their
    server had ended them.
    """
    withdrawn = 0
    if version < responses.SEALED_SINCE:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        if version == 1:
            connection.execute("ALTER TABLE response ADD COLUMN elsewhere TEXT")
            withdrawn = _withdraw(connection)
        _seal(connection, tell)
    _move_messages(connection)
    connection.execute(f"PRAGMA user_version={VERSION}")
    return withdrawn


def _withdraw(connection: sqlite3.Connection) -> int:
    """Make failures of the answers that their server had ended: format 1 kept how an answer ended, unjudged."""
    kept = connection.execute(
        "SELECT fingerprint, finish_reason FROM response WHERE failure IS NULL AND finish_reason IS NOT NULL"
    )
    failures = [(key, ended(reason)) for key, reason in kept if reason not in WHOLE]
    connection.executemany(
        "UPDATE response SET failure = ?, text = ?, finish_reason = NULL WHERE fingerprint = ?",
        [(failure.kind.value, failure.message, key) for key, failure in failures],
    )
    return len(failures)


def _seal(connection: sqlite3.Connection, tell: Callable[[str], None] | None) -> None:
    """Seal every row as it is: nobody can say what it was."""
    whole = sum(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in storefile.SEALED)  # noqa: S608
    done = 0

    def sealed(*values: object) -> str:
        nonlocal done
        done += 1
        if tell is not None and done % _TOLD_EVERY == 0:
            tell(f"a store of an earlier evalkit gets its seals, once: {part_of(done, whole, 'row')}")
        return storefile.seal(*values)

    connection.create_function("seal", -1, sealed)
    for table, columns in storefile.SEALED.items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN seal TEXT")
        connection.execute(f"UPDATE {table} SET seal = seal({', '.join(columns)})")  # noqa: S608 - names of ours
    for (listing,) in connection.execute("SELECT DISTINCT listing FROM listing").fetchall():
        entries = connection.execute(
            "SELECT sample, request FROM listing WHERE listing = ? ORDER BY position", (listing,)
        )
        connection.execute("INSERT INTO sealed VALUES (?, ?)", (listing, storefile.listing_seal(entries)))


def _move_messages(connection: sqlite3.Connection) -> None:
    """Give the words of failures their column. A row that was damaged before stays so: its seal is left as it is."""
    columns = ", ".join(storefile.SEALED["response"])
    connection.create_function("fits", -1, lambda sealed, *values: storefile.seal(*values) == sealed)
    connection.create_function("seal", -1, storefile.seal)
    after = columns.replace("text", "NULL")
    connection.execute("ALTER TABLE response ADD COLUMN message TEXT")
    connection.execute(
        f"UPDATE response SET message = text, text = NULL,"  # noqa: S608 - names of ours
        f" seal = CASE WHEN fits(seal, {columns}) THEN seal({after}, text) ELSE seal END"
        " WHERE failure IS NOT NULL"
    )
