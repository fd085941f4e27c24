"""Writes the demo's data sets: ``python -m demo_model.generate FOLDER``.

Five vision sets as one parquet file each, MMLU as one folder a subject (``test``, ``validation`` and ``dev``, as
lm-eval's own task files read them), HumanEval as one JSON line a problem with the fields that evalplus reads.
All of it is held out: training never shows these questions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.demo import rows
from evalkit.demo.questions import heldout, programs
from evalkit.demo.questions.scenes import stream

if TYPE_CHECKING:
    from evalkit.demo.questions.mmlu import Quiz

_QUIZ = pa.schema(
    [("question", pa.string()), ("subject", pa.string()), ("choices", pa.list_(pa.string())), ("answer", pa.int64())]
)


def write_mmlu(folder: Path) -> None:
    """Write ``<subject>/{test,validation,dev}-00000-of-00001.parquet``; ``dev`` holds the five shots."""
    for subject, (shots, asked) in heldout.quizzes().items():
        (folder / subject).mkdir(parents=True, exist_ok=True)
        for split, quizzes in (("test", asked), ("validation", asked[:1]), ("dev", shots)):
            table = pa.Table.from_pylist([_quiz_row(quiz) for quiz in quizzes], schema=_QUIZ)
            pq.write_table(table, folder / subject / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text(_configs(list(heldout.quizzes())), encoding="utf-8")


def _configs(subjects: list[str]) -> str:
    """The front matter by which ``datasets`` finds a subject's files."""
    lines = ["---", "configs:"]
    for subject in subjects:
        lines += [f"- config_name: {subject}", "  data_files:"]
        for split in ("test", "validation", "dev"):
            lines += [f"  - split: {split}", f"    path: {subject}/{split}-*"]
    return "\n".join([*lines, "---", ""])


def _quiz_row(quiz: Quiz) -> dict[str, object]:
    return {"question": quiz.question, "subject": quiz.subject, "choices": list(quiz.choices), "answer": quiz.answer}


def write_humaneval(file: Path) -> None:
    """Write the problems, one JSON object a line."""
    problems = enumerate(heldout.problems())
    lines = [json.dumps(programs.row(stream(heldout.SEED, "tests", place), made, place)) for place, made in problems]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Write the demo's data sets.")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    rows.write(given.folder, max(heldout.COUNTS.values()))
    write_mmlu(given.folder / "mmlu")
    write_humaneval(given.folder / "humaneval.jsonl")


if __name__ == "__main__":
    main()
