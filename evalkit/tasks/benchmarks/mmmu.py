"""MMMU: an exam question with up to seven images, lettered options or a free answer."""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Final

from evalkit.base.types import Sample, Text
from evalkit.tasks.benchmarks.row import Benchmark, DataRow, kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Image, Json

_PLACEHOLDER = re.compile(r"<image (\d{1,9})>")
_ID = re.compile(r"(?:dev|validation|test)_([A-Za-z_]+)_\d+")
_SUBFIELD: Final = "subfield"


def _sample(cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
    row = DataRow(cells, position)
    question = _question(row)
    return Sample(
        id=row.id("id", question),
        content=_content(row, question, prompt),
        references=_references(row),
        # No cluster: every question has images of its own.
        kinds=_subject(row),
    )


def _subject(row: DataRow) -> tuple[str, ...]:
    """The subject, which the data set names in its ids alone; else the subfield, which is a part of one."""
    own = row.cells.get("id")
    named = _ID.fullmatch(own) if isinstance(own, str) else None
    return (named[1].replace("_", " "),) if named else kinds(row, _SUBFIELD)


def _question(row: DataRow) -> str:
    """The question, followed by one line for each lettered option."""
    question = row.text("question")
    if row.text("question_type") != "multiple-choice":
        return question
    options = _literal_list(row, "options")
    return f"{question}\n" + "\n".join(f"{chr(ord('A') + place)}. {option}" for place, option in enumerate(options))


def _content(row: DataRow, question: str, prompt: str) -> tuple[Text | Image, ...]:
    """Text and images in the order of the placeholders, the prompt last.

    A placeholder that is repeated shows its image again; an image without a placeholder is not shown; white
    space alone is left out. The prompt goes on a new line of the last text, or alone after a last image.
    """
    content: list[Text | Image] = []
    # With one group, a split gives texts and numbers in turn.
    for place, piece in enumerate(_PLACEHOLDER.split(question)):
        if place % 2:
            content.append(row.image(f"image_{int(piece)}"))
        elif piece.strip():
            content.append(Text(piece))
    if not content:
        row.refuse("there is no question")
    if isinstance(content[-1], Text):
        content[-1] = Text(f"{content[-1].text}\n{prompt}")
    else:
        content.append(Text(prompt))
    return tuple(content)


def _references(row: DataRow) -> Json:
    """The answer in a list; an answer with a bracket is a list already, written as Python."""
    answer = row.text("answer")
    return _literal_list(row, "answer") if "[" in answer else [answer]


def _literal_list(row: DataRow, column: str) -> list[str | int | float]:
    written = row.text(column)
    try:
        with warnings.catch_warnings():
            # Formulas have backslashes that Python warns of and then keeps.
            warnings.simplefilter("ignore")
            found = ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, str | int | float) for each in found):
        row.refuse(f"{column} is not a list: {written[:60]!r}")
    return found


_IMAGES = tuple(f"image_{number}" for number in range(1, 8))

MMMU = Benchmark(
    columns=("question", "options", "question_type", "answer", "image_1"),
    image_columns=_IMAGES,
    sample=_sample,
    more_columns=("id", _SUBFIELD),
    unit_columns=("id",),
    groups="fixed",
)
