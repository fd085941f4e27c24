"""lighteval's ``details_<task>_<date>.parquet`` (0.10 to 0.13, and the older form): a row for each sample.

Samples are named by the ``id`` of their ``doc`` where that is unique, otherwise by their row; the query says what was
asked.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Final

from evalkit.answers.gathering import Gathered
from evalkit.answers.reading import MetricChoice, ReadAnswers, no_metric, score
from evalkit.base.errors import DataError
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalkit.base.types import Json

_NAME: Final = re.compile(r"details_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.:-]+)\.parquet")
_METRICS: Final = ("metric", "metrics")
"""The column of the scores, in the form of today and in the older one."""
_BATCH: Final = 256


def name(path: Path) -> tuple[str, str] | None:
    """Task and date in the name of a details file."""
    fit = _NAME.fullmatch(path.name)
    return (fit["task"], fit["date"]) if fit else None


def fits(columns: list[str]) -> bool:
    """Whether a parquet file with these columns is one."""
    return {"doc", "metric"} <= {*columns} or {"example", "metrics"} <= {*columns}


def read(path: Path, choice: MetricChoice) -> ReadAnswers:
    """The one task of a file.

    Raises:
        DataError: It is damaged, holds no score, or the metric has to be chosen.
    """
    import pyarrow as pa  # noqa: PLC0415 - --help must not wait for it
    import pyarrow.parquet as pq  # noqa: PLC0415

    named = name(path)
    task = named[0] if named else ""
    try:
        with pq.ParquetFile(path) as file:
            wanted = [one for one in ("doc", "example", "full_prompt", *_METRICS) if one in file.schema_arrow.names]
            rows = [row for batch in file.iter_batches(_BATCH, columns=wanted) for row in batch.to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: damaged parquet ({error})", fix="fetch or make it again") from error
    if not rows:
        raise DataError(f"{path}: no rows", fix="run lighteval to its end, with --save-details")
    metric = _metric(path, rows[0], choice.metric_of(task))
    ids = [str((row.get("doc") or {}).get("id") or "") for row in rows]
    unique = all(ids) and len(set(ids)) == len(ids)
    gathered = Gathered()
    for place, row, own in zip(count(), rows, ids, strict=False):
        doc = row.get("doc") or {}
        found = _scores(row).get(metric)
        where = f"{path}: row {place}"
        value = None if found is None else score(found, where, metric)
        asked = {"question": doc.get("query") or row.get("example"), "references": doc.get("choices")}
        gathered.add(own if unique else str(place), value, asked)
    return ReadAnswers("lighteval", {task: gathered.side(str(path), {"task": task, "metric": metric})})


def _scores(row: Mapping[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = next((row[key] for key in _METRICS if isinstance(row.get(key), dict)), {})
    return {key: value for key, value in found.items() if value is not None}


def _metric(path: Path, row: Mapping[str, Json], chosen: str | None) -> str:
    numeric = [key for key, value in _scores(row).items() if isinstance(value, int | float)]
    if chosen:
        if chosen not in numeric:
            no_metric(str(path), chosen, numeric)
        return chosen
    if len(numeric) == 1:
        return numeric[0]
    has = f"has {', '.join(numeric)}" if numeric else f"has no score for each sample ({shown(_scores(row))})"
    raise DataError(f"{path}: {has}", fix="choose one with --metric" if numeric else "name another file")
