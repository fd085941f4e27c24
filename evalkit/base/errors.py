"""Every error that evalkit raises on purpose.

::

    EvalkitError                 exit code
    ├── UsageError               2   what the user typed or wrote is wrong
    │   ├── ConfigError              a key or value in a TOML file
    │   ├── DataError                rows or a data file
    │   ├── OutputError              the output folder cannot be written
    │   └── PromptError              a published prompt is another text, or nobody can be asked for it
    ├── NothingScoredError       4   a run ended without one answer to score
    ├── RejectedError            4   a candidate that was made is not what was asked for
    └── InfrastructureError      5   the world did not hold
        ├── ServerFailedError        the server did not start, or died too often
        ├── StoreError               the samples store is in use or damaged
        ├── FullDiskError            there is no room left to write
        └── SandboxError             generated code cannot be run safely

The message says where and what in one sentence; ``fix`` says what to do next; ``evidence`` keeps what a person
needs in order to check (the last lines of a log, a command to run by hand).
"""

from __future__ import annotations

import errno
import re
from difflib import SequenceMatcher, get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING

from evalkit.base.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BETWEEN = re.compile(r"[_.\- ]+")
_ALIKE = 0.5
"""How alike two words are at least (``SequenceMatcher.ratio``), so that one can be a slip of the other."""


class ExitCode(IntEnum):
    """What a shell or a CI job learns from evalkit."""

    FINE = 0
    """What was asked for was done; of a judged run: every row that counts kept its threshold."""
    GATE_FAILED = 1
    """A row that counts lies below its threshold, or a published card contradicts itself (``audit``)."""
    USAGE = 2
    """The command, a file or the data is wrong; nothing was judged."""
    UNDECIDED = 3
    """The samples do not decide whether a row that counts kept its threshold."""
    INCOMPLETE = 4
    """Models were not asked alike, too many samples have no answer, an audit could check no figure, or a candidate that
    was made is not what was asked for (``quantize``)."""
    INFRASTRUCTURE = 5
    """A server, the network or the disk did not hold, or evalkit itself broke off."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or a signal; every answer so far is stored."""
    READER_GONE = 141
    """Whoever read the output left, as in ``evalkit history | head``; no verdict has this code."""


class EvalkitError(Exception):
    """An error with a next step for the reader and an exit code for the shell."""

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, message: str, *, fix: str = "", evidence: str = "") -> None:
        """Keep the sentence, the way out and the proof apart, so that the command line can set them."""
        # They may quote a server, a file or a log, and end on a terminal and in CI's files.
        self.message, self.fix, self.evidence = printable(message), printable(fix), printable(evidence)
        super().__init__(self.message)
        if fix:
            # Under the message in a traceback: whoever calls evalkit from Python is told what to do next, too.
            self.add_note(self.fix)


class UsageError(EvalkitError):
    """What the user typed cannot be carried out."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A TOML file has a key or a value that evalkit does not know."""


class DataError(UsageError):
    """Rows or a data file do not have what a task needs."""


class OutputError(UsageError):
    """The output folder cannot be written."""


class PromptError(UsageError):
    """A published prompt is not the text that it should be, or nobody can be asked for it."""


class NothingScoredError(EvalkitError):
    """A run ended without one answer that could be scored."""

    exit_code = ExitCode.INCOMPLETE


class RejectedError(EvalkitError):
    """A candidate that was made is not what was asked for."""

    exit_code = ExitCode.INCOMPLETE


class InfrastructureError(EvalkitError):
    """The world did not hold: a server, the disk, the network."""


class ServerFailedError(InfrastructureError):
    """The model server did not start, or died more often than it may."""


class StoreError(InfrastructureError):
    """The samples store is in use, damaged, or was written by a newer evalkit."""


class FullDiskError(InfrastructureError):
    """There is no room left to write: nothing that was asked for is wrong, and the same command continues."""


class SandboxError(InfrastructureError):
    """Generated code cannot be run safely on this machine."""


def is_full(error: BaseException) -> bool:
    """Whether a disk, or the user's share of it, had no room left: as the system says it, or as SQLite does.

    A limit on the size of files (`ulimit -f`) is such a share.
    """
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"


def unwritable(place: object, error: OSError, fix: str) -> EvalkitError:
    """The error for what could not be written at ``place``: an `OutputError`, or a `FullDiskError`."""
    if is_full(error):
        return FullDiskError(f"{place}: {error.strerror}", fix="make room, then run the same command again")
    return OutputError(f"{place}: cannot be written: {error.strerror or error}", fix=fix)


def near_miss(word: str, known: Iterable[str], meant: Mapping[str, str] | None = None) -> str:
    """``did you mean 'x'?`` when one of ``known`` is close to ``word``, otherwise the list of what there is.

    Case is ignored. Several known names with commas between them are told to be written one by one. ``meant`` has words
    that others use, and what they mean here. A name of several words is close where each of its words is: most letters
    of ``exact_match`` are in ``vqa_match``, which is something else.
    """
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    listed = [part.strip().casefold() for part in word.split(",")]
    if len(listed) > 1 and any(part in folded for part in listed):
        found = ", ".join(f"'{folded.get(part, part)}'" for part in listed if part)
        return f"a comma joins no names here: write each in its own place, {found}"
    other = (meant or {}).get(word.casefold(), "")
    if other in names:
        return f"did you mean '{other}'?"
    close = get_close_matches(word.casefold(), folded, n=len(folded) or 1, cutoff=0.6)
    for name in close:
        if _each_close(word.casefold(), name):
            return f"did you mean '{folded[name]}'?"
    return f"known: {', '.join(names)}" if names else ""


def _each_close(word: str, name: str) -> bool:
    """Whether two names have as many words, each like the other's; names of different lengths are taken as a whole."""
    ours, theirs = _BETWEEN.split(word), _BETWEEN.split(name)
    pairs = zip(ours, theirs, strict=False)
    return len(ours) != len(theirs) or all(SequenceMatcher(None, *pair).ratio() >= _ALIKE for pair in pairs)
