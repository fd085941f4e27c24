"""The file of a store: who may write it, what its errors mean, and whether it says what was put into it.

A disk, a copy that was cut short or another program can change a file that SQLite still reads without a word. A seal
is a digest of a row's values; it is written with the row and looked at whenever the row is read.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import FullDiskError, OutputError, StoreError, is_full, unwritable
from evalkit.base.identity import decoded, digest
from evalkit.base.printable import part_of
from evalkit.base.types import Image, Sample, Text, Turn
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from evalkit.base.types import Json

SEALED: Final = {
    "response": (
        "fingerprint",
        "failure",
        "text",
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "latency_s",
        "tries",
        "run",
        "elsewhere",
    ),
    "verdict": ("key", "body"),
    "run": ("id", "plan", "finished", "body"),
    "epoch": ("identity", "number"),
}
"""Tables whose rows have a seal in their last column, with the columns before it, since format 3."""
_TOLD_EVERY: Final = 20_000
_TABLES: Final = frozenset({"sample", "listing", "response", "verdict", "run", "epoch"})
RESTORE: Final = "restore a copy of it, or choose another folder with --output; this one is left as it is"


_ELSEWHERE: Final = "choose another folder with --output"
FILE: Final = "store.sqlite3"
OTHER = "name the folder of earlier runs with --runs"
_OWN_FAULTS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
"""What SQLite says of the code that uses it; it says nothing of the store, and is no reason to touch that."""


def seal(*values: object) -> str:
    """The seal of a row with these values."""
    # What a damaged file brings instead of a text may be bytes.
    return sha256(json.dumps(values, default=repr).encode()).hexdigest()[:24]


def listing_seal(entries: Iterable[tuple[object, object]]) -> str:
    """The seal of a listing: its samples and requests in order."""
    found = sha256()
    for sample, request in entries:
        found.update(f"{sample}\0{request}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:24]


def damaged(path: Path, what: str) -> StoreError:
    """The error for a row that is not what was written."""
    return StoreError(f"{path}: {what} is damaged: it is not what was written", fix=RESTORE)


def check_is_store(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """See that a file is a store of the format that it states; an empty file of format 0 will be one.

    Raises:
        StoreError: It belongs to another program, or its head is damaged.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not version:
        if tables:
            raise StoreError(f"{path}: is another program's database, not a store of evalkit", fix=_ELSEWHERE)
        return
    columns = len(connection.execute("PRAGMA table_info(response)").fetchall())
    if not tables >= _TABLES or columns != len(SEALED["response"]) + {1: -1, 2: 0}.get(version, 1):
        raise StoreError(f"{path}: is damaged, or no store of evalkit (format {version})", fix=RESTORE)


def seal_all(connection: sqlite3.Connection, tell: Callable[[str], None] | None = None) -> None:
    """Seal every row of a store of an earlier format, as it is: nobody can say what it was.

    ``tell`` hears how far it is, every ``_TOLD_EVERY`` rows.
    """
    whole = sum(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in SEALED)  # noqa: S608
    done = 0

    def sealed(*values: object) -> str:
        nonlocal done
        done += 1
        if tell is not None and done % _TOLD_EVERY == 0:
            tell(f"a store of an earlier evalkit gets its seals, once: {part_of(done, whole, 'row')}")
        return seal(*values)

    connection.create_function("seal", -1, sealed)
    for table, columns in SEALED.items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN seal TEXT")
        connection.execute(f"UPDATE {table} SET seal = seal({', '.join(columns)})")  # noqa: S608 - names of ours
    for (listing,) in connection.execute("SELECT DISTINCT listing FROM listing").fetchall():
        entries = connection.execute(
            "SELECT sample, request FROM listing WHERE listing = ? ORDER BY position", (listing,)
        )
        connection.execute("INSERT INTO sealed VALUES (?, ?)", (listing, listing_seal(entries)))


def read_sample(path: Path, key: object, body: object) -> Sample:
    """A sample, whose key is the digest of what it says.

    Raises:
        StoreError: It is another one, or not there.
    """
    try:
        said = decoded(body) if isinstance(body, str) else None
    except ValueError:
        said = None
    if said is None or digest(said) != key:
        raise damaged(path, f"sample {str(key)[:12]}")
    return _sample_from(said)


def _sample_from(body: dict[str, Json]) -> Sample:
    turns = tuple(Turn(role, _parts(content)) for role, content in body.get("turns", ()))
    content, prefix = _parts(body["content"]), body.get("prefix", "")
    return Sample(body["id"], content, body["references"], body["cluster"], turns, prefix)


def _parts(written: list[Json]) -> tuple[Text | Image, ...]:
    return tuple(Text(part) if isinstance(part, str) else Image(b"", part["image"]) for part in written)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what SQLite says while a store is read into one clear error.

    Raises:
        StoreError: The file cannot be read, is damaged, or is no store.
    """
    try:
        yield
    except _OWN_FAULTS:
        raise
    except (sqlite3.Error, PermissionError) as error:
        raise StoreError(f"{path}: cannot be read: {str(error).splitlines()[0][:120]}", fix=OTHER) from error


@contextmanager
def errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says while a store is used by its writer into one clear error.

    Raises:
        EvalkitError: The file cannot be written or read, the disk is full, or it is damaged.
    """
    try:
        yield
    except _OWN_FAULTS:
        raise
    except sqlite3.OperationalError as error:
        if not hasattr(error, "sqlite_errorcode"):  # said by Python's reader: a text that is none
            raise StoreError(f"{path}: is damaged: {str(error).splitlines()[0][:120]}", fix=RESTORE) from error
        if is_full(error):
            raise FullDiskError(f"{path}: {error}", fix="make room; the same command then continues") from error
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_IOERR:
            room = "see that the disk is sound, and that quota and ulimit -f leave room"
            raise StoreError(f"{path}: {error}", fix=f"{room}; the same command then continues") from error
        fix = "choose another folder with --output; the same command then continues"
        raise OutputError(f"{path}: {error}", fix=fix) from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}", fix=RESTORE) from error
    except OSError as error:
        raise unwritable(path.parent, error, "choose a folder that can be written with --output") from error


def locked(path: Path) -> int:
    """Take the writer's lock, which the operating system frees however the process ends."""
    lock = private.descriptor(path, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(lock, 32).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise StoreError(
            f"{path.with_name(FILE)} is in use by process {pid}",
            fix=f"wait until it ends, or choose another folder with --output (kill {pid} if it hangs)",
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock
