"""Metrics of questions with options: which letter, or which option, an answer names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

from evalkit.base.types import Score

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json

LETTERS: Final = ascii_uppercase
NO_OPTIONS: Final = "no options"
_WRAPPING: Final = "*_`~\"'()[]{}<>$.,:; \t\r\n"
_STATED: Final = re.compile(
    r"(?:\b[Aa]nswer|\bANSWER|\b[Oo]ption|\b[Cc]hoice)(?:\s+is)?[\s:=*_`\"'(\[{$]*"
    r"(?:\\boxed|\\text|\\mathrm|[\s{(\[*_`])*([A-Z])(?![\w'])"
)
_BOXED: Final = re.compile(r"\\boxed\s*\{\s*(?:\\text|\\mathrm)?\s*\{?\s*\(?([A-Z])\)?\s*\}")
_BEGINNING: Final = re.compile(r"[\s*_`(\[]*([A-Z])[)\].:*_`]+(?:\s|$)")


@dataclass(frozen=True, slots=True)
class _Question:
    """What the references of a question with options say."""

    options: tuple[str, ...]
    right: frozenset[int]

    @classmethod
    def of(cls, references: list[Json]) -> _Question | None:
        told = references[0] if len(references) == 1 else None
        if not isinstance(told, dict):
            return None
        options, right = told.get("options"), told.get("right")
        if not (isinstance(options, list) and options and isinstance(right, list) and right):
            return None
        if not all(isinstance(one, str) for one in options) or not all(type(one) is int for one in right):
            return None
        return cls(tuple(options), frozenset(right))


def choice(answer: str, references: list[Json], dialect: Dialect) -> Score:
    r"""1 if the answer chooses the right option, by its letter or its text, otherwise 0.

    What is chosen is looked for in this order: a letter that is all of the answer (`B`, `(b)`, `**B.**`); the last
    letter that is stated (`answer is B`, `Answer: (B)`, `\boxed{B}`); the letter at the beginning of the answer, or
    else of its last line (`B. Paris`, `B) because`); the one option whose text is all of the answer. Where none of
    these is found, nothing was chosen.

    Args:
        answer: a text.
        references: one object with `options`, a list of texts, and `right`, the places of those that are right.
        dialect: not used.
    """
    del dialect
    asked = _Question.of(references)
    if asked is None:
        return Score(0.0, note=NO_OPTIONS, left_out=True)
    place = _chosen(answer, asked.options)
    return Score(0.0) if place is None else Score(float(place in asked.right), _named(place, asked.options))


def one_of(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 if the right option is the only one that the answer names, otherwise 0.

    For labels (`positive`, `negative`) that are asked for without letters. An option is named where its text stands in
    the answer as words of their own, whatever their case; one that stands within another that is named there (`green`
    in `dark green`) is not.

    Args:
        answer: a text.
        references: one object with `options`, a list of texts, and `right`, the places of those that are right.
        dialect: not used.
    """
    del dialect
    asked = _Question.of(references)
    if asked is None:
        return Score(0.0, note=NO_OPTIONS, left_out=True)
    named = _mentioned(answer, asked.options)
    if len(named) != 1:
        return Score(0.0, parsed=" and ".join(asked.options[place] for place in sorted(named)) or None)
    place = named.pop()
    return Score(float(place in asked.right), asked.options[place] or None)


def right_ones(references: list[Json]) -> list[tuple[str, str]]:
    """The right options of a question, each as ``choice`` names it and as its text; none where there are no options."""
    asked = _Question.of(references)
    if asked is None:
        return []
    places = [place for place in sorted(asked.right) if 0 <= place < len(asked.options)]
    return [(_named(place, asked.options), asked.options[place]) for place in places]


def _chosen(answer: str, options: tuple[str, ...]) -> int | None:
    letters = LETTERS[: len(options)]
    whole = answer.strip(_WRAPPING)
    if len(whole) == 1 and whole.upper() in letters:
        return letters.index(whole.upper())
    stated = [found for found in (*_STATED.finditer(answer), *_BOXED.finditer(answer)) if found[1] in letters]
    if stated:
        return letters.index(max(stated, key=lambda found: found.start(1))[1])
    lines = answer.strip().splitlines() or [""]
    for line in (lines[0], lines[-1]):
        begins = _BEGINNING.match(line)
        if begins and begins[1] in letters:
            return letters.index(begins[1])
    folded = [_folded(option) for option in options]
    same = [place for place, option in enumerate(folded) if option == _folded(answer)]
    return same[0] if len(same) == 1 else None


def _mentioned(answer: str, options: tuple[str, ...]) -> set[int]:
    """Places of the options that an answer names; a longer option hides what stands within it."""
    text = " ".join(answer.casefold().split())
    found: set[int] = set()
    taken: list[tuple[int, int]] = []
    for place in sorted(range(len(options)), key=lambda at: -len(options[at])):
        words = " ".join(options[place].casefold().split())
        if not words:
            continue
        for one in re.finditer(rf"(?<!\w){re.escape(words)}(?!\w)", text):
            if not any(start <= one.start() and one.end() <= end for start, end in taken):
                found.add(place)
                taken.append(one.span())
    return found


def _folded(text: str) -> str:
    return " ".join(text.strip(_WRAPPING).casefold().split())


def _named(place: int, options: tuple[str, ...]) -> str:
    return LETTERS[place] if place < len(LETTERS) else options[place] or str(place)
