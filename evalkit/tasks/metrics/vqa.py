"""VQA: how many of ten people gave the same answer (VQAv2).

Source: Antol et al., "VQA: Visual Question Answering" (2015), and the benchmark's evaluation program, whose
odd corners are kept. Dialects differ in what they compare and in the credit that they give:

- ``neuralmagic``: texts without surrounding quotes, on one line, in lower case, cleaned; 1/3 per match.
- ``mistral``: texts without surrounding quotes, otherwise as they stand; 1/3 per match.
- ``official``: texts on one line, cleaned and with digits for number words only where the references differ;
  the mean over the people of the credit that the others give.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from evalkit.base.types import Score
from evalkit.tasks.metrics.text import NO_REFERENCES, NOT_TEXT, unquote

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json

_PUNCTUATION: Final = ';/[]"{}()=+\\_-><@`,?!'
_COMMA_IN_NUMBER: Final = re.compile(r"(\d),(\d)")
_LONE_PERIOD: Final = re.compile(r"(?<!\d)\.(?!\d)")
_PERIOD_BEFORE_NO_DIGIT: Final = re.compile(r"\.(?!\d)")

_SHORT: Final = 64
"""Characters of a text whose cleaned form is kept; longer ones hardly repeat, and would take the memory."""
_ARTICLES: Final = frozenset({"a", "an", "the"})
_NUMBERS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS: Final = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS)}

_CONTRACTIONS: Final = """
    ain't aren't can't couldn't didn't doesn't don't hadn't hasn't haven't isn't mightn't mustn't needn't
    oughtn't shan't shouldn't wasn't weren't won't wouldn't
    couldn't've hadn't've mightn't've shouldn't've wouldn't've
    he'd how'd it'd someone'd something'd there'd they'd where'd who'd you'd
    he'd've it'd've she'd've somebody'd've someone'd've something'd've there'd've they'd've we'd've who'd've
    you'd've
    how'll it'll somebody'll someone'll something'll they'll what'll who'll why'll you'll
    there're they're what're why're you're
    he's how's somebody's someone's that's there's what's when's where's who's why's
    could've might've must've not've should've they've we've what've where've who've would've you've
    y'all y'all'll y'all'd've ma'am o'clock 'twas 'ow's'at
"""


def _misspellings() -> dict[str, str]:
    """Contractions with one apostrophe forgotten, to their spelling.

    This is the evaluation program's table, but for four entries with a capital I, which lower-cased text
    never meets. One entry goes the wrong way round there, and therefore here.
    """
    table = {"somebody'd": "somebodyd"}
    for word in _CONTRACTIONS.split():
        places = [place for place, letter in enumerate(word) if letter == "'"]
        table.update({word[:place] + word[place + 1 :]: word for place in places})
    return table


_SPELLING: Final = _misspellings()


def vqa_match(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """A third for every person who gave this answer, at most 1; or the official leave-one-out accuracy."""
    given = references if dialect == "mistral" else list(map(_words, references))
    texts = [text for text in given if isinstance(text, str)]
    if dialect == "official":
        answer, texts = _official_forms(answer, texts)
    elif dialect == "mistral":
        answer, texts = unquote(answer), [unquote(text) for text in texts]
    else:
        answer, texts = _cleaned(unquote(answer)), [_person(text) for text in texts]
    parsed = answer or None
    if not given:
        return Score(0.0, parsed, NO_REFERENCES)
    if len(texts) < len(given):
        return Score(0.0, parsed, NOT_TEXT, left_out=True)
    if dialect == "official":
        return Score(_leave_one_out(answer, texts), parsed)
    return Score(min(1.0, texts.count(answer) / 3), parsed)


def people(references: list[Json], dialect: Dialect) -> list[str]:
    """What each person said, in the form that an answer is compared with."""
    given = references if dialect == "mistral" else list(map(_words, references))
    texts = [text for text in given if isinstance(text, str)]
    if dialect == "official":
        return _official_forms("", texts)[1]
    return [unquote(text) for text in texts] if dialect == "mistral" else [_person(text) for text in texts]


def _words(reference: Json) -> Json:
    """One person's words: the ``answer`` of the data set's mapping, or the text itself."""
    return reference.get("answer") if isinstance(reference, dict) else reference


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def _cleaned(text: str) -> str:
    """``text`` as dialect ``neuralmagic`` compares it: each mark is judged on what the earlier ones left."""
    return _kept(text) if len(text) <= _SHORT else _cleaned_anew(text)


def _cleaned_anew(text: str) -> str:
    text = _COMMA_IN_NUMBER.sub(r"\1\2", _one_line(text).lower())
    for mark in _PUNCTUATION:
        if mark in text:
            text = text.replace(mark, _stand_in(mark, text))
    return _respelt(_LONE_PERIOD.sub("", text).split())


_kept = lru_cache(maxsize=32_768)(_cleaned_anew)
"""What people answer repeats itself: ten of them answer each question, and most say yes, no or a number."""


def _person(text: str) -> str:
    """What an answer is compared with, of one person's words; quotes around it go when it is clean."""
    return _kept_person(text) if len(text) <= _SHORT else unquote(_cleaned_anew(text))


@lru_cache(maxsize=32_768)
def _kept_person(text: str) -> str:
    return unquote(_cleaned_anew(text))


def _official_forms(answer: str, references: list[str]) -> tuple[str, list[str]]:
    answer, references = _one_line(answer), [_one_line(text) for text in references]
    if len(set(references)) < 2:
        return answer, references
    return _officially_cleaned(answer), [_officially_cleaned(text) for text in references]


def _officially_cleaned(text: str) -> str:
    """``text`` as dialect ``official`` compares it: each mark is judged on the whole text."""
    left = text
    for mark in _PUNCTUATION:
        if mark in left:
            left = left.replace(mark, _stand_in(mark, text))
    # The program passes a flag where a count belongs (re.UNICODE is 32), and its test for a digit before the
    # period can never apply.
    left = _PERIOD_BEFORE_NO_DIGIT.sub("", left, count=32)
    return _respelt([_DIGITS.get(word, word) for word in left.lower().split()])


def _stand_in(mark: str, text: str) -> str:
    """Nothing where ``mark`` is beside a space or a number in ``text`` has commas, otherwise a space."""
    beside_space = f"{mark} " in text or f" {mark}" in text
    return "" if beside_space or _COMMA_IN_NUMBER.search(text) else " "


def _respelt(words: list[str]) -> str:
    return " ".join(_SPELLING.get(word, word) for word in words if word not in _ARTICLES)


def _leave_one_out(answer: str, references: list[str]) -> float:
    matches = [reference == answer for reference in references]
    total = sum(matches)
    return sum(min(1.0, (total - match) / 3) for match in matches) / len(matches)
