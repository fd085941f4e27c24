"""Answers made elsewhere: evalplus's own sample files, or its folders with one file an attempt."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, near_miss
from evalkit.files import textfile
from evalkit.files.textfile import objects, shown
from evalkit.harnesses.evalplus.problems import sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalkit.base.types import Sample
    from evalkit.harnesses.evalplus.problems import Problems


def attempts(path: Path, questions: Problems, *, sanitize: bool = False) -> Iterator[tuple[Sample, str]]:
    """Every attempt in a file (``.jsonl``: task_id, and solution or completion) or folder, with its sample.

    ``evalplus.evaluate`` runs the programs of such a file as they stand there, and so does the checker with these
    samples, unless ``sanitize`` (for the files that generation leaves, ``*.raw.jsonl``, and for ``completion``
    lines of a chat model).

    Raises:
        DataError: A line is wrong, names an unknown problem, or the folder holds no attempt.
    """
    seen: Counter[str] = Counter()
    for place, task_id, text in _folder(path) if path.is_dir() else _lines(path, questions):
        problem = questions.problems.get(task_id)
        if problem is None:
            raise DataError(f"{place}: no problem {task_id!r}", fix=near_miss(task_id, questions.problems))
        asked = sample(problem, seen[task_id])
        seen[task_id] += 1
        yield (asked if sanitize else replace(asked, references={**asked.references, "as_written": True})), text
    if not seen:
        raise DataError(f"{path}: no attempts", fix="a folder holds HumanEval_0/0.py and so on; a file one a line")


def _lines(path: Path, questions: Problems) -> Iterator[tuple[str, str, str]]:
    """Place, problem and solution of each line."""
    for place, line in objects(path):
        task_id = line.get("task_id")
        if not isinstance(task_id, str):
            raise DataError(
                f"{place}: task_id is {shown(task_id)}", fix="a line has task_id, and solution or completion"
            )
        text = line.get("solution", line.get("completion"))
        if not isinstance(text, str):
            raise DataError(f"{place}: no text under solution or completion", fix="write one attempt a line")
        if "solution" not in line and task_id in questions.problems:
            text = questions.problems[task_id].prompt + text
        yield place, task_id, text


def _folder(path: Path) -> Iterator[tuple[str, str, str]]:
    """Place, problem and solution of each file, attempts in the order of their numbers."""
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir()):
        files = sorted(folder.glob("*.py"), key=lambda file: (len(file.stem), file.stem))
        for file in files:
            yield str(file), folder.name.replace("_", "/"), textfile.text(file)
