"""Gauges: rows with columns of their own, and a metric that forgives a reading that is nearly right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.types import Sample, Score
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, one_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Dialect, Json


def sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    """The question of a row; `DataRow` reads cells and names the row and the column that are wrong."""
    row = DataRow(cells, position)
    photo, ask = row.image("photo"), row.text("ask")
    return Sample(row.id("gauge", ask), one_image(photo, ask, prompt), [row.text("reading")], cluster=photo.sha256)


def within_one(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 within one unit of the reading, otherwise 0; what is no number could not be read (`parsed` stays None)."""
    del dialect
    try:
        found = float(answer.strip().rstrip("."))
    except ValueError:
        return Score(0.0)
    return Score(float(abs(found - float(references[0])) <= 1), parsed=f"{found:g}")


GAUGES = Benchmark(
    columns=("photo", "ask", "reading"),
    image_columns=("photo",),
    sample=sample,
    more_columns=("gauge",),
    shared_image="photo",
)
BENCHMARKS = {"gauges": GAUGES}
METRICS = {"within_one": within_one}
