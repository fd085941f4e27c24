"""MathVista: a question about a figure, with lettered choices or a free answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.types import Sample
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, one_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json


def _sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    row = DataRow(cells, position)
    image, query = row.image("decoded_image"), row.text("query")
    return Sample(
        id=row.id("pid", query),
        content=one_image(image, query, prompt),
        references=_reference(row),
        # Some figures are asked about more than once.
        cluster=image.sha256,
    )


def _reference(row: DataRow) -> str:
    """The letter of the answer among the choices (the first, where a choice is listed twice), or the answer."""
    answer, choices = row.text("answer"), row.cells.get("choices")
    if not choices:
        return answer
    if not isinstance(choices, list) or answer not in choices:
        row.refuse("answer is none of the choices")
    return chr(ord("A") + choices.index(answer))


MATHVISTA = Benchmark(
    columns=("decoded_image", "query", "choices", "answer"),
    image_columns=("decoded_image",),
    sample=_sample,
    more_columns=("pid",),
    shared_image="decoded_image",
)
