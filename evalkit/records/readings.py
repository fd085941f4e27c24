"""What the reading of a task's rows came to: its listing, known again by everything that the samples were made from.

Where that is the same (the data by commit or digest, the task, evalkit's own code), reading gives the same samples, and
a run that has nothing to do need not open gigabytes of pictures to find that out. The table is an aid: a store without
it is whole, an evalkit that does not know it passes it over, and a row that is not as it was written is not believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.records import storefile

if TYPE_CHECKING:
    import sqlite3

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS reading (
    origin TEXT PRIMARY KEY, listing TEXT NOT NULL, heaviest INTEGER, seal TEXT NOT NULL) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class KnownReading:
    """What came of it."""

    listing: str
    """Key of the planned samples."""
    heaviest: int | None
    """Place among them of the one that is expected to need the longest prompt."""


def known(connection: sqlite3.Connection, origin: str) -> KnownReading | None:
    """What the reading of this origin came to; None where it is not known."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'reading'").fetchone() is None:
        return None
    row = connection.execute("SELECT * FROM reading WHERE origin = ?", (origin,)).fetchone()
    return KnownReading(row[1], row[2]) if row is not None and storefile.seal(*row[:3]) == row[3] else None


def keep(connection: sqlite3.Connection, origin: str, reading: KnownReading) -> None:
    """Keep what it came to."""
    connection.execute(_TABLE)
    row = (origin, reading.listing, reading.heaviest)
    connection.execute("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?)", (*row, storefile.seal(*row)))
