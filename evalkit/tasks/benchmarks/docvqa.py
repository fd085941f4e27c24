"""DocVQA: a question about a scanned page, answered with words from the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.types import Sample
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, kinds, one_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json

_KINDS: Final = "question_types"


def _sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    row = DataRow(cells, position)
    image, question = row.image("image"), row.text("question")
    return Sample(
        id=row.id("questionId", question),
        content=one_image(image, question, prompt),
        references=row.references("answers"),
        # About four questions share a page; one document (docId) has several pages.
        cluster=image.sha256,
        # A question about a form that was filled in by hand is of two kinds.
        kinds=kinds(row, _KINDS),
    )


DOCVQA = Benchmark(
    columns=("image", "question", "answers"),
    image_columns=("image",),
    sample=_sample,
    more_columns=("questionId", _KINDS),
    unit_columns=("ucsf_document_id", "ucsf_document_page_no"),
    shared_image="image",
)
