"""every_eval_ever (schema 0.2.2 to 0.3.0): the samples beside a record, ``<uuid>_samples.jsonl``, and that file alone.

A record without samples has scores of whole tasks only: what cannot be paired is not compared.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from evalkit.answers.gathering import Gathered
from evalkit.answers.reading import MetricChoice, ReadAnswers, identity, score
from evalkit.base.errors import DataError, near_miss
from evalkit.files import textfile
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalkit.base.types import Json

_OLDEST: Final = (0, 2, 2)
_NEXT: Final = (0, 4)


def fits(value: Mapping[str, Json]) -> bool:
    """Whether an object is a record, or a line of its samples."""
    return "schema_version" in value and bool(value.keys() & {"evaluation_results", "sample_id"})


def read(path: Path, choice: MetricChoice) -> ReadAnswers:
    """The tasks of a record with its samples, or of a file of samples.

    Raises:
        DataError: It is of another schema, has no samples, or it is not clear which metric is meant.
    """
    samples, metrics = path, dict[str, str]()
    if path.suffix == ".json":
        record = textfile.parsed(textfile.text(path), str(path))
        _version(record, str(path))
        samples, metrics = _beside(path, record), dict(_metrics(record))
    found: dict[str, dict[str, Gathered]] = {}
    models = set()
    for place, line in textfile.objects(samples):
        _version(line, place)
        result = str(line.get("evaluation_result_id") or "")
        task, metric = str(line.get("evaluation_name") or ""), metrics.get(result, result)
        gathered = found.setdefault(task, {}).setdefault(metric, Gathered())
        told, asked = line.get("evaluation"), line.get("input")
        if not isinstance(told, dict) or "score" not in told:
            raise DataError(f"{place}: evaluation is {shown(told)}", fix="it is an object with a score")
        asked = asked if isinstance(asked, dict) else {}
        content = {"question": asked.get("raw"), "references": asked.get("reference")}
        output = line.get("output")
        answer = output.get("raw") if isinstance(output, dict) else None
        gathered.add(identity(line, "sample_id", place), score(told["score"], place, "score"), content, answer)
        models.add(str(line.get("model_id") or ""))
    if len(models) > 1:
        raise DataError(f"{samples}: samples of {len(models)} models", fix="a file holds those of one model")
    label = models.pop() if models else str(path)
    sides = {}
    for task, by_metric in found.items():
        metric = _chosen(path, task, list(by_metric), choice)
        sides[task] = by_metric[metric].side(label or str(path), {"task": task, "metric": metric or "score"})
    if not sides:
        raise DataError(f"{samples}: no samples", fix="name a record with samples")
    return ReadAnswers("every_eval_ever", sides)


def _version(value: Json, place: str) -> None:
    """Refuse what is of a schema that is not known."""
    written = value.get("schema_version") if isinstance(value, dict) else None
    try:
        version = tuple(map(int, str(written).split(".")))
    except ValueError:
        version = ()
    if not _OLDEST <= version < _NEXT:
        raise DataError(f"{place}: schema_version is {shown(written)}", fix="0.2.2 to 0.3 can be read")


def _beside(path: Path, record: Mapping[str, Json]) -> Path:
    """The file of a record's samples, which lies in the record's own folder."""
    told = record.get("detailed_evaluation_results")
    named = str(told.get("file_path") or "") if isinstance(told, dict) else ""
    names = [PurePosixPath(named).name] if named else []
    for name in [*names, f"{path.stem}_samples.jsonl", f"{path.stem}.jsonl"]:
        if name and path.with_name(name).is_file():
            return path.with_name(name)
    tasks = [str(one.get("evaluation_name")) for one in record.get("evaluation_results") or [] if isinstance(one, dict)]
    raise DataError(
        f"{path}: scores of whole tasks only ({', '.join(tasks[:4])}): without samples nothing can be paired",
        fix=f"put {names[0] if names else path.stem + '_samples.jsonl'} beside it",
    )


def _metrics(record: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Id of a result to the name of its metric."""
    for one in record.get("evaluation_results") or []:
        config = one.get("metric_config") if isinstance(one, dict) else None
        if isinstance(config, dict) and one.get("evaluation_result_id"):
            named = config.get("metric_name") or config.get("metric_id") or one["evaluation_result_id"]
            yield str(one["evaluation_result_id"]), str(named)


def _chosen(path: Path, task: str, known: list[str], choice: MetricChoice) -> str:
    wanted = choice.metric_of(task)
    if wanted:
        if wanted not in known:
            raise DataError(f"{path}: {task}: no metric '{wanted}'", fix=near_miss(wanted, known))
        return wanted
    if len(known) > 1:
        raise DataError(f"{path}: {task}: has {', '.join(known)}", fix="choose one with --metric")
    return known[0]
