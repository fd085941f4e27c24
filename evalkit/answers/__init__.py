"""Scores that exist already, read from files: evalkit's own runs and what other programs leave.

======================  =====================================================================================
format                  recognised by
======================  =====================================================================================
evalkit run             a folder ``runs/<id>``, ``runs/<id>/samples/<model>``, or one task's ``.jsonl`` in it
JSON lines              lines with ``id`` and ``score`` (the same reader; evalkit's lines only say more)
tables                  parquet, or CSV under a header, with columns ``id`` and ``score``: what ``evalkit export``
                        writes, or anybody (again the same reader)
lm-eval                 lines with ``doc_id``: ``samples_*.jsonl``, or the folder that holds them
evalplus                an object with ``eval``: ``*_eval_results.json``
mistral-evals           an object of rows with ``model_answer``: ``raw_output_*.json``; it has no scores, so
                        ``--metric`` names one of evalkit's
======================  =====================================================================================

The content decides, not the file's name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.answers import evalplus, folders, lines, lm_eval, mistral_evals, tables
from evalkit.answers.reading import MetricChoice, ReadAnswers, document, first_line
from evalkit.base.errors import DataError
from evalkit.files import textfile

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.comparison.pairs import Side

__all__ = ["MetricChoice", "ReadAnswers", "read"]

_KNOWN = (
    "JSON lines, CSV or parquet with 'id' and 'score', an evalkit run, lm-eval samples_*.jsonl, evalplus "
    "*_eval_results.json and mistral-evals raw_output_*.json can be read"
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
    found = {part.task: _file(part.path, replace(choice, metric=choice.metric_of(part.task))) for part in parts}
    formats = {one.format for one in found.values()}
    if len(formats) > 1:
        raise DataError(f"{path}: holds files of several formats ({', '.join(sorted(formats))})", fix="name one file")
    tasks = {name: side for task, one in found.items() for name, side in _named(task, one).items()}
    return ReadAnswers(formats.pop(), tasks, next(iter(found.values())).averages)


def _named(task: str, found: ReadAnswers) -> dict[str, Side]:
    return dict(found.tasks) if len(found.tasks) > 1 else {task or name: side for name, side in found.tasks.items()}


def _file(path: Path, choice: MetricChoice) -> ReadAnswers:
    if tables.is_parquet(path):
        return lines.read(path, tables.parquet(path), choice)
    try:
        line = first_line(path)
    except DataError:
        if tables.is_delimited(path):
            return lines.read(path, tables.delimited(path), choice)
        raise
    if isinstance(line, dict) and "doc_id" in line:
        return lm_eval.read(path, choice)
    if isinstance(line, dict) and ("id" in line or "score" in line):
        return lines.read(path, textfile.objects(path), choice)
    try:
        whole = document(path)
    except DataError:
        if line is None:
            raise
        raise _unknown(f"{path}:1", line) from None
    if isinstance(whole, dict) and isinstance(whole.get("eval"), dict):
        return evalplus.read(path, whole, choice)
    if isinstance(whole, dict) and mistral_evals.fits(whole):
        return mistral_evals.read(path, whole, choice)
    raise _unknown(str(path), whole)


def _unknown(place: str, value: Json) -> DataError:
    if isinstance(value, list):
        return DataError(f"{place}: a JSON array", fix="write one JSON object a line, without brackets and commas")
    what = f"with {', '.join(list(value)[:8]) or 'no keys'}" if isinstance(value, dict) else "that is no JSON object"
    return DataError(f"{place}: unknown format, a value {what}", fix=_KNOWN)
