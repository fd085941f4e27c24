"""The planned samples of a task as the store lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, overload

from evalkit.base.identity import digest
from evalkit.records import stored_samples, storefile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from evalkit.base.types import Sample

_KEY: Final = 32
"""Bytes of a digest."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One planned sample: its content and the request that it makes."""

    sample: str
    """Key of the sample in the store."""
    request: str
    """``chat.request_digest``; empty for a row that cannot be made into a question (see ``bad_row``)."""


class Entries(Sequence[Listed]):
    """A listing's entries, in a fifth of the memory that as many objects take: nearly all are two digests each."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """Of keys of samples with their requests."""
        self._digests = bytearray()
        self._odd: dict[int, Listed] = {}
        """By place, those that are something else."""
        for at, (sample, request) in enumerate(rows):
            if (both := _digested(sample, request)) is None:
                self._odd[at] = Listed(sample, request)
            self._digests += both or bytes(2 * _KEY)

    def __len__(self) -> int:
        """How many."""
        return len(self._digests) // (2 * _KEY)

    @overload
    def __getitem__(self, at: int) -> Listed: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Listed]: ...

    def __getitem__(self, at: int | slice) -> Listed | Sequence[Listed]:
        """The entry at a place; a list of those in a slice."""
        places = range(len(self))[at]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def _at(self, place: int) -> Listed:
        sample, request, end = (2 * _KEY * place + part * _KEY for part in range(3))
        return self._odd.get(place) or Listed(self._digests[sample:request].hex(), self._digests[request:end].hex())

    def requests(self) -> Iterator[str]:
        """The request of each."""
        for place, end in enumerate(range(2 * _KEY, len(self._digests) + 1, 2 * _KEY)):
            odd = self._odd.get(place)
            yield odd.request if odd else self._digests[end - _KEY : end].hex()


def _digested(sample: str, request: str) -> bytes | None:
    """Both as bytes; None where one is no digest in small letters."""
    both = sample + request
    try:
        found = bytes.fromhex(both)
    except ValueError:
        return None
    return found if len(sample) == len(request) == 2 * _KEY and found.hex() == both else None


def packed(entries: Iterable[Listed]) -> Entries:
    """The same entries in less memory."""
    return Entries((one.sample, one.request) for one in entries)


def written(planned: Iterable[tuple[Sample, str]], entries: list[Listed]) -> Iterator[tuple[str, str]]:
    """Samples as rows, one by one; each is added to the entries of their listing."""
    for sample, request in planned:
        key, text = stored_samples.written(sample)
        entries.append(Listed(key, request))
        yield key, text


def keep(connection: sqlite3.Connection, entries: Sequence[Listed], note: str) -> str:
    """Keep a listing of samples that are in the store; returns its key, of which ``note`` is a part."""
    listing = digest([note, [[entry.sample, entry.request] for entry in entries]])
    rows = ((listing, at, entry.sample, entry.request) for at, entry in enumerate(entries))
    connection.executemany("INSERT OR IGNORE INTO listing VALUES (?, ?, ?, ?)", rows)
    sealed = storefile.listing_seal((entry.sample, entry.request) for entry in entries)
    connection.execute("INSERT OR IGNORE INTO sealed VALUES (?, ?)", (listing, sealed))
    return listing
