"""Why an answer got its score, in one line: what was read of it, what that was held against, and by which rule."""

from __future__ import annotations

import json
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, cast

from evalkit.tasks.metrics import relaxed
from evalkit.tasks.metrics.anls import anls
from evalkit.tasks.metrics.text import as_list
from evalkit.tasks.metrics.vqa import people

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.base.types import Dialect, Json, Score

_LONG: Final = 60
_NAMED: Final = 3


def why(metric: str, score: Score, references: Json, dialect: Dialect, judgement: Json = None) -> str:
    """One line such as ``anls: 'paris' beside 'Paris' is 1.00``; the same for a metric of one's own, in general words.

    Args:
        metric: Its name as the task has it; one that evalkit does not know is told by what was read.
        score: What the metric has said.
        references: What the data set holds.
        dialect: Whose reading the score is.
        judgement: What a checker said of the answer, where one decides.
    """
    name, _, own = metric.partition("@")
    read = cast("Dialect", own) if name in _WAYS and own else dialect
    if score.note:
        return f"{metric}: {score.note}"
    if judgement is not None:
        return f"{metric}: the checker says {_judged(judgement)}"
    if score.parsed is None and name not in _ANYWHERE:
        return f"{metric}: nothing could be read of the answer"
    return f"{metric}: {_WAYS.get(name, _equal)(score, as_list(references), read)}"


def _anls(score: Score, references: list[Json], dialect: Dialect) -> str:
    read = score.parsed or ""
    nearest = max(_texts(references), key=lambda one: anls(read, [one], dialect).value, default="")
    least = " (below 0.5 counts 0)" if dialect == "official" else ""
    return f"{_quoted(read)} beside {_quoted(nearest)} is {score.value:.2f} by edit distance{least}"


def _vqa(score: Score, references: list[Json], dialect: Dialect) -> str:
    given = people(references, dialect)
    same = given.count(score.parsed or "")
    said = f"{same} of {len(given)} people said {_quoted(score.parsed or '')}"
    if same:
        return said if dialect == "official" else f"{said}: a third for each, 1 at most"
    most = max(given, key=given.count, default="")
    return f"{said}; most said {_quoted(most)}"


def _relaxed(score: Score, references: list[Json], _dialect: Dialect) -> str:
    if score.parsed is None:
        if score.value:
            return f"no text after 'answer:', but {_some(references)} stands in the answer"
        return f"no text after 'answer:', and {_some(references)} does not stand in the answer"
    distances = [(far, one) for one in _texts(references) if (far := relaxed.distance(score.parsed, one)) is not None]
    if not distances:
        return _equal(score, references, _dialect)
    far, nearest = min(distances)
    place = "within" if score.value else "not within"
    return f"{_quoted(score.parsed)} is {place} 5 % of {_quoted(nearest)} ({100 * far:.3g} % off)"


def _acc(score: Score, references: list[Json], _dialect: Dialect) -> str:
    gold = references[0].get("gold") if references and isinstance(references[0], dict) else None
    right = ascii_uppercase[gold] if isinstance(gold, int) and gold < len(ascii_uppercase) else str(gold)
    return f"{score.parsed} is the likeliest option, and {right} is right"


def _contains(score: Score, references: list[Json], _dialect: Dialect) -> str:
    if score.value:
        return f"{_quoted(score.parsed or '')} stands in the answer"
    return f"{_some(references)} does not stand in the answer"


def _equal(score: Score, references: list[Json], _dialect: Dialect) -> str:
    read = f"read {_quoted(score.parsed or '')}"
    if 0.0 < score.value < 1.0 or not _texts(references):
        return f"{read}, which counts {score.value:.2f}"
    return f"{read}: {'right' if score.value else 'wrong'}, the reference is {_some(references)}"


_WAYS: Final[Mapping[str, Callable[[Score, list[Json], Dialect], str]]] = {
    "acc": _acc,
    "anls": _anls,
    "anywhere_in_answer_relaxed_correctness": _relaxed,
    "contains": _contains,
    "explicit_prompt_relaxed_correctness": _relaxed,
    "relaxed_correctness": _relaxed,
    "vqa_match": _vqa,
}
_ANYWHERE: Final = {"anywhere_in_answer_relaxed_correctness"}
"""Metrics that look into the whole answer where they can read no part of it."""


def _judged(judgement: Json) -> str:
    if isinstance(judgement, dict):
        plain = [f"{name}: {value}" for name, value in judgement.items() if isinstance(value, str | int | float)]
        if plain:
            return _short(", ".join(plain))
    return _short(judgement if isinstance(judgement, str) else json.dumps(judgement, ensure_ascii=False))


def _some(references: list[Json]) -> str:
    """The references by name, a few of them."""
    texts = list(dict.fromkeys(_texts(references)))
    more = f" or one of {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return " or ".join(map(_quoted, texts[:_NAMED])) + more


def _texts(references: list[Json]) -> list[str]:
    return [str(one) for one in references if isinstance(one, str | int | float)]


def _quoted(text: str) -> str:
    return f"'{_short(text)}'"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _LONG else f"{one[: _LONG - 1]}…"
