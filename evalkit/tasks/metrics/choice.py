"""Multiple choice by likelihood: the option that the model finds most likely, as lm-eval's ``acc`` counts it."""

from __future__ import annotations

import json
import math
from string import ascii_uppercase
from typing import TYPE_CHECKING

from evalkit.base.types import Score

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json


def acc(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 when the most likely option is the right one; of equals the first counts, as ``numpy.argmax`` does.

    An option without a number (NaN, as a broken model has for all) leaves none that is the most likely: lm-eval would
    count the first such option as chosen, and a quarter of such a model's answers as right.

    Args:
        answer: JSON with ``loglikelihoods``, a number for each option.
        references: one object with ``gold``, the right option's place.
        dialect: not used; every program reads it so.
    """
    del dialect
    gold = references[0].get("gold") if references and isinstance(references[0], dict) else None
    if not isinstance(gold, int):
        return Score(0.0, note="no references", left_out=True)
    try:
        values = [float(value) for value in json.loads(answer)["loglikelihoods"]]
        place = max(range(len(values)), key=lambda at: (values[at], -at))
    except (ValueError, TypeError, KeyError, IndexError):
        values, place = [math.nan], 0
    if any(map(math.isnan, values)):
        return Score(0.0, note="no log-probabilities")
    return Score(float(place == gold), ascii_uppercase[place] if place < len(ascii_uppercase) else str(place))


def acc_by_subject(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """``acc`` of one answer; of a task the mean of its subjects' accuracies, each counting alike whatever its size.

    So the first Open LLM Leaderboard averaged MMLU. Only ``benchmark = "mmlu"`` has subjects; elsewhere it is ``acc``.
    """
    return acc(answer, references, dialect)
