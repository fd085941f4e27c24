"""What a tracker is told of a run: numbers and words under names of their own, and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from evalkit.base.errors import DataError, UsageError
from evalkit.base.identity import file_name
from evalkit.records import results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalkit.records.figures import StatedJudgement
    from evalkit.records.results import Results

PROJECT: Final = "evalkit"
"""What trackers call it where their own settings say nothing else."""
_FILES: Final = ("report.html", "report.md", "results.json", "summary.md", "model_card*.md")


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One finished run. Scores are from 0 to 1, recoveries and thresholds in percent, as in ``results.json``."""

    id: str
    folder: Path
    words: Mapping[str, str]
    """``outcome``, ``exit_code``, ``baseline``, ``candidates``, and ``verdict/TASK/CANDIDATE``."""
    numbers: Mapping[str, float]
    """``score/TASK/MODEL``, ``recovery/TASK/CANDIDATE`` and so on; what is undefined is left out."""
    files: tuple[Path, ...]
    """The report, and what other tools read of it."""

    @classmethod
    def of(cls, folder: Path) -> Self:
        """The run in a folder.

        Raises:
            UsageError: It has not finished.
            DataError: Its results cannot be read.
        """
        path = folder / "results.json"
        try:
            found = results.read(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            fix = "finish the run, or write them again: evalkit report RUN --format json"
            raise UsageError(f"{path} is not there", fix=fix) from error
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: {error}", fix="write it again: evalkit report RUN --format json") from error
        files = sorted(path for name in _FILES for path in folder.glob(name))
        return cls(folder.name, folder, dict(_words(found)), dict(_numbers(found)), tuple(files))


def _words(found: Results) -> Iterator[tuple[str, str]]:
    if found.outcome is not None:
        yield "outcome", " | ".join(found.outcome.lines)
        yield "exit_code", str(found.outcome.exit_code)
    yield "baseline", found.baseline
    yield "candidates", ", ".join(found.candidates)
    for name, judgement in _judgements(found):
        if judgement.verdict is not None:
            yield f"verdict/{name}", judgement.verdict.value


def _numbers(found: Results) -> Iterator[tuple[str, float]]:
    for row in found.tasks:
        for label, score in row.scores.items():
            name = f"{row.task}/{file_name(label)}"
            yield f"failed/{name}", score.failed
            if score.score is not None:
                yield f"score/{name}", score.score
    for name, one in _judgements(found):
        low, high = one.interval or (None, None)
        told = {
            "recovery": one.percent,
            "recovery_low": low,
            "recovery_high": high,
            "threshold": one.min_recovery,
            "paired": one.paired,
            "regressed": one.regressed,
            "improved": one.improved,
        }
        yield from ((f"{key}/{name}", value) for key, value in told.items() if value is not None)


def _judgements(found: Results) -> Iterator[tuple[str, StatedJudgement]]:
    """Of every task and average, under its name and the candidate's: letters that every tracker takes."""
    rows = [(row.task, row.recovery) for row in found.tasks]
    averages = [(f"average-{file_name(one.category)}", one.recovery) for one in found.averages]
    for task, judgements in [*rows, *averages]:
        yield from ((f"{task}/{file_name(label)}", one) for label, one in judgements.items())
