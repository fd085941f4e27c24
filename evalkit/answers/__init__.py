"""Scores that exist already, read from files: evalkit's own runs and what other programs leave.

======================  =====================================================================================
format                  recognised by
======================  =====================================================================================
evalkit run             a folder ``runs/<id>``, ``runs/<id>/samples/<model>``, or one task's ``.jsonl`` in it
JSON lines              lines with ``id`` and ``score`` (the same reader; evalkit's lines only say more)
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

from evalkit.answers import evalplus, folders, lines, lm_eval, mistral_evals
from evalkit.answers.reading import Choice, Found, document, first_line
from evalkit.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.pairs import Side
    from evalkit.types import Json

__all__ = ["Choice", "Found", "read"]

_KNOWN = (
    "JSON lines with 'id' and 'score', an evalkit run, lm-eval samples_*.jsonl, evalplus *_eval_results.json "
    "and mistral-evals raw_output_*.json can be read"
)


def read(path: Path, choice: Choice) -> Found:
    """The scores in a file or folder, by task.

    Raises:
        DataError: With the place, when it is in no known format, or a line in it is wrong.
    """
    if not path.is_dir():
        return _file(path, choice)
    parts = folders.files(path, choice)
    # Where none is of a chosen task, the caller says so, with the names that there are.
    parts = [part for part in parts if part.task in choice.tasks] or parts
    found = {
        part.task: _file(part.path, replace(choice, metric=choice.metrics.get(part.task, choice.metric)))
        for part in parts
    }
    formats = {one.format for one in found.values()}
    if len(formats) > 1:
        raise DataError(f"{path}: holds files of several formats ({', '.join(sorted(formats))})", fix="name one file")
    tasks = {name: side for task, one in found.items() for name, side in _named(task, one).items()}
    return Found(formats.pop(), tasks, parts[0].category)


def _named(task: str, found: Found) -> dict[str, Side]:
    return {task or name: side for name, side in found.tasks.items()}


def _file(path: Path, choice: Choice) -> Found:
    line = first_line(path)
    if isinstance(line, dict) and "doc_id" in line:
        return lm_eval.read(path, choice)
    if isinstance(line, dict) and ("id" in line or "score" in line):
        return lines.read(path, choice)
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
