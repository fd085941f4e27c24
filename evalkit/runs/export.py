"""A run's samples as one table for other tools: a line for each sample and model, through pandas, chunk by chunk."""

from __future__ import annotations

import json
import os
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TextIO, TypeAlias

from evalkit.base.errors import OutputError, unwritable
from evalkit.base.printable import guarded
from evalkit.files import private
from evalkit.runs.sample_table import COLUMNS, sample_lines, values

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pandas import DataFrame

    from evalkit.base.types import Json
    from evalkit.records.plan import Plan
    from evalkit.records.store import Store

Format: TypeAlias = Literal["parquet", "csv", "jsonl"]
TextFormat: TypeAlias = Literal["csv", "jsonl"]
"""Those that a stream can take."""
_CHUNK = 20_000
"""Lines that are in memory at once."""
_STREAMED = 1_000
"""Lines after which whoever reads a stream hears of them."""


def export(plan: Plan, store: Store, path: Path, kind: Format, chunk: int = _CHUNK) -> int:
    """Write every planned sample of every model of a run; returns the number of lines.

    The file is its owner's alone, as everything that a run leaves. A reader sees the whole of it or none, so what is no
    file, such as ``/dev/stdout``, cannot be written to; behind a link, the file that it leads to is. In CSV, and there
    alone, a text that a spreadsheet would take for a formula gets an apostrophe before it: text that begins with
    = + - @, their full-width forms, a tab or a line break.

    Raises:
        OutputError: The file cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    unfinished = path.with_name(path.name + ".part")
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: not a file that could be replaced", fix=f"name a file, such as samples.{kind}")
        private.folder(path.parent)
        sink = _Parquet(unfinished) if kind == "parquet" else _TEXTS[kind](_own_text(unfinished))
        try:
            written = _write(plan, store, sink, chunk)
        finally:
            sink.close()
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error, "choose another file with -o") from error
    return written


def stream(plan: Plan, store: Store, into: TextIO, kind: TextFormat) -> None:
    """Write the same lines to a stream of text as they are read: its first lines come before the last are known."""
    _write(plan, store, _TEXTS[kind](into), _STREAMED)


def frame(plan: Plan, store: Store) -> DataFrame:
    """Every planned sample of every model of a run, a line each, with the columns and types of ``COLUMNS``."""
    return _frame(map(values, sample_lines(plan, store)))


def _write(plan: Plan, store: Store, sink: _Sink, chunk: int) -> int:
    """All lines, part by part; a table without lines has its columns."""
    written, lines = 0, map(values, sample_lines(plan, store))
    part = list(islice(lines, chunk))
    while part or not written:
        sink.add(_frame(part))
        written += len(part)
        if not part:
            break
        part = list(islice(lines, chunk))
    return written


def _frame(lines: Iterable[tuple[Json, ...]]) -> DataFrame:
    import pandas as pd  # noqa: PLC0415 - half a second that no other command should wait for

    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)


# --- where a table goes, part by part ---------------------------------------------------------------


def _own(path: Path) -> int:
    """A new file, its owner's alone."""
    return private.descriptor(path, os.O_WRONLY | os.O_TRUNC)


def _own_text(path: Path) -> TextIO:
    return os.fdopen(_own(path), "w", encoding="utf-8", newline="")


class _Sink(Protocol):
    def add(self, frame: DataFrame) -> None:
        """Write a part of the table."""


class _Parquet:
    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(_own(path), "wb")
        self._writer: Any = None

    def add(self, frame: DataFrame) -> None:
        import pyarrow as pa  # noqa: PLC0415 - as pandas
        import pyarrow.parquet as pq  # noqa: PLC0415

        # The types are those of the columns, not of what this part happens to hold.
        kinds = {"string": pa.string(), "Int64": pa.int64(), "Float64": pa.float64()}
        schema = pa.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
        table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
        self._writer = self._writer or pq.ParquetWriter(self._stream, schema)
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._stream.close()


class _Csv:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._first = True

    def add(self, frame: DataFrame) -> None:
        texts = [name for name, kind in COLUMNS.items() if kind == "string"]
        safe = frame.assign(**{name: frame[name].map(guarded, na_action="ignore") for name in texts})
        # As RFC 4180 has it; with another line end a carriage return inside an answer would not be quoted.
        safe.to_csv(self._stream, index=False, header=self._first, lineterminator="\r\n")
        self._first = False

    def close(self) -> None:
        self._stream.close()


class _JsonLines:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, frame: DataFrame) -> None:
        # pandas' own writer rounds numbers to 15 digits.
        whole = frame.astype(object).where(frame.notna(), None)
        self._stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in whole.to_dict("records"))

    def close(self) -> None:
        self._stream.close()


_TEXTS: Final[dict[TextFormat, type[_Csv | _JsonLines]]] = {"csv": _Csv, "jsonl": _JsonLines}
