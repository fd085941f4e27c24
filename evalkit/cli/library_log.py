"""What libraries warn of goes into a log beside the runs: standard error is for the words of evalkit alone."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE: Final = "libraries.log"


class _Log(logging.FileHandler):
    """Made when something is to be written; where it cannot be, a warning of a library is lost and nothing else."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        del record


@contextmanager
def library_log(folder: Path) -> Iterator[None]:
    """Write Python's warnings, and what no logger of a library has a place for, to ``libraries.log`` in ``folder``."""
    log = _Log(folder / FILE, encoding="utf-8", delay=True)
    log.setLevel(logging.WARNING)
    log.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(log)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(log)
        log.close()
