"""VQAv2: a short question about a photograph, answered by ten people."""

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
        id=row.id("question_id", question),
        content=one_image(image, question, prompt),
        references=row.references("answers"),
        # About five questions share a photograph; its digest holds for mirrors without an image_id as well.
        cluster=image.sha256,
    )


VQAV2 = Benchmark(
    columns=("image", "question", "answers"),
    image_columns=("image",),
    sample=_sample,
    more_columns=("question_id",),
    unit_columns=("image_id",),
    shared_image="image",
)
