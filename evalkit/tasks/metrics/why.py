"""Why an answer got its score, in one line: what was read of it, what that was held against, and by which rule."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final, cast

from evalkit.tasks.metrics import JUDGED, METRICS, PASS_AT_K, generic, options, pattern, relaxed
from evalkit.tasks.metrics.anls import nearest
from evalkit.tasks.metrics.text import as_list
from evalkit.tasks.metrics.vqa import people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evalkit.base.types import Dialect, Json, Score, Task

_LONG: Final = 60
_NAMED: Final = 3
_FAR: Final = 100.0
"""A distance beyond this share of the reference is no figure to show: of a reference of 0 every one is endless."""
_TOLERANCES: Final = ("tolerance", "relative_tolerance")
_OF_OPTIONS: Final = {"choice", "one_of"}
"""Metrics that are told all options; of a question with options the others get the right ones' texts."""


@dataclass(frozen=True, slots=True)
class Known:
    """What else is known of an answer; with nothing of it a line says less, and is as true."""

    text: str | None = None
    """The answer as its metrics were given it."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """As ``settings_of`` says."""


def settings_of(task: Task) -> Mapping[str, Json]:
    """The settings of a task that change what its metrics are given or allow: where the task file names the columns."""
    return task.settings if task.columns is not None else {}


def why(
    metric: str, score: Score, references: Json, dialect: Dialect, judgement: Json = None, known: Known | None = None
) -> str:
    """One line such as ``anls: 'paris' beside 'Paris' is 1.00``; the same for a metric of one's own, in general words.

    Args:
        metric: Its name as the task has it; one that evalkit does not know is told by what was read.
        score: What the metric has said.
        references: What the data set holds.
        dialect: Whose reading the score is.
        judgement: What a checker said of the answer, of this metric or of another one.
        known: The answer's text and the task's settings.
    """
    known = known or Known()
    name, _, own = metric.partition("@")
    if score.note:
        return f"{metric}: {score.note}"
    if judgement is not None and _is_of(judgement, metric):
        return f"{metric}: the checker says {_judged(judgement)}"
    if isinstance(references, dict) and "answers" in references and name not in _OF_OPTIONS:
        references = references["answers"]
    read = cast("Dialect", own) if name in METRICS and own else dialect
    case = _Scored(score, as_list(references), read, known)
    told = _UNREAD.get(name, _nothing)(case) if score.parsed is None and not score.value else ""
    part = " (of what the task reads)" if known.settings.get("extract") else ""
    return f"{metric}: {told or _WAYS.get(name, _equal if name in METRICS else _own)(case)}{part}"


@dataclass(frozen=True, slots=True)
class _Scored:
    """A score with all that is known of how it came about."""

    score: Score
    references: list[Json]
    dialect: Dialect
    known: Known

    @property
    def read(self) -> str:
        return self.score.parsed or ""

    @property
    def right(self) -> bool:
        return self.score.value > 0

    @property
    def texts(self) -> list[str]:
        return [str(one) for one in self.references if isinstance(one, str | int | float)]

    @property
    def answer(self) -> str | None:
        """The part of the answer that counts; None where it is not known."""
        extract = self.known.settings.get("extract")
        if self.known.text is None or not isinstance(extract, str) or not extract:
            return self.known.text
        return pattern.last(extract, self.known.text)


# --- metrics that measure ------------------------------------------------------------------------


def _anls(case: _Scored) -> str:
    beside = f"{_quoted(case.read)} beside {_quoted(nearest(case.read, case.texts, case.dialect))}"
    if case.dialect == "official" and not case.right:
        return f"{beside}, the nearest, is below 0.5 by edit distance, which counts 0"
    return f"{beside} is {_worth(case.score.value)} by edit distance"


def _vqa(case: _Scored) -> str:
    given = people(case.references, case.dialect)
    same = given.count(case.read)
    said = f"{same} of {len(given)} people said {_quoted(case.read)}"
    if not same:
        most = max(given, key=given.count, default="")
        return f"{said}; {given.count(most)} said {_quoted(most)}"
    if case.dialect != "official":
        return f"{said}: a third for each, 1 at most"
    value = _worth(case.score.value)
    return f"{said}: a third for each, 1 at most, with every person left out in turn: {value} on average"


def _relaxed_whole(case: _Scored) -> str:
    stripped: list[Json] = [one.strip() for one in case.texts]
    return _relaxed(_Scored(case.score, stripped, case.dialect, case.known))


def _relaxed(case: _Scored) -> str:
    if case.score.parsed is None:
        return _anywhere(case)
    agreeing = [one for one in case.texts if relaxed.agrees(case.read, one)] if case.right else case.texts
    far = [(share, one) for one in agreeing if (share := relaxed.distance(case.read, one)) is not None]
    if not far:
        letter = next((one for one in agreeing if one.isalpha() and len(one) == 1 < len(case.read)), "")
        if case.right and letter:
            return f"{_quoted(case.read)} begins with {_quoted(letter)}, the reference: of one letter no more counts"
        return _equal(case, agreeing)
    share, one = min(far, key=lambda pair: (math.isnan(pair[0]), pair[0]))
    if math.isnan(share):
        return f"{_quoted(case.read)} is not within 5 % of {_quoted(one)}: one of them is not finite"
    place = "within" if case.right else "not within"
    return f"{_quoted(case.read)} is {place} 5 % of {_quoted(one)}{_off(share)}"


def _anywhere(case: _Scored) -> str:
    """Of an answer without ``answer:`` which phrase was found, and where, or that none was."""
    phrases = relaxed.sought(case.references)
    text = case.answer or ""
    found = next(((one, phrase) for one, phrase in phrases if phrase in text), None) if case.right else None
    named = [_literal(phrase) for _, phrase in phrases]
    some = " or ".join(dict.fromkeys(named)) if len(set(named)) < _NAMED else f"{named[0]}, {named[1]} ..."
    if found:
        one, phrase = found
        within = _within(phrase, text)
        of = f", for {_quoted(one)}" if phrase != one else ""
        return f"no text after 'answer:', but {_literal(phrase)} stands in the answer{within}{of}"
    if case.right:
        return f"no text after 'answer:', but a phrase that the metric looks for ({some}) stands in the answer"
    return (
        "no text after 'answer:', and none of the phrases that the metric looks for, letter for letter "
        f"({some}), stands in the answer"
    )


def _number(case: _Scored) -> str:
    values = [(value, one) for one in case.texts if (value := generic.last_number(one)) is not None]
    found = generic.last_number(case.read)
    if found is None or not values:
        return _equal(case)
    absolute, relative = (float(case.known.settings.get(name) or 0.0) for name in _TOLERANCES)
    value, one = min(values, key=lambda pair: abs(found - pair[0]) - max(absolute, relative * abs(pair[0])))
    if not absolute and not relative:
        if case.right and not math.isclose(found, value, rel_tol=1e-11, abs_tol=1e-11):
            return f"the last number, {case.read}, is as near to {_quoted(one)} as the task allows"
        return _equal(case)
    allowed = f"{absolute:g}" if absolute >= relative * abs(value) else f"{100 * relative:g} %"
    place = "within" if case.right else "not within"
    return f"the last number, {case.read}, is {place} {allowed} of {_quoted(one)}, the task's tolerance"


# --- metrics that compare ------------------------------------------------------------------------


def _acc(case: _Scored) -> str:
    first = case.references[0] if case.references else None
    gold = first.get("gold") if isinstance(first, dict) else None
    if not isinstance(gold, int):
        return _equal(case)
    right = ascii_uppercase[gold] if 0 <= gold < len(ascii_uppercase) else str(gold)
    return f"{case.score.parsed} is the likeliest option, and {right} is right"


def _choice(case: _Scored) -> str:
    again = _twice(case, [name for name, _ in options.right_ones(case.references)])
    return f"{_short(case.read)} is chosen, and {_right_letters(case)} is right{again}"


def _right_letters(case: _Scored) -> str:
    right = options.right_ones(case.references)
    return _first(_short(name) if name == text else f"{name} ({_quoted(text)})" for name, text in right) or "none"


def _one_of(case: _Scored) -> str:
    again = _twice(case, [text for _, text in options.right_ones(case.references)])
    return f"the answer names {_quoted(case.read)}, and {_right_texts(case)} is right{again}"


def _right_texts(case: _Scored) -> str:
    return _first(_quoted(text) for _, text in options.right_ones(case.references)) or "none"


def _twice(case: _Scored, right: list[str]) -> str:
    return ", but several options read so" if not case.right and _short(case.read) in map(_short, right) else ""


def _contains(case: _Scored) -> str:
    if case.right:
        return f"{_quoted(case.read)} stands in the answer as words of their own"
    return f"{_some(case.texts)} does not stand in the answer as words of their own"


def _regex(case: _Scored) -> str:
    if case.right:
        return f"{_some(case.texts)} finds {_quoted(case.read)}"
    return f"{_some(case.texts)} finds nothing in {_quoted(case.read)}"


def _equal(case: _Scored, held: list[str] | None = None) -> str:
    """Of a metric whose rule is that texts are the same, or is not known."""
    texts, value = case.texts if held is None else held, case.score.value
    read = f"read {_quoted(case.read)}"
    if 0.0 < value < 1.0 or not texts:
        return f"{read}, which counts {_worth(value)}"
    plain = " ".join(case.read.casefold().split())
    texts = sorted(texts, key=lambda one: " ".join(one.casefold().split()) != plain)
    hidden = not value and _quoted(case.read) in map(_quoted, texts)
    differs = " (they differ in white space, or where the line is cut)" if hidden else ""
    return f"{read}: {'right' if value else 'wrong'}, the reference is {_some(texts)}{differs}"


def _own(case: _Scored) -> str:
    """Of a metric of one's own, which need not say what it has read."""
    return f"counts {_worth(case.score.value)}" if case.score.parsed is None else _equal(case)


# --- answers of which nothing was read -----------------------------------------------------------


def _nothing(case: _Scored) -> str:
    del case
    return "nothing could be read of the answer"


def _no_option(case: _Scored) -> str:
    return f"no option could be read of the answer, and {_right_letters(case)} is right"


def _no_name(case: _Scored) -> str:
    return f"the answer names no option, and {_right_texts(case)} is right"


def _no_number(case: _Scored) -> str:
    return f"no number could be read of the answer, and the reference is {_some(case.texts)}"


def _no_marker(case: _Scored) -> str:
    return f"no text after 'answer:' could be read, and the reference is {_some(case.texts)}"


_WAYS: Final[Mapping[str, Callable[[_Scored], str]]] = {
    "acc": _acc,
    "acc_by_subject": _acc,
    "anls": _anls,
    "anywhere_in_answer_relaxed_correctness": _relaxed,
    "choice": _choice,
    "contains": _contains,
    "explicit_prompt_relaxed_correctness": _relaxed,
    "number": _number,
    "one_of": _one_of,
    "regex": _regex,
    "relaxed_correctness": _relaxed_whole,
    "vqa_match": _vqa,
}
_UNREAD: Final[Mapping[str, Callable[[_Scored], str]]] = {
    "anywhere_in_answer_relaxed_correctness": _anywhere,
    "choice": _no_option,
    "explicit_prompt_relaxed_correctness": _no_marker,
    "number": _no_number,
    "one_of": _no_name,
}


# --- what a checker said -------------------------------------------------------------------------


def _is_of(judgement: Json, metric: str) -> bool:
    """Whether a judgement decided this metric: a task may have others beside it that a checker does not judge."""
    if metric in JUDGED or re.fullmatch(PASS_AT_K, metric):
        return True
    told = judgement if isinstance(judgement, dict) else {}
    if not JUDGED.keys().isdisjoint(told):
        return False
    scored = told.get("metrics")
    return metric.partition("@")[0] not in METRICS or (isinstance(scored, dict) and metric in scored)


def _judged(judgement: Json) -> str:
    if isinstance(judgement, dict):
        plain = [f"{name}: {value}" for name, value in judgement.items() if isinstance(value, str | int | float)]
        if plain:
            return _short(", ".join(plain))
    return _short(judgement if isinstance(judgement, str) else json.dumps(judgement, ensure_ascii=False))


# --- words ---------------------------------------------------------------------------------------


def _worth(value: float) -> str:
    """A score with two digits; one that is nearly 0 or 1 is not told as that."""
    if 0.0 < value < 0.005:
        return "just above 0"
    return "just under 1" if 0.995 <= value < 1.0 else f"{value:.2f}"


def _off(share: float) -> str:
    """How far a number is off, with as many digits as tell it from the 5 % that are allowed."""
    if share > _FAR:
        return ""
    told = next((one for digits in range(3, 7) if (one := f"{100 * share:.{digits}g}") != "5"), "5")
    if told == "5" and share > 0.05:
        return " (5 % off, and a computer's rounding more)"
    return f" ({told if share < 10 else f'{100 * share:,.0f}'} % off)"


def _within(phrase: str, text: str) -> str:
    """The longer word or number that a phrase is found in, where it nowhere stands for itself."""
    sought = re.escape(phrase)
    before = "" if phrase[0].isspace() else r"(?<![\w-])(?<!\d[.,])"
    if re.search(rf"{before}{sought}(?!\w)(?![.,]\d)", text):
        return ""
    whole = re.search(rf"{'' if phrase[0].isspace() else '[^ ]{0,60}'}{sought}[^ ]{{0,60}}", text)
    return f", within {_quoted(whole[0])}" if whole else ""


def _literal(phrase: str) -> str:
    """A phrase with its white space as it is sought."""
    told = phrase.replace("\n", "\\n")
    return f"'{told if len(told) <= _LONG else f'{told[: _LONG - 1]}…'}'"


def _some(texts: list[str]) -> str:
    """Texts by name, a few of them."""
    return _first(map(_quoted, dict.fromkeys(texts)))


def _first(named: Iterable[str]) -> str:
    every = list(dict.fromkeys(named))
    more = f" or one of {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return " or ".join(every[:_NAMED]) + more


def _quoted(text: str) -> str:
    return f"'{_short(text)}'"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _LONG else f"{one[: _LONG - 1]}…"
