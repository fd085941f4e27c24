"""The text half of the demonstration's data: MMLU's folder of subjects and HumanEval's problems.

They are made of facts and functions of our own, in the columns that lm-eval and evalplus read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.demo.questions import heldout, programs
from evalkit.demo.questions.scenes import stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from evalkit.demo.questions.mmlu import Quiz

_QUIZ = pa.schema(
    [("question", pa.string()), ("subject", pa.string()), ("choices", pa.list_(pa.string())), ("answer", pa.int64())]
)


def write_mmlu(folder: Path) -> Path:
    """A folder for each subject, with its five shots (``dev``) and its held-out questions (``test``)."""
    for subject, (shots, asked) in heldout.quizzes().items():
        for split, made in (("dev", shots), ("test", asked)):
            _write_quizzes(folder / subject / f"{split}-00000-of-00001.parquet", made)
    return folder


def _write_quizzes(path: Path, made: Iterable[Quiz]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"question": one.question, "subject": one.subject, "choices": list(one.choices), "answer": one.answer}
        for one in made
    ]
    # Beside its place first: what is at the place is always whole.
    part = path.with_name(path.name + ".part")
    pq.write_table(pa.Table.from_pylist(lines, schema=_QUIZ), part)
    part.replace(path)


def write_humaneval(path: Path, problems: int = heldout.PROBLEMS) -> Path:
    """One problem a line: HumanEval's columns and those that evalplus adds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(programs.row(stream(heldout.SEED, "tests", number), made, number)) + "\n"
        for number, made in enumerate(heldout.problems(problems))
    ]
    part = path.with_name(path.name + ".part")
    part.write_text("".join(lines), encoding="utf-8")
    part.replace(path)
    return path
