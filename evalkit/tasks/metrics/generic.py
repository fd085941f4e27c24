"""Metrics of no benchmark in particular, for tasks of one's own."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from evalkit.base.types import Score
from evalkit.tasks.metrics.text import NO_REFERENCES, NOT_TEXT

if TYPE_CHECKING:
    from evalkit.base.types import Dialect, Json

_NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?")
_TOLERANCE = 1e-12


def exact_match(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 if the whole answer is one of the references, whatever its case and white space, otherwise 0.

    Nothing else is forgiven: "42." is not "42".

    Args:
        answer: a text.
        references: texts, or numbers as they are written.
        dialect: not used.
    """
    del dialect
    wanted = _texts(references)
    return wanted if isinstance(wanted, Score) else Score(float(_plain(answer) in wanted), answer.strip() or None)


def contains(answer: str, references: list[Json], dialect: Dialect) -> Score:
    """1 if one of the references stands in the answer as words of their own, otherwise 0.

    Case and white space do not count; "no" does not stand in "I know". An answer that names every choice contains the
    right one, so the prompt has to ask for one.

    Args:
        answer: a text.
        references: texts, or numbers as they are written.
        dialect: not used.
    """
    del dialect
    wanted = _texts(references)
    if isinstance(wanted, Score):
        return wanted
    text = _plain(answer)
    held = next((one for one in wanted if one and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", text)), None)
    return Score(float(held is not None), held or answer.strip() or None)


def number(
    answer: str, references: list[Json], dialect: Dialect, *, tolerance: float = 0.0, relative: float = 0.0
) -> Score:
    """1 if the last number in the answer equals a reference, otherwise 0.

    Commas between thousands are passed over; units, signs of currency and of per cent count for nothing. Numbers are
    equal to twelve digits; with `benchmark = "qa"` a task may allow a larger distance (`settings.tolerance`,
    `settings.relative_tolerance`).

    Args:
        answer: a text with a number in it.
        references: numbers, or texts whose last number counts.
        dialect: not used.
        tolerance: the distance from a reference that is allowed.
        relative: the same as a share of the reference; the larger of the two counts.
    """
    del dialect
    wanted = _texts(references)
    if isinstance(wanted, Score):
        return wanted
    values = [value for value in map(last_number, wanted) if value is not None]
    if not values:
        return Score(0.0, note="reference is no number", left_out=True)
    found = last_number(answer)
    if found is None:
        return Score(0.0)
    right = any(_is_near(found, value, tolerance, relative) for value in values)
    return Score(float(right), f"{found:.12g}")


def _is_near(found: float, value: float, tolerance: float, relative: float) -> bool:
    # A distance that is just allowed in decimals must not fail by how floats are stored.
    allowed = max(tolerance, relative * abs(value)) * (1 + _TOLERANCE)
    return abs(found - value) <= allowed or math.isclose(found, value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _texts(references: list[Json]) -> list[str] | Score:
    """The references as texts without case and superfluous white space, or the score where there are none."""
    if not references:
        return Score(0.0, note=NO_REFERENCES, left_out=True)
    if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in references):
        return Score(0.0, note=NOT_TEXT, left_out=True)
    return [_plain(str(one)) for one in references]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def last_number(text: str) -> float | None:
    """The last number that a text has; None where there is none, or none that is finite."""
    found = _NUMBER.findall(text)
    if not found:
        return None
    value = float(found[-1].replace(",", "").replace("\N{MINUS SIGN}", "-"))
    return value if math.isfinite(value) else None
