"""Regular expressions, as RE2 reads them: linear in the length of the text, whatever the pattern and the text are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import re2

from evalkit.base.types import Score
from evalkit.tasks.metrics.text import NO_REFERENCES

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json

NO_PATTERN: Final = "reference is no regular expression"


class PatternError(ValueError):
    """A text is no regular expression of RE2; the message says why."""


def regex(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 if one of the references, each a regular expression, is found in the answer, otherwise 0.

    The syntax is RE2's, without look-around and back references, so that no pattern can take for ever. `^` and `$` are
    the answer's beginning and end, `(?i)` in front ignores case, `(?m)` has `^` and `$` at every line.

    Args:
        answer: a text.
        references: regular expressions.
        dialect: not used.
    """
    del dialect
    if not references:
        return Score(0.0, note=NO_REFERENCES, left_out=True)
    for reference in references:
        try:
            found = first(reference, answer) if isinstance(reference, str) else None
        except PatternError:
            return Score(0.0, note=NO_PATTERN, left_out=True)
        if not isinstance(reference, str):
            return Score(0.0, note=NO_PATTERN, left_out=True)
        if found is not None:
            return Score(1.0, found or None)
    return Score(0.0, answer.strip() or None)


def first(pattern: str, text: str) -> str | None:
    """What a pattern finds first in a text; None where it finds nothing.

    Raises:
        PatternError: It is no pattern.
    """
    found = _compiled(pattern).search(_whole(text))
    return None if found is None else str(found.group(0))


def last(pattern: str, text: str) -> str | None:
    """Of the last place where a pattern is found its first group, or all of it where it has none that took part.

    Raises:
        PatternError: It is no pattern.
    """
    compiled, found = _compiled(pattern), None
    for found in compiled.finditer(_whole(text)):  # noqa: B007 - the last one is meant
        pass
    if found is None:
        return None
    groups = [group for group in found.groups() if group is not None]
    return str(groups[0] if groups else found.group(0))


def check(pattern: str) -> None:
    """Nothing.

    Raises:
        PatternError: It is no pattern.
    """
    _compiled(pattern)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(_whole(pattern), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error


def _whole(text: str) -> str:
    """A text that UTF-8 can spell: half a character is none that a pattern can mean."""
    return text.encode("utf-8", "replace").decode()
