"""Made-up questions in MMLU's files, for tests that need no real ones."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from evalkit.base.types import Dataset, Decoding, Task
from evalkit.demo.questions.heldout import quizzes

THREE = ("astronomy", "sociology", "philosophy")


def rows(subject, split):
    shots, asked = quizzes()[subject]
    return [
        {"question": quiz.question, "subject": subject, "choices": list(quiz.choices), "answer": quiz.answer}
        for quiz in (shots if split == "dev" else asked)
    ]


def write(path, some):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in some))
    else:
        pq.write_table(pa.Table.from_pylist(some), path)
    return path


def mmlu(folder, subjects=THREE, name="-00000-of-00001.parquet"):
    """A folder of subjects with all their rows."""
    for subject in subjects:
        for split in ("dev", "test"):
            write(folder / subject / f"{split}{name}", rows(subject, split))
    return folder


def task(**settings):
    return Task(
        name="mmlu",
        benchmark="mmlu",
        dataset=Dataset(id="cais/mmlu", split="test"),
        prompt="",
        decoding=Decoding(max_tokens=1),
        metrics=("acc",),
        headline="acc",
        dialect="neuralmagic",
        category="Text",
        title="MMLU (5-shot)",
        settings=settings,
        source="tasks/mmlu.toml",
    )
