"""Rows of a report that are made of answers from elsewhere, as users name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.base.codec import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class ImportedFiles:
    """A task that the models of this comparison answered elsewhere."""

    task: str
    """Its name in the report; where the files hold several tasks, the one of this name is meant."""
    baseline: str
    """The file or folder with the baseline's answers, in any format that ``evalkit compare`` reads."""
    candidates: tuple[str, ...]
    """The same of each candidate, in the order in which the run names them."""
    metric: str | None = None
    """The one that counts, where the files have several."""
    expected: int | None = None
    """Samples that the task has, where the files cannot tell."""


def problems(imported: Sequence[ImportedFiles], candidates: int) -> Iterator[Fault]:
    """What is wrong with imported rows: each needs a name of its own, and the files of every candidate."""
    names: set[str] = set()
    for number, one in enumerate(imported):
        place, given = f"imported[{number}]", len(one.candidates)
        if not one.task or one.task in names:
            yield Fault(f"{place}.task", f"'{one.task}' is empty or named twice", "give each row a name of its own")
        names.add(one.task)
        if not candidates or given != candidates:
            what = f"names the files of {given} candidates, the run has {candidates}"
            yield Fault(f"{place}.candidates", what, "name one file or folder for each candidate, in their order")
        if one.expected is not None:
            yield from codec.at_least(1, {f"{place}.expected": one.expected})
