"""Standard error is for the words of evalkit alone: what libraries say, by whatever way, goes into a log.

Libraries warn through ``warnings``, through loggers with handlers of their own (transformers, huggingface_hub), through
``print``, and from C or Rust straight into file descriptor 2 (libtiff, tokenizers). So the descriptor itself leads to
the log, and evalkit speaks through a copy of the one that it was given.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from typing import TYPE_CHECKING, Final, TextIO

from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "libraries.log"
_FD: Final = 2
_own: list[TextIO] = []
"""Where evalkit speaks while its libraries may not; empty where both have one stream, as in a test."""


def standard_error() -> TextIO:
    """The stream for evalkit's own words."""
    return _own[0] if _own else sys.stderr


def fill_closed_streams() -> None:
    """Open standard streams that came closed, on nothing.

    Otherwise the next file to be opened, the store perhaps, has the number of one of them, and with it in its midst
    whatever anybody writes there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def libraries_apart(folder: Path) -> None:
    """From now on, until the process ends, send what others write to standard error to ``libraries.log`` in ``folder``.

    Nothing happens where ``sys.stderr`` is not the process's own: then nobody else writes there.
    """
    try:
        if _own or sys.stderr.fileno() != _FD:
            return
    except (OSError, io.UnsupportedOperation):
        return
    sys.stderr.flush()
    own = os.fdopen(os.dup(_FD), "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1)
    _own.append(own)
    _made(folder)
    _lead_to(folder / FILE)


@contextmanager
def library_log(folder: Path) -> Iterator[None]:
    """Write what libraries warn of, log or print to ``libraries.log`` in ``folder``.

    Nothing is left there where they said nothing; where it cannot be written, their words are lost and nothing else.
    """
    log = _Log(folder / FILE, encoding="utf-8", delay=True)
    log.setLevel(logging.WARNING)
    log.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(log)
    logging.captureWarnings(capture=True)
    try:
        with _descriptor(folder / FILE) if _own else nullcontext():
            yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(log)
        log.close()


@contextmanager
def _descriptor(file: Path) -> Iterator[None]:
    """Lead standard error, and what is printed, to a file; it goes again if it stays empty."""
    before, made = os.dup(_FD), _made(file.parent)
    _lead_to(file)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stderr.flush()
        os.dup2(before, _FD)
        os.close(before)
        with suppress(OSError):
            if not file.stat().st_size:
                file.unlink()
            for one in made:
                one.rmdir()


def _made(folder: Path) -> list[Path]:
    """Make the folder; those that were missing, the innermost first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    with suppress(OSError):
        private.folder(folder)
    return missing


def _lead_to(file: Path) -> None:
    """Have file descriptor 2 lead to the end of a file that its owner alone may read; to nothing where it cannot."""
    try:
        opened = private.descriptor(file, os.O_WRONLY | os.O_APPEND)
    except OSError:
        opened = os.open(os.devnull, os.O_WRONLY)
    os.dup2(opened, _FD)
    os.close(opened)


class _Log(logging.FileHandler):
    """Made when something is to be written; where it cannot be, a warning of a library is lost and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        del record
