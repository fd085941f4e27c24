"""A task tried without a model: what a right and a wrong answer to a question would be, made of its references."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evalkit.tasks import extensions
from evalkit.tasks.metrics import pattern
from evalkit.tasks.metrics.options import LETTERS
from evalkit.tasks.metrics.text import as_list

if TYPE_CHECKING:
    from evalkit.base.types import Json, Sample, Task

_MARKED: Final = ("explicit_prompt_relaxed_correctness", "anywhere_in_answer_relaxed_correctness")
"""Metrics that read what stands behind ``Final Answer:``."""


def right(task: Task, sample: Sample) -> str | None:
    """An answer that the headline should count as right; None where none can be made of the references."""
    return _said(task, sample.references, right=True)


def wrong(task: Task, sample: Sample) -> str | None:
    """One that it should count as wrong; None as for `right`."""
    return _said(task, sample.references, right=False)


def _said(task: Task, references: Json, *, right: bool) -> str | None:
    metric, _ = extensions.plain(task.headline)
    if isinstance(references, dict) and isinstance(references.get("options"), list):
        said = _option(metric, references, right=right)
    else:
        told = references.get("answers") if isinstance(references, dict) else references
        said = _text(metric, as_list(told), right=right)
    if said is not None and metric in _MARKED:
        said = f"Final Answer: {said}"
    extract = task.settings.get("extract")
    return _within(extract, said) if said is not None and isinstance(extract, str) and extract else said


def _option(metric: str, told: dict[str, Json], *, right: bool) -> str | None:
    options, places = told["options"], told.get("right", [])
    chosen = next((place for place in range(len(options)) if (place in places) == right), None)
    if chosen is None:
        return None
    return LETTERS[chosen] if metric == "choice" else str(options[chosen])


def _text(metric: str, references: list[Json], *, right: bool) -> str | None:
    if metric == "regex" or not references:
        return None
    first = references[0].get("answer") if isinstance(references[0], dict) else references[0]
    if isinstance(first, bool) or not isinstance(first, str | int | float):
        return None
    if right:
        return str(first)
    try:
        return f"{float(str(first).replace(',', '')) * 2 + 1:g}"
    except (ValueError, OverflowError):
        return "qqq"


def _within(extract: str, said: str) -> str | None:
    """The answer where a pattern finds it: what stands before its first group as it is; None where that fails."""
    flags = re.match(r"\(\?[a-z]+\)", extract)
    before, _, _ = extract[flags.end() if flags else 0 :].partition("(")
    text = re.sub(r"\\s[*+?]?| [*+?]", " ", before).replace("\\", "") + said
    return text if pattern.last(extract, text) == said else None
