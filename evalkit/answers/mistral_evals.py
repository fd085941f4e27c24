"""mistral-evals' ``raw_output_<task>.json``: request, answer and reference of each row, in the order of completion.

Its numbering differs between runs, so a row is named by a digest of what was asked. Rows that ask the same are
attempts at one sample. It holds no scores: the answers are scored here, by a metric that the user names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.answers.reading import MetricChoice, ReadAnswers
from evalkit.base.errors import DataError
from evalkit.base.identity import digest
from evalkit.base.scores import SampleScore
from evalkit.comparison.pairs import Side
from evalkit.files.textfile import shown
from evalkit.tasks import metrics

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.base.types import Json

_KEYS = ("request", "model_answer", "reference_answer")


def fits(whole: dict[str, Json]) -> bool:
    """Whether an object is mistral-evals' rows, or its means."""
    return bool(whole) and (_means(whole) or "model_answer" in (next(iter(whole.values())) or ()))


def read(path: Path, whole: dict[str, Json], choice: MetricChoice) -> ReadAnswers:
    """The rows of a file, scored.

    Raises:
        DataError: It holds means only, a row is wrong, or no metric was named.
        UsageError: evalkit has no such metric.
    """
    if _means(whole):
        raise DataError(
            f"{path}: means only ({', '.join(whole)}), which cannot be paired",
            fix="run mistral-evals with --save_raw_output and name raw_output_<task>.json",
        )
    if choice.metric is None:
        raise DataError(
            f"{path}: answers without scores",
            fix=f"name the metric that fits the task: --metric {', '.join(sorted(metrics.METRICS))}",
        )
    attempts, left_out = [], set[str]()
    for number, row in whole.items():
        messages, answer, reference = _row(row, f"{path}: row {number}")
        found = metrics.score(choice.metric, answer, reference, choice.dialect)
        key = digest([messages, reference])[:16]
        if found.left_out:
            left_out.add(key)
        else:
            attempts.append((key, found.value))
    scores = {key: SampleScore(key, value) for key, value in stats.within_sample(attempts).items()}
    side = Side(
        label=str(path),
        scores=scores,
        left_out=frozenset(left_out - scores.keys()),
        content={key: {"question": key} for key in scores},
        settings={"metric": choice.metric, "dialect": choice.dialect},
    )
    return ReadAnswers("mistral-evals", {"": side})


def _means(whole: dict[str, Json]) -> bool:
    return all(isinstance(value, (int, float)) for value in whole.values())


def _row(row: Json, place: str) -> tuple[Json, str | None, Json]:
    """Messages, answer and reference of one row."""
    missing = [key for key in _KEYS if key not in row] if isinstance(row, dict) else list(_KEYS)
    if missing:
        raise DataError(f"{place}: no {', '.join(missing)}", fix=f"a row has {', '.join(_KEYS)}")
    request, answer = row["request"], row["model_answer"]
    if answer is not None and not isinstance(answer, str):
        raise DataError(f"{place}: model_answer is {shown(answer)}", fix="an answer is a text, or null")
    messages = request.get("messages", request) if isinstance(request, dict) else request
    return messages, answer, row["reference_answer"]
