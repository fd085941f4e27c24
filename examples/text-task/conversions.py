"""A benchmark whose rows have columns of their own, and a metric that forgives one per cent.

``evalkit run --tasks-dir . --allow-task-code`` runs this file, because conversions.toml names what it has.
"""

from __future__ import annotations

import re

from evalkit.base.types import Sample, Score, Text
from evalkit.tasks.benchmarks import Benchmark
from evalkit.tasks.benchmarks.row import DataRow

NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def conversion(cells, prompt, position):
    """One row as a question: what the user message says, and what its answer is compared with."""
    row = DataRow(cells, position)
    question = row.text("question")
    return Sample(
        id=row.id("id", question),
        content=(Text(f"{question}\n{prompt}"),),
        references=[row.value("number")],
        # Subjects are all that there are: groups = "fixed" in the task file.
        cluster=row.text("subject"),
    )


def within_one_percent(answer, references, dialect):
    """1 if the last number of the answer is within one per cent of the reference, otherwise 0."""
    del dialect
    found = NUMBER.findall(answer)
    if not found:
        return Score(0.0)  # nothing was read: the report counts such an answer as unparsed
    number = float(found[-1].replace(",", ""))
    right = any(abs(number - wanted) <= 0.01 * abs(wanted) for wanted in references)
    return Score(float(right), parsed=found[-1])


BENCHMARKS = {
    "conversion": Benchmark(
        columns=("question", "number", "subject"), image_columns=(), sample=conversion, more_columns=("id",)
    )
}
METRICS = {"within_one_percent": within_one_percent}
