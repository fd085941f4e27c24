"""What a pass over a task's outcomes came to, known again by everything that it read and by the code that read it.

A run that has nothing to do finds here what its answers are worth, and need not score them again. The table is an aid:
a store without it is whole, an evalkit that does not know it passes it over, and a row that is not as it was written is
not believed. A pass has several rows, so that none of them has to be in memory beside the others.
"""

from __future__ import annotations

import json
import zlib
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Final

from evalkit.records import storefile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from evalkit.base.types import Json

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS pass (
    origin TEXT NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL, body BLOB NOT NULL, seal TEXT NOT NULL,
    PRIMARY KEY (origin, number))
"""
MOST_BYTES: Final = 256 * 2**20
"""Of all passes together: some eight million answers. The oldest go first: nobody asks for a candidate of last year."""
_QUICKLY: Final = 1
"""How hard zlib tries: columns of numbers become a quarter at once, and hardly less later."""


class Content:
    """A digest of the rows that a pass reads, made while it reads them."""

    def __init__(self, parts: Iterable[object] = ()) -> None:
        """Of these, and of what is added."""
        self._found = blake2b(digest_size=32)
        for rows in parts:
            self.add(rows)

    def add(self, rows: object) -> None:
        """Some rows of planned samples with those of their answers; always the same ones together."""
        self._found.update(repr(rows).encode("utf-8", "surrogatepass"))

    def digest(self) -> str:
        """Equal where every row was the same, in the same order."""
        return self._found.hexdigest()


def there(connection: sqlite3.Connection, origin: str) -> bool:
    """Whether a pass of this origin was kept, of whatever content."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'pass'"
    if connection.execute(query).fetchone() is None:
        return False
    return connection.execute("SELECT 1 FROM pass WHERE origin = ?", (origin,)).fetchone() is not None


def known(connection: sqlite3.Connection, origin: str, content: str) -> Iterator[Json]:
    """What was kept of the pass of this origin over this content, row by row; nothing where it is not known."""
    if not there(connection, origin):
        return
    numbers = connection.execute("SELECT number FROM pass WHERE origin = ? ORDER BY number", (origin,)).fetchall()
    for (number,) in numbers:
        row = connection.execute(
            "SELECT content, body, seal FROM pass WHERE origin = ? AND number = ?", (origin, number)
        ).fetchone()
        if row[0] != content or _seal(origin, number, content, row[1]) != row[2]:
            return
        yield json.loads(zlib.decompress(row[1]))


def keep(connection: sqlite3.Connection, origin: str, content: str, bodies: Iterable[Json]) -> None:
    """Keep a pass in the place of the one of this origin; the caller's transaction holds all of it.

    Where there is too much of earlier ones, the oldest are given up: they are made again if they are asked for.
    """
    connection.execute(_TABLE)
    connection.execute("DELETE FROM pass WHERE origin = ?", (origin,))
    for number, body in enumerate(bodies):
        packed = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), _QUICKLY)
        sealed = _seal(origin, number, content, packed)
        connection.execute("INSERT INTO pass VALUES (?, ?, ?, ?, ?)", (origin, number, content, packed, sealed))
    connection.executemany("DELETE FROM pass WHERE origin = ?", [*_beyond(connection, origin)])


def _beyond(connection: sqlite3.Connection, newest: str) -> Iterator[tuple[str]]:
    """Origins of passes for which there is no room beside newer ones; the newest stays, whatever its size."""
    query = "SELECT origin, sum(length(body)) FROM pass GROUP BY origin ORDER BY max(rowid) DESC"
    total = 0
    for origin, size in connection.execute(query):
        total += size
        if total > MOST_BYTES and origin != newest:
            yield (origin,)


def _seal(origin: str, number: int, content: str, body: object) -> str:
    # What a damaged file brings instead of bytes may be anything.
    return storefile.seal(origin, number, content, sha256(body if isinstance(body, bytes) else b"").hexdigest())
