"""evalplus's ``*_eval_results.json``: attempts at each problem, passed or not, averaged within the problem.

The mean over problems is then pass@1. Metric ``base`` (the default) is HumanEval or MBPP; ``plus`` asks for the
extra tests as well.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.answers.reading import MetricChoice, ReadAnswers, no_metric
from evalkit.base.errors import DataError
from evalkit.base.printable import part_of
from evalkit.base.scores import SampleScore
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side
from evalkit.files.textfile import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalkit.base.types import Json

_SIZES = {"HumanEval": 164}
"""Problems of a data set, by the first part of its ids, where all its versions have the same number."""
_STATUSES = {"base": ("base_status",), "plus": ("base_status", "plus_status")}
_WORDS = {"pass", "fail", "timeout"}


def read(path: Path, whole: dict[str, Json], choice: MetricChoice) -> ReadAnswers:
    """The problems of a file.

    Raises:
        DataError: With the place inside the file.
    """
    metric = choice.metric or "base"
    if metric not in _STATUSES:
        no_metric(str(path), metric, _STATUSES)
    attempts: list[tuple[str, float]] = []
    timeouts = 0
    for problem, place, attempt in _attempts(path, whole["eval"]):
        statuses = [_status(attempt, key, place) for key in _STATUSES[metric]]
        attempts.append((problem, float(all(status == "pass" for status in statuses))))
        timeouts += "timeout" in statuses
    if not attempts:
        raise DataError(f"{path}: 'eval' holds no problem", fix="run evalplus.evaluate to its end")
    names = {problem.partition("/")[0] for problem, _ in attempts}
    size = _SIZES.get(names.pop()) if len(names) == 1 else None
    settings: dict[str, Json] = {"metric": metric}
    if whole.get("hash"):
        settings["data hash"] = whole["hash"]
    counts = Counter(problem for problem, _ in attempts)
    several, asked = max(counts.values()), max(counts.values()) * len(counts)
    side = Side(
        label=str(path),
        scores={
            key: SampleScore(key, value, attempts=counts[key]) for key, value in stats.within_sample(attempts).items()
        },
        attempts=Attempts(str(path), asked - len(attempts), asked) if several > 1 else None,
        several=several,
        planned=size or 0,
        available=size,
        settings=settings,
        cautions=(f"{path}: {part_of(timeouts, len(attempts), 'attempt')} ran into the time limit",)
        if timeouts
        else (),
    )
    return ReadAnswers("evalplus", {"": side})


def _attempts(path: Path, problems: dict[str, Json]) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """Problem, place and attempt, one by one."""
    for problem, attempts in problems.items():
        if not isinstance(attempts, list) or not attempts:
            raise DataError(
                f"{path}: eval.{problem}: is {shown(attempts)}, not a list of attempts",
                fix="evaluate the samples again with evalplus 0.2 or later",
            )
        for number, attempt in enumerate(attempts):
            place = f"{path}: eval.{problem}[{number}]"
            if not isinstance(attempt, dict):
                raise DataError(f"{place}: is {shown(attempt)}", fix="an attempt is an object with 'base_status'")
            yield problem, place, attempt


def _status(attempt: dict[str, Json], key: str, place: str) -> str:
    value = attempt.get(key)
    if value in _WORDS:
        return str(value)
    if key == "plus_status" and value is None:
        raise DataError(f"{place}: the plus tests were not run", fix="leave --metric plus out, or evaluate in full")
    raise DataError(f"{place}: {key} is {shown(value)}", fix="it must be pass, fail or timeout")
