"""ChartQA: a question about a chart, answered with a number or a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.types import Sample
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, kinds, one_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json

_KIND: Final = "type"
_HALVES: Final = {"human_test": "human", "augmented_test": "augmented"}
"""Questions that people wrote, and others that a model made of captions."""


def _sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    row = DataRow(cells, position)
    image, question = row.image("image"), row.text("question")
    return Sample(
        id=row.id(None, question),
        content=one_image(image, question, prompt),
        references=row.references("answer"),
        # Often two questions share a chart.
        cluster=image.sha256,
        kinds=tuple(_HALVES.get(kind, kind) for kind in kinds(row, _KIND)),
    )


CHARTQA = Benchmark(
    columns=("image", "question", "answer"),
    image_columns=("image",),
    sample=_sample,
    more_columns=(_KIND,),
    shared_image="image",
)
