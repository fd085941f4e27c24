"""ChartQA: a question about a chart, answered with a number or a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.types import Sample
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, one_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json


def _sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    row = DataRow(cells, position)
    image, question = row.image("image"), row.text("question")
    return Sample(
        id=row.id(None, question),
        content=one_image(image, question, prompt),
        references=row.references("answer"),
        # Often two questions share a chart.
        cluster=image.sha256,
    )


CHARTQA = Benchmark(
    columns=("image", "question", "answer"), image_columns=("image",), sample=_sample, shared_image="image"
)
