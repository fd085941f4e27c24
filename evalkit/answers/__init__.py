"""Scores that exist already, read from files: evalkit's own runs and what other programs leave.

======================  =====================================================================================
format                  recognised by
======================  =====================================================================================
evalkit run             a folder ``runs/<id>``, ``runs/<id>/samples/<model>``, or one task's ``.jsonl`` in it
JSON lines              lines with ``id`` and ``score`` (the same reader; evalkit's lines only say more)
tables                  parquet, or CSV under a header, with columns ``id`` and ``score``: what ``evalkit export``
                        writes, or anybody (again the same reader)
lm-eval                 lines with ``doc_id``: ``samples_*.jsonl``, or the folder that holds them
lighteval               ``details_*.parquet`` (columns ``doc`` and ``metric``), or the folder that holds them
every_eval_ever         an object with ``schema_version`` and its ``*_samples.jsonl``, schema 0.2.2 to 0.3
inspect                 an object with ``eval``, ``status`` and ``samples``: a log as JSON
evalplus                an object with ``eval``: ``*_eval_results.json``
mistral-evals           an object of rows with ``model_answer``: ``raw_output_*.json``; it has no scores, so
                        ``--metric`` names one of evalkit's
======================  =====================================================================================

The content decides, not the file's name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.answers import (
    evalplus,
    every_eval_ever,
    folders,
    inspect_logs,
    lighteval,
    lines,
    lm_eval,
    mistral_evals,
    tables,
)
from evalkit.answers.gathering import repeated
from evalkit.answers.reading import MetricChoice, ReadAnswers, document, first_line
from evalkit.base.errors import DataError
from evalkit.files import textfile

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.comparison.pairs import Side

__all__ = ["MetricChoice", "ReadAnswers", "read"]

_KNOWN = (
    "JSON lines, CSV or parquet with 'id' and 'score', an evalkit run, lm-eval samples_*.jsonl, lighteval "
    "details_*.parquet, every_eval_ever, inspect logs as JSON, evalplus *_eval_results.json and mistral-evals "
    "raw_output_*.json can be read"
)


def read(path: Path, choice: MetricChoice) -> ReadAnswers:
    """The scores in a file or folder, by task.

    Raises:
        DataError: With the place, when it is in no known format, a line in it is wrong, or the model is not there.
    """
    found = _read(path, choice)
    labels = {side.label for side in found.tasks.values()}
    if choice.model is not None and labels != {choice.model}:
        raise DataError(
            f"{path}: does not say that it is of model '{choice.model}'", fix=f"leave --{choice.role}-model out"
        )
    return found


def _read(path: Path, choice: MetricChoice) -> ReadAnswers:
    if not path.is_dir():
        return _file(path, choice)
    parts = folders.files(path, choice)
    # Where none is of a chosen task, the caller says so, with the names that there are.
    parts = [part for part in parts if part.task in choice.tasks] or parts
    found: dict[str, ReadAnswers] = {}
    for part in parts:
        one = _file(part.path, replace(choice, metric=choice.metric_of(part.task)))
        found[part.task] = _again(found[part.task], one, path) if part.task in found else one
    formats = {one.format for one in found.values()}
    if len(formats) > 1:
        raise DataError(f"{path}: holds files of several formats ({', '.join(sorted(formats))})", fix="name one file")
    tasks = {name: side for task, one in found.items() for name, side in _named(task, one).items()}
    return ReadAnswers(formats.pop(), tasks, next(iter(found.values())).averages)


def _again(before: ReadAnswers, found: ReadAnswers, path: Path) -> ReadAnswers:
    """A task that lies in several files of a folder, such as one for each seed: they are repetitions."""
    both = before.tasks.keys() & found.tasks.keys()
    together = {task: repeated([before.tasks[task], found.tasks[task]], str(path)) for task in both}
    return replace(before, tasks={**found.tasks, **before.tasks, **together})


def _named(task: str, found: ReadAnswers) -> dict[str, Side]:
    return dict(found.tasks) if len(found.tasks) > 1 else {task or name: side for name, side in found.tasks.items()}


def _file(path: Path, choice: MetricChoice) -> ReadAnswers:
    if tables.is_parquet(path):
        if lighteval.fits(tables.columns(path)):
            return lighteval.read(path, choice)
        return lines.read(path, tables.parquet(path), choice)
    try:
        line = first_line(path)
    except DataError:
        if tables.is_delimited(path):
            return lines.read(path, tables.delimited(path), choice)
        raise
    found = _by_line(path, line, choice) if isinstance(line, dict) else None
    if found is not None:
        return found
    try:
        whole = document(path)
    except DataError:
        if line is None:
            raise
        raise _unknown(f"{path}:1", line) from None
    found = _by_document(path, whole, choice) if isinstance(whole, dict) else None
    if found is None:
        raise _unknown(str(path), whole)
    return found


def _by_line(path: Path, line: dict[str, Json], choice: MetricChoice) -> ReadAnswers | None:
    """What a file holds whose first line is an object; None where lines of its kind are not known."""
    if "doc_id" in line:
        return lm_eval.read(path, choice)
    if every_eval_ever.fits(line):
        return every_eval_ever.read(path, choice)
    if "id" in line or "score" in line:
        return lines.read(path, textfile.objects(path), choice)
    return None


def _by_document(path: Path, whole: dict[str, Json], choice: MetricChoice) -> ReadAnswers | None:
    """What a file holds that is one object; None where it is not known."""
    if every_eval_ever.fits(whole):
        return every_eval_ever.read(path, choice)
    if inspect_logs.fits(whole):
        return inspect_logs.read(path, whole, choice)
    if isinstance(whole.get("eval"), dict):
        return evalplus.read(path, whole, choice)
    return mistral_evals.read(path, whole, choice) if mistral_evals.fits(whole) else None


def _unknown(place: str, value: Json) -> DataError:
    if isinstance(value, list):
        return DataError(f"{place}: a JSON array", fix="write one JSON object a line, without brackets and commas")
    if isinstance(value, dict) and {"results", "configs"} <= value.keys():
        fix = "name the samples_*.jsonl beside it (lm_eval --log_samples), or the folder"
        return DataError(f"{place}: lm-eval's totals, without the score of any sample", fix=fix)
    what = f"with {', '.join(list(value)[:8]) or 'no keys'}" if isinstance(value, dict) else "that is no JSON object"
    return DataError(f"{place}: unknown format, a value {what}", fix=_KNOWN)
