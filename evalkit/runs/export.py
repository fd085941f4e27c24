"""A run's samples as one table for other tools: a line for each sample and model, through pandas, chunk by chunk."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from evalkit import harnesses
from evalkit.base.errors import OutputError, unwritable
from evalkit.base.printable import guarded
from evalkit.base.types import Answer
from evalkit.comparison.score import grouped, unit
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pandas import DataFrame

    from evalkit.base.types import Json, Record
    from evalkit.comparison.score import Scoring
    from evalkit.records.plan import Plan, PlannedTask
    from evalkit.records.store import Store

Format: TypeAlias = Literal["parquet", "csv", "jsonl"]

COLUMNS = {
    "id": "string",
    "task": "string",
    "problem": "string",
    "model": "string",
    "answer": "string",
    "metric": "string",
    "score": "Float64",
    "parsed": "string",
    "scores": "string",
    "verdict": "string",
    "finish_reason": "string",
    "prompt_tokens": "Int64",
    "completion_tokens": "Int64",
    "latency_s": "Float64",
    "tries": "Int64",
    "elsewhere": "string",
    "failure": "string",
    "failure_message": "string",
    "cluster": "string",
    "stratum": "string",
    "dialect": "string",
    "part": "string",
    "available": "Int64",
}
"""Column to its pandas type; every one of them can be empty. ``problem`` is what several lines are attempts at.
``metric`` names the headline metric, ``score`` and ``parsed`` are what it says; ``scores`` is a JSON object with every
metric's value, parsed text and note. ``verdict`` is what a checker said of an answer that is a program, as a JSON
object such as ``{"base": "pass", "plus": "fail"}``: its keys are the checker's own, so it is one column, empty where no
checker judges. ``elsewhere`` is a JSON object with what a response had in another field than the content, and that
field (``place``), where the content was blank. ``part`` says whether ``all`` of the task was asked, a part that was
``drawn`` at random, or the ``first`` samples, and ``available`` how many samples (or problems) its data has: ``evalkit
compare`` reads such a table."""
_CHUNK = 20_000
"""Lines that are in memory at once."""


def export(plan: Plan, store: Store, path: Path, kind: Format, chunk: int = _CHUNK) -> int:
    """Write every planned sample of every model of a run; returns the number of lines.

    The file is its owner's alone, as everything that a run leaves. A reader sees the whole of it or none, so what is no
    file, such as ``/dev/stdout``, cannot be written to; behind a link, the file that it leads to is. In CSV, and there
    alone, a text that a spreadsheet would take for a formula gets an apostrophe before it: text that begins with
    = + - @, their full-width forms, a tab or a line break.

    Raises:
        OutputError: The file cannot be written.
    """
    import pandas as pd  # noqa: PLC0415 - half a second that no other command should wait for

    path = path.resolve() if path.is_symlink() else path
    unfinished = path.with_name(path.name + ".part")
    written = 0
    lines = _lines(plan, store)
    try:
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: not a file that could be replaced", fix=f"name a file, such as samples.{kind}")
        private.folder(path.parent)
        sink = _SINKS[kind](unfinished)
        try:
            part = list(islice(lines, chunk))
            while part or not written:
                sink.add(pd.DataFrame(part, columns=list(COLUMNS)).astype(COLUMNS))
                written += len(part)
                if not part:
                    break
                part = list(islice(lines, chunk))
        finally:
            sink.close()
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error, "choose another file with -o") from error
    return written


def frame(plan: Plan, store: Store) -> DataFrame:
    """Every planned sample of every model of a run, a line each, with the columns and types of ``COLUMNS``."""
    import pandas as pd  # noqa: PLC0415 - as above

    return pd.DataFrame(_lines(plan, store), columns=list(COLUMNS)).astype(COLUMNS)


def _lines(plan: Plan, store: Store) -> Iterator[dict[str, Json]]:
    for one in plan.contenders:
        for part in plan.tasks:
            harness = harnesses.harness(part.task)
            for record in store.records(part.listing, one.fingerprint(), part.checker):
                yield _line(part, one.model.label, record, harness)


def _line(part: PlannedTask, label: str, record: Record, scoring: Scoring) -> dict[str, Json]:
    sample, outcome = record.sample, record.outcome
    several = part.task.decoding.n
    line: dict[str, Json] = {
        "id": _text(sample.id),
        "task": part.task.name,
        "problem": _text(unit(sample, part.task)) if several > 1 else None,
        "model": _text(label),
        "metric": part.task.headline,
        **{name: _text(group) for name, group in grouped(sample, part.task, scoring).items()},
        "dialect": part.task.dialect,
        "part": "first" if part.smoke else "drawn" if part.drawn else "all",
        "available": -(-part.available // several),
    }
    if isinstance(outcome, Answer):
        found = scoring.score(part.task, sample, outcome)
        headline = found[part.task.headline]
        return {
            **line,
            "answer": _text(outcome.text),
            "score": None if headline.left_out else headline.value,
            "parsed": _text(headline.parsed),
            "scores": json.dumps({name: asdict(score) for name, score in found.items()}),
            "verdict": None if outcome.judgement is None else json.dumps(dict(outcome.judgement)),
            "finish_reason": _text(outcome.finish_reason),
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "latency_s": outcome.latency_s,
            "tries": outcome.tries,
            "elsewhere": None if outcome.elsewhere is None else json.dumps(asdict(outcome.elsewhere)),
        }
    if outcome is None:
        return {**line, "failure": "not_asked"}
    more = {"latency_s": outcome.latency_s, "tries": outcome.tries}
    return {**line, "failure": outcome.kind.value, "failure_message": _text(outcome.message), **more}


def _text(value: str | None) -> str | None:
    """A text that every format can hold: half of a surrogate pair is written as its code."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


# --- where a table goes, part by part ---------------------------------------------------------------


def _own(path: Path) -> int:
    """A new file, its owner's alone."""
    return private.descriptor(path, os.O_WRONLY | os.O_TRUNC)


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
    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(_own(path), "w", encoding="utf-8", newline="")
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
    def __init__(self, path: Path) -> None:
        self._stream = os.fdopen(_own(path), "w", encoding="utf-8")

    def add(self, frame: DataFrame) -> None:
        # pandas' own writer rounds numbers to 15 digits.
        whole = frame.astype(object).where(frame.notna(), None)
        self._stream.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in whole.to_dict("records"))

    def close(self) -> None:
        self._stream.close()


_SINKS: dict[Format, type[_Parquet | _Csv | _JsonLines]] = {"parquet": _Parquet, "csv": _Csv, "jsonl": _JsonLines}
