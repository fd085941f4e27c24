"""Relaxed correctness: the answer after the last ``answer:``, within 5 % where it is a number.

The tolerance comes from Masry et al., "ChartQA" (2022); how an answer is found and read is the published
program's way, odd corners included, since published scores contain them.
"""

from __future__ import annotations

import re
from math import inf, isinf, isnan
from typing import TYPE_CHECKING, Final

from evalkit.base.types import Score
from evalkit.tasks.metrics.text import NO_REFERENCES, NOT_TEXT, trim_end, unquote

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json

INFINITE: Final = "reference is infinite"

_MARKER: Final = "answer:"
_EMPHASISED_MARKER: Final = re.compile(r"[aA]nswer\**:\**")
_MARKUP: Final = str.maketrans("", "", "*_[]()")
_SEPARATORS: Final = str.maketrans("", "", ",$")


def correctness(answer: str, references: list[Json], _dialect: Dialect) -> Score:
    """1 if the whole answer is a reference, within 5 % where both are numbers, otherwise 0; the same in every dialect.

    Masry et al.'s measure as it stands, for tasks whose prompt asks for the answer alone.
    """
    said = answer.strip()
    if not references:
        return Score(0.0, said or None, NO_REFERENCES, left_out=True)
    if not all(isinstance(reference, str) for reference in references):
        return Score(0.0, said or None, NOT_TEXT, left_out=True)
    right = any(agrees(said, reference.strip()) for reference in references)
    return Score(float(right), said or None)


def explicit(answer: str, references: list[Json], _dialect: Dialect) -> Score:
    """1 if the text after the last ``answer:`` is right, otherwise 0; the same in every dialect."""
    final = _final_answer(answer)
    if not references:
        return Score(0.0, final, NO_REFERENCES, left_out=bool(final))
    if not final:
        return Score(0.0)
    if not all(isinstance(reference, str) for reference in references):
        return Score(0.0, final, NOT_TEXT, left_out=True)
    right = any(agrees(final, reference) for reference in references)
    return Score(float(right), final)


def anywhere(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """As ``explicit``, but where no such text is found, 1 if a reference stands anywhere in the answer.

    A text that was found and is wrong stays wrong. The same in every dialect.
    """
    stated = explicit(answer, references, dialect)
    return stated if stated.parsed or stated.note else _sought(answer, references)


def _sought(answer: str, references: list[Json]) -> Score:
    for reference in references:
        if not isinstance(reference, str | int | float):
            return Score(0.0, note=NOT_TEXT, left_out=True)
        number = _plain_number(reference)
        if number is None or isnan(number):
            # The first reference that is no number has all of them sought as words, the numbers included.
            found = any(_states(answer, str(each)) for each in references)
        elif isinf(number):
            return Score(0.0, note=INFINITE, left_out=True)
        else:
            found = any(shown in answer for shown in _shown(number))
        if found:
            return Score(1.0)
    return Score(0.0)


def sought(references: list[Json]) -> list[tuple[str, str]]:
    """What ``anywhere`` looks for, letter for letter, where there is no ``answer:``: references, and texts for them.

    A reference that is no number has all of them sought in phrases, the numbers included.
    """
    plain = [one for one in references if isinstance(one, str | int | float)]
    texts: list[tuple[str, str]] = []
    in_phrases = False
    for reference in plain:
        number = _plain_number(reference)
        if number is None or isnan(number):
            texts += [] if in_phrases else [(str(each), one) for each in plain for one in _phrases(str(each))]
            in_phrases = True
        elif not isinf(number):
            texts += [(str(reference), shown) for shown in _shown(number)]
    return texts


def agrees(answer: str, reference: str) -> bool:
    """Whether a text that was read is right beside a reference, as ``explicit`` has it."""
    return _agrees(_readable(answer), _readable(reference))


def distance(answer: str, reference: str) -> float | None:
    """How far a number is from a reference, as a share of the reference; None where either is no number.

    A percent sign is read as the score reads it: the nearest of the readings counts.
    """
    answered, expected = _number(_readable(answer)), _number(_readable(reference))
    if not answered or not expected:
        return None
    (one, in_percent), (other, of_percent) = answered, expected
    pairs = [(one, other), *([(one / 100, other)] if in_percent else []), *([(one, other / 100)] if of_percent else [])]
    return min(abs(value - wanted) / max(abs(wanted), 1e-10) for value, wanted in pairs)


def _final_answer(response: str) -> str | None:
    """The first line with words after the last ``answer:``, without mark-up; None if there is none."""
    response = _EMPHASISED_MARKER.sub(_MARKER, response)
    # The place is found in the lower-cased text, which can be longer than the text that is then cut (U+0130).
    place = response.lower().rfind(_MARKER)
    if place < 0:
        return None
    lines = (line.strip() for line in response[place + len(_MARKER) :].split("\n"))
    return next((line for line in lines if line), "").translate(_MARKUP) or None


def _readable(text: str) -> str:
    """A text with digits without commas, dollar signs and end punctuation; any other without its quotes."""
    if not any(letter.isdigit() for letter in text):
        return unquote(text)
    return trim_end(text).translate(_SEPARATORS)


def _agrees(answer: str, reference: str) -> bool:
    answered, expected = _number(answer), _number(reference)
    if answered and expected:
        return _numbers_agree(*answered, *expected)
    if len(reference) == 1 and reference.isalpha() and answer:
        return answer[0].lower() == reference.lower()
    return answer.lower() == reference.lower()


def _numbers_agree(answer: float, answer_in_percent: bool, reference: float, reference_in_percent: bool) -> bool:
    """Whether the numbers agree as they stand, or with either one of them taken as a percentage."""
    return (
        _is_near(answer, reference)
        or (answer_in_percent and _is_near(answer / 100, reference))
        or (reference_in_percent and _is_near(answer, reference / 100))
    )


def _is_near(answer: float, reference: float) -> bool:
    return abs(answer - reference) / max(abs(reference), 1e-10) <= 0.05


def _number(text: str) -> tuple[float, bool] | None:
    """The number in ``text`` and whether it carries a percent sign; None if there is no number."""
    text = text.strip()
    number = _plain_number(text.rstrip("%"))
    return None if number is None else (number, text.endswith("%"))


def _plain_number(value: str | float) -> float | None:
    """The number that ``value`` is or spells, infinite where it is too large; None if it spells none."""
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return inf


def _shown(number: float) -> tuple[str, str]:
    shown = int(number) if number.is_integer() else number
    return f"{shown:,}", str(shown)


def _states(answer: str, words: str) -> bool:
    return any(phrase in answer for phrase in _phrases(words))


def _phrases(words: str) -> tuple[str, ...]:
    words = words.lower()
    return f"is {words}", f" {words}.", f"was {words}", f"are {words}", f"\n\n{words}"
