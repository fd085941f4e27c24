"""Answers that the models gave elsewhere: read before anything is asked, so that what is wrong is told at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evalkit import answers, harnesses
from evalkit.answers import MetricChoice
from evalkit.answers.sides import matched
from evalkit.base.errors import DataError, UsageError
from evalkit.comparison import comparability, imported
from evalkit.comparison.pairs import compare
from evalkit.records.imported import ImportedTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.answers import ReadAnswers
    from evalkit.base.types import Dialect
    from evalkit.comparison.pairs import Side
    from evalkit.config.imported import ImportedFiles
    from evalkit.config.run_config import Config


def read(config: Config) -> tuple[ImportedTask, ...]:
    """Every imported task of a config, both models' answers in it.

    Raises:
        DataError: A file is not there, cannot be read, lacks the task, or has no sample that both models answered.
    """
    labels = [choice.label for choice in config.candidates]
    return tuple(_task(one, labels, config.dialect or "neuralmagic") for one in config.imported)


def refuse_asked(found: Iterable[ImportedTask], asked: Iterable[str]) -> None:
    """Refuse an imported row that has the name of a task which the run asks.

    Raises:
        UsageError: With both ways out.
    """
    names = set(asked)
    for one in found:
        if one.task in names:
            raise UsageError(
                f"'{one.task}' is imported and asked", fix="leave one of them out, or give the import another name"
            )


def keys(found: Iterable[ImportedTask]) -> set[str]:
    """Keys of differences that imported rows could have and somebody could accept."""
    return {key for one in found for base, cand in _sides(one) for key in comparability.keys(base, cand)}


def _sides(one: ImportedTask) -> Iterator[tuple[Side, Side]]:
    base = imported.side(one.baseline, "baseline")
    yield from ((base, imported.side(cand, label)) for label, cand in one.candidates.items())


def _task(one: ImportedFiles, labels: Sequence[str], dialect: Dialect) -> ImportedTask:
    base = _read(one, one.baseline, "baseline", dialect)
    found = {}
    for label, place in zip(labels, one.candidates, strict=True):
        cand = _read(one, place, "candidate", dialect)
        chosen = [one.task] if one.task in base.tasks and one.task in cand.tasks else []
        pairs = matched((one.baseline, place), (base, cand), chosen)
        if len(pairs) > 1:
            raise DataError(
                f"imported '{one.task}': {one.baseline} and {place} hold {', '.join(pairs)}",
                fix="name the row as the task that is meant",
            )
        pairs = matched((one.baseline, place), (base, cand), chosen, one.expected)
        ((_, (own, other)),) = pairs.items()
        if not compare(one.task, own, other).planned:
            raise DataError(f"imported '{one.task}': no sample in {one.baseline} or {place}", fix="name other files")
        found[label] = imported.kept(other, place, cand.format)
        kept = imported.kept(own, one.baseline, base.format)
    return ImportedTask(task=one.task, baseline=kept, candidates=found)


def _read(one: ImportedFiles, place: str, role: Literal["baseline", "candidate"], dialect: Dialect) -> ReadAnswers:
    path = Path(place)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder", fix=f"check what is imported as '{one.task}'")
    # Where a folder has no task of this name its only one is meant.
    return answers.read(path, MetricChoice(role, one.metric, dialect, (one.task,), groups_of=harnesses.groups))
