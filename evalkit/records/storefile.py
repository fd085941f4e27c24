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
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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
"""Tables whose rows have a seal since format 3, with the columns that it is of."""
RESTORE: Final = "restore a copy of it, or choose another folder with --output; this one is left as it is"

ELSEWHERE: Final = "choose another folder with --output"
FILE: Final = "store.sqlite3"
OTHER = "name the folder of earlier runs with --runs"
_OWN_FAULTS = (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.NotSupportedError)
"""What SQLite says of the code that uses it; it says nothing of the store, and is no reason to touch that."""


_SPELLING = json.JSONEncoder(default=repr)


def seal(*values: object) -> str:
    """The seal of a row with these values."""
    # What a damaged file brings instead of a text may be bytes.
    return sha256(_SPELLING.encode(values).encode()).hexdigest()[:24]


def listing_seal(entries: Iterable[tuple[object, object]]) -> str:
    """The seal of a listing: its samples and requests in order."""
    found = sha256()
    for sample, request in entries:
        found.update(f"{sample}\0{request}\n".encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:24]


def damaged(path: Path, what: str) -> StoreError:
    """The error for a row that is not what was written."""
    return StoreError(f"{path}: {what} is damaged: it is not what was written", fix=RESTORE)


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
    except (sqlite3.Error, PermissionError, UnicodeDecodeError) as error:
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
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # SQLite's own words may quote damaged bytes
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


@contextmanager
def transaction(path: Path, connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written meanwhile, or nothing of it.

    Raises:
        StoreError: It cannot be written.
    """
    with errors(path):
        connection.execute("BEGIN")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself, as on a full disk: to do it again would hide why.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
