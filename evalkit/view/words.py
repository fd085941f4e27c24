"""The words of a run's samples: a search costs about the same whether a word is in one sample or in all of them.

A part is up to 32,768 samples in a row. For each part and word the index keeps which samples of the part hold the
word: their places, two bytes each, or a bit for every sample of the part where that is shorter. A beginning that many
words of a part share is kept like a word, with an asterisk behind it. So a search reads one row of each part for a
whole word, and at most ``MOST`` for the beginning of words, however many samples hold it.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

SCHEMA: Final = """
CREATE TABLE part (first INTEGER PRIMARY KEY, samples INTEGER NOT NULL);
CREATE TABLE word (
    first INTEGER, word TEXT, bits INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (first, word)) WITHOUT ROWID;
"""
PART: Final = 32_768
"""Samples of a part; their places have to fit into two bytes."""
_WORDS: Final = 250_000
"""Different words of a part: it ends early at so many, which bounds the memory of a build to about 100 MB."""
_SHARED: Final = 256
MOST: Final = 2 * _SHARED
"""Rows of a part that a search for one beginning reads at most."""
_LONGEST: Final = 40
"""Characters of a word that count: longer ones are told apart by no search."""
_BEGINNING: Final = 4
"""Letters from which a piece of a search may be the beginning of a word."""
_ANY: Final = "*"
_LAST: Final = "\U0010ffff"
_WORD: Final = re.compile(r"[^\W_]+")


class IndexWriter:
    """Takes the texts of the samples one after the other and writes them part by part."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Write into a database that has the tables of ``SCHEMA``."""
        self._database = database
        self._first = self._samples = 0
        self._places: defaultdict[str, array[int]] = defaultdict(lambda: array("H"))

    def add(self, text: str) -> None:
        """The next sample's text."""
        places, own = self._places, self._samples
        for word in set(_words(text)):
            places[word].append(own)
        self._samples += 1
        if self._samples == PART or len(self._places) >= _WORDS:
            self.end_part()

    def end_part(self) -> None:
        """Write what has come since the last part; call it once more behind the last sample."""
        if not self._samples:
            return
        words = sorted(self._places)
        self._database.execute("INSERT INTO part VALUES (?, ?)", (self._first, self._samples))
        for rows in (self._own(words), self._shared(words)):
            self._database.executemany("INSERT INTO word VALUES (?, ?, ?, ?)", rows)
        self._first, self._samples = self._first + self._samples, 0
        self._places.clear()

    def _own(self, words: Sequence[str]) -> Iterator[tuple[int, str, bool, bytes]]:
        for word in words:
            places = self._places[word]
            if 2 * len(places) <= -(-self._samples // 8):
                yield self._first, word, False, np.asarray(places, "<u2").tobytes()
            else:
                yield self._first, word, True, self._bits([places])

    def _shared(self, words: Sequence[str]) -> Iterator[tuple[int, str, bool, bytes]]:
        """The beginnings that many words share: surely those of ``MOST`` and more."""
        found: set[str] = set()
        # Words so far apart in the order mean that all between them begin alike.
        for one, other in zip(words[::_SHARED], words[_SHARED::_SHARED], strict=False):
            starts = takewhile(other.startswith, (one[:length] for length in range(1, len(one) + 1)))
            found.update(filter(_is_open, starts))
        for start in sorted(found):
            covered = words[bisect_left(words, start) : bisect_left(words, start + _LAST)]
            yield self._first, start + _ANY, True, self._bits([self._places[word] for word in covered])

    def _bits(self, lists: Sequence[array[int]]) -> bytes:
        held = np.zeros(self._samples, bool)
        held[np.frombuffer(b"".join(lists), np.uint16)] = True
        return np.packbits(held).tobytes()


def holding(database: sqlite3.Connection, text: str) -> npt.NDArray[np.bool_]:
    """Which samples hold all words of ``text``, by their numbers; none do where it has signs but no word."""
    wanted = list(dict.fromkeys(_pieces(text)))
    parts = database.execute("SELECT first, samples FROM part ORDER BY first").fetchall()
    found = np.zeros(sum(samples for _, samples in parts), bool)
    for first, samples in parts if wanted else ():
        held = np.ones(samples, bool)
        for word, is_open in wanted:
            held &= _of_part(database, (first, samples), word, is_open=is_open)
            if not held.any():
                break
        found[first : first + samples] = held
    return found


def _of_part(database: sqlite3.Connection, part: tuple[int, int], word: str, *, is_open: bool) -> npt.NDArray[np.bool_]:
    first, samples = part
    rows = database.execute(_EXACTLY, (first, word + _ANY if is_open else word)).fetchall()
    if is_open and not rows:
        rows = database.execute(_BETWEEN, (first, word, word + _LAST)).fetchall()
    held = np.zeros(samples, bool)
    lists = []
    for bits, body in rows:
        if bits:
            held |= np.unpackbits(np.frombuffer(body, np.uint8), count=samples).astype(bool)
        else:
            lists.append(body)
    held[np.frombuffer(b"".join(lists), "<u2")] = True
    return held


_EXACTLY: Final = "SELECT bits, body FROM word WHERE first = ? AND word = ?"
_BETWEEN: Final = "SELECT bits, body FROM word WHERE first = ? AND word >= ? AND word < ?"


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a search, and whether longer ones that begin like them will do: the last of each piece.

    A short piece of plain letters is a whole word: as a beginning it would mean half of all words.
    """
    for piece in text.split():
        *inner, last = _words(piece) or [""]
        yield from ((word, False) for word in inner)
        if last:
            yield last, _is_open(last)


def _is_open(start: str) -> bool:
    return len(start) >= _BEGINNING or not start.isascii()


def _words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    if not text.isascii():
        text = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    found = _WORD.findall(text.casefold())
    return found if len(max(found, key=len, default="")) <= _LONGEST else [word[:_LONGEST] for word in found]
