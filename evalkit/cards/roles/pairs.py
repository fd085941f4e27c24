"""Cells that hold two figures of one row: ``68.3 → 68.1`` becomes two columns, ``18/20`` a share of a known count."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.figures import EXACT, Cell, Printed, is_missing, same_units
from evalkit.cards.roles import words
from evalkit.cards.roles.thousands import in_thousands

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.cards.roles.sheet import Line, Sheet

_ARROW = re.compile(r"\s*(?:[→⟶➔➜⇒]|[-=]{1,2}>)\s*")
_BETWEEN = re.compile(r"\s*/\s*|\s+vs\.?\s+", re.IGNORECASE)
"""What parts two figures, and the two models over them, where the heading has it as well."""
_FRACTION = re.compile(r"(\d{1,7})\s?/\s?(\d{1,7})")
_NO_COUNT = re.compile(
    r"/|\b(?:bits?|w ?& ?a|shape|ratio|tokens?|context|batch|size|layers?|experts?|tp|gpus?|precision|date|version)\b",
    re.IGNORECASE,
)
"""What a column of two whole numbers is called that are no right answers of questions."""
_RIGHT = re.compile(
    r"(?:# ?|number |no\. )?(?:of )?\(?(?:correct|right|solved|passed)(?: answers)?\)?(?: ?/ ?\w+)?", re.IGNORECASE
)
_TOTAL = re.compile(r"(?:# ?)?(?:total|questions|problems|samples|items|n)", re.IGNORECASE)
_ACCURACY = re.compile(r"\b(?:acc(?:uracy)?|score|rate|pass@1)\b|%", re.IGNORECASE)
"""What columns of right answers, of all answers and of their share are called."""
_FEWEST = 5
"""Questions of which a share is told; a column of "4/4" is of something else."""


def taken_apart(sheet: Sheet, read: Callable[[str], Cell]) -> Sheet:
    """The sheet with two columns for each of figures with an arrow between them, and fractions as shares."""
    for at in reversed(range(1, len(sheet.head))):
        if _mostly(sheet, at, _ARROW.search):
            sheet = _two_columns(sheet, at, _ARROW, read)
        elif len(_models(sheet.head[at])) == 2 and _mostly(sheet, at, _BETWEEN.search):
            sheet = _two_columns(sheet, at, _BETWEEN, read)
    sheet = _with_totals(in_thousands(sheet, read))
    for at in reversed(range(1, len(sheet.head))):
        if at < len(sheet.head) and _is_counts(sheet, at):
            sheet = _as_shares(sheet, at)
    return sheet


# --- arrows -------------------------------------------------------------------------------------


def _mostly(sheet: Sheet, at: int, told: Callable[[str], object]) -> bool:
    cells = [cell for cell in sheet.column(at) if cell.text and not is_missing(cell.text)]
    return bool(cells) and 2 * sum(cell.unread and bool(told(cell.text)) for cell in cells) > len(cells)


def _models(heading: str) -> list[str]:
    """The models that a heading names with a stroke between them: "BF16 / FP8" of a whole and a compressed one."""
    sides = [side.strip() for side in _BETWEEN.split(heading)]
    told = len(sides) == 2 and words.WHOLE.search(sides[0]) and words.QUANTIZED.search(sides[1])
    return sides if told else []


def _two_columns(sheet: Sheet, at: int, between: re.Pattern[str], read: Callable[[str], Cell]) -> Sheet:
    before, after = _names(sheet.head[at], between)
    halves = [_halves(line.cells[at], between, read) for line in sheet.lines]
    alike = same_units(half for pair in halves for half in pair)

    def apart(line: Line, pair: tuple[Cell, Cell]) -> Line:
        return replace(line, cells=(*line.cells[:at], *map(alike, pair), *line.cells[at + 1 :]))

    lines = tuple(apart(line, pair) for line, pair in zip(sheet.lines, halves, strict=True))
    head = (*sheet.head[:at], before, after, *sheet.head[at + 1 :])
    tops = (*sheet.tops[:at], sheet.tops[at], sheet.tops[at], *sheet.tops[at + 1 :])
    return replace(sheet, head=head, tops=tops, lines=lines)


def _halves(cell: Cell, between: re.Pattern[str], read: Callable[[str], Cell]) -> tuple[Cell, Cell]:
    """What stands on each side of an arrow; a cell without two figures stays whole, behind an empty one."""
    parts = [read(part) for part in between.split(cell.text, maxsplit=1)]
    return (parts[0], parts[1]) if len(parts) == 2 and all(part.figure for part in parts) else (Cell(""), cell)


def _names(heading: str, between: re.Pattern[str]) -> tuple[str, str]:
    """What stands on each side of an arrow: "Nova (BF16 → FP8)" is of "Nova BF16" and "Nova FP8"."""
    inside = re.search(r"\(([^()]*)\)", heading)
    told = inside[1] if inside and between.search(inside[1]) else heading
    sides = between.split(told, maxsplit=1)
    if len(sides) != 2 or not all(sides):
        return f"{heading} before".strip(), f"{heading} after".strip()
    around = heading.replace(f"({told})", " ") if told != heading else ""
    around = "" if words.is_difference(around) else " ".join(around.split())
    return f"{around} {sides[0]}".strip(), f"{around} {sides[1]}".strip()


# --- fractions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Count:
    """Right answers of questions."""

    right: int
    of: int

    @property
    def share(self) -> Fraction:
        """In percent."""
        return Fraction(100 * self.right, self.of)


def _count(cell: Cell) -> _Count | None:
    found = _FRACTION.fullmatch(cell.text.strip("*† "))
    one = _Count(int(found[1]), int(found[2])) if found else None
    return one if one is not None and one.of >= _FEWEST and one.right <= one.of else None


def _is_counts(sheet: Sheet, at: int) -> bool:
    cells = [cell for cell in sheet.column(at) if cell.text and not is_missing(cell.text)]
    return bool(cells) and all(_count(cell) for cell in cells) and not _NO_COUNT.search(sheet.head[at])


def _as_shares(sheet: Sheet, at: int) -> Sheet:
    """The sheet with a column of fractions as shares; one of their percentages beside it takes it in.

    "87.2%" behind "143/164" is the share of these, as "87.2% (143/164)" in one cell is.
    """
    beside = next((one for one in (at + 1, at - 1) if 0 < one < len(sheet.head) and _are_shares(sheet, at, one)), None)
    lines = []
    for line in sheet.lines:
        cells, count = list(line.cells), _count(line.cells[at])
        if beside is not None:
            cells[beside] = _with_count(cells[beside], count)
            del cells[at]
        elif count is not None:
            cells[at] = _share(cells[at], count)
        lines.append(replace(line, cells=tuple(cells)))
    if beside is None:
        return replace(sheet, lines=tuple(lines))
    head, tops = ((*some[:at], *some[at + 1 :]) for some in (sheet.head, sheet.tops))
    return replace(sheet, head=head, tops=tops, lines=tuple(lines))


def _are_shares(sheet: Sheet, at: int, beside: int) -> bool:
    """Whether a column has the percentages of the fractions in another one: of two rows, and of most.

    One of fractions itself is another model's, as many of whose answers may be right.
    """
    found: Counter[bool] = Counter()
    for own, other in zip(sheet.column(at), sheet.column(beside), strict=True):
        count = _count(own)
        if count is not None and other.figure is not None and not other.figure.exact and not other.beside:
            value = other.figure.range
            found[value.low <= count.share <= value.high] += 1
    named = _RIGHT.search(sheet.head[at]) and _ACCURACY.search(sheet.head[beside])
    return found[True] > (0 if named else 1) and (found[True] > found[False] or bool(named))


def _with_totals(sheet: Sheet) -> Sheet:
    """The sheet with "812" under "Correct" beside "1000" under "Total" as "812/1000"."""
    right = [at for at, name in enumerate(sheet.head) if at and _RIGHT.fullmatch(name.strip())]
    of = [at for at, name in enumerate(sheet.head) if at and _TOTAL.fullmatch(name.strip())]
    if len(right) != 1 or len(of) != 1:
        return sheet
    lines = []
    for line in sheet.lines:
        some, everything = line.cells[right[0]], line.cells[of[0]]
        one = Cell(f"{some.text}/{everything.text}".replace(",", "")) if some.figure and everything.figure else some
        if some.figure and _count(one) is None:
            return sheet
        cells = [one if at == right[0] else cell for at, cell in enumerate(line.cells) if at != of[0]]
        lines.append(replace(line, cells=tuple(cells)))
    head, tops = ((*row[: of[0]], *row[of[0] + 1 :]) for row in (sheet.head, sheet.tops))
    return replace(sheet, head=head, tops=tops, lines=tuple(lines))


def _with_count(cell: Cell, count: _Count | None) -> Cell:
    if count is None or cell.figure is None:
        return cell
    return replace(cell, beside=tuple(_whole(number) for number in (count.right, count.of)), of=count.of)


def _share(cell: Cell, count: _Count) -> Cell:
    return replace(cell, figure=Printed(cell.text, count.share, EXACT), of=count.of)


def _whole(number: int) -> Printed:
    return Printed(str(number), Fraction(number), 0)


def counted_of(cells: Sequence[Cell]) -> tuple[int | None, ...]:
    """Of how many questions each score is a share, where the cells say so; empty where none does."""
    found = tuple(cell.of for cell in cells)
    return found if any(found) else ()
