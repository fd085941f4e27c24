"""lm-eval's ``samples_*.jsonl`` (as version 0.4.13 writes them): one line for each sample and filter.

Samples are named by ``doc_id``; ``doc_hash``, ``prompt_hash`` and ``target_hash`` say what was asked. The names
and the settings of the task come from the file's name and the ``results_*.json`` beside it, where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.answers import folders
from evalkit.answers.reading import MetricChoice, ReadAnswers, identity, no_metric, score
from evalkit.base.errors import DataError
from evalkit.base.identity import digest
from evalkit.base.scores import SampleScore
from evalkit.comparison.pairs import Side
from evalkit.files.textfile import objects

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalkit.base.types import Json

_OWN = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash",
}  # fmt: skip
_HASHES = {"question": "doc_hash", "prompt": "prompt_hash", "references": "target_hash"}
_USUAL = ("acc", "exact_match", "pass@1", "pass_at_1")
_RUN = {"n-shot": "n-shot", "versions": "task version"}


@dataclass(frozen=True, slots=True)
class _Line:
    place: str
    id: str
    filter: str
    metrics: dict[str, Json]
    hashes: dict[str, str]
    said: str | None
    """Digest of the model's responses; None where the line has none."""


def read(path: Path, choice: MetricChoice) -> ReadAnswers:
    """The one task of a file, by the chosen metric: ``acc``, or ``exact_match,strict-match`` with a filter.

    Raises:
        DataError: With ``FILE:LINE``; or the metric or the filter has to be chosen.
    """
    lines = [_line(place, line) for place, line in objects(path)]
    task, settings, sizes, model = _run(path)
    metric, _, wanted = (choice.metric_of(task) or "").partition(",")
    lines = _filtered(path, lines, wanted)
    metric, cautions = _metric(path, lines[0], metric)
    scores: dict[str, SampleScore] = {}
    seen: set[str] = set()
    for line in lines:
        if line.id in seen:
            raise DataError(f"{line.place}: doc_id {line.id} occurs again", fix="compare one run of one task at a time")
        if metric not in line.metrics:
            no_metric(line.place, metric, line.metrics)
        seen.add(line.id)
        scores |= dict(_scored(line, metric))
    settings |= {"metric": metric, "filter": lines[0].filter}
    original, effective = sizes
    side = Side(
        label=str(path),
        scores=scores,
        # What is paired are the parts of answers then, and how many there are nobody says.
        planned=(effective or 0) if seen == scores.keys() else 0,
        available=original if seen == scores.keys() else None,
        smoke=original is not None and effective is not None and effective < original,
        content={part: line.hashes for line in lines if line.hashes for part, _ in _scored(line, metric)},
        settings=settings,
        cautions=cautions,
        model=model,
    )
    return ReadAnswers("lm-eval", {task: side})


def _line(place: str, line: dict[str, Json]) -> _Line:
    return _Line(
        place,
        identity(line, "doc_id", place),
        str(line.get("filter") or "none"),
        {key: value for key, value in line.items() if key not in _OWN},
        {part: str(line[key]) for part, key in _HASHES.items() if line.get(key)},
        digest(line["resps"])[:16] if line.get("resps") else None,
    )


def _scored(line: _Line, metric: str) -> Iterator[tuple[str, SampleScore]]:
    """The score of a line; of a list (such as ``inst_level_strict_acc``) each of its values, which hang together.

    The mean over all of them is the ratio of sums that lm-eval computes.
    """
    value = line.metrics[metric]
    if not isinstance(value, list) or not value:
        yield line.id, SampleScore(line.id, score(value, line.place, metric), said=line.said)
        return
    for number, one in enumerate(value):
        part = f"{line.id}[{number}]"
        yield part, SampleScore(part, score(one, line.place, metric), cluster=line.id, said=line.said)


def _filtered(path: Path, lines: Sequence[_Line], wanted: str) -> list[_Line]:
    """The lines of one filter."""
    filters = sorted({line.filter for line in lines})
    if not wanted and len(filters) > 1:
        example = next(iter(lines[0].metrics), "exact_match")
        raise DataError(
            f"{path}: scored through several filters ({', '.join(filters)})",
            fix=f"choose one: --metric {example},{filters[0]}",
        )
    if wanted and wanted not in filters:
        raise DataError(f"{path}: no filter '{wanted}'", fix=f"it has {', '.join(filters)}")
    return [line for line in lines if not wanted or line.filter == wanted]


def _metric(path: Path, line: _Line, chosen: str) -> tuple[str, tuple[str, ...]]:
    """The metric to read, and a word about the others when nobody chose."""
    numeric = [name for name, value in line.metrics.items() if isinstance(value, (int, float))]
    if chosen:
        if chosen not in line.metrics:
            no_metric(str(path), chosen, numeric)
        return chosen, ()
    if len(numeric) == 1:
        return numeric[0], ()
    usual = next((name for name in _USUAL if name in numeric), None)
    if usual is None:
        has = f"has {', '.join(numeric)}" if numeric else "has no metric with a number for each sample"
        raise DataError(f"{line.place}: {has}", fix="choose one with --metric" if numeric else "name another file")
    others = ", ".join(name for name in numeric if name != usual)
    return usual, (f"metric {usual}; --metric chooses another ({others})",)


def _run(path: Path) -> tuple[str, dict[str, Json], tuple[int | None, int | None], str]:
    """Task name, settings, samples (in the data, asked for) and model, as far as name and neighbour tell."""
    named = folders.lm_eval_name(path)
    if named is None:
        return "", {}, (None, None), ""
    task, date = named
    results = folders.object_in(path.with_name(f"results_{date}.json"))
    settings: dict[str, Json] = {"task": task}
    for key, name in _RUN.items():
        if task in (results.get(key) or {}):
            settings[name] = results[key][task]
    if results.get("lm_eval_version"):
        settings["lm-eval version"] = results["lm_eval_version"]
    sizes = (results.get("n-samples") or {}).get(task) or {}
    return task, settings, (sizes.get("original"), sizes.get("effective")), str(results.get("model_name") or "")
