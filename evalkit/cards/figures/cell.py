"""What one cell of a table holds: its figure, and the figures that stand beside it in the same cell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.cards.figures.printed import DIGITS, MINUS, UNIT, Printed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MISSING = re.compile(
    r"[-\N{EN DASH}\N{EM DASH}?_.]{1,3}|n\.?/?\s?a\.?|tbd|none|nan|null|oom|\N{MINUS SIGN}", re.IGNORECASE
)
_DOWN = "↓▼⬇🔻🔽↘"
_UP = "↑▲⬆🔺🔼↗"
_NUMBER = rf"[~≈]?\s?[+-]?\s?\$?\s?{DIGITS}\s?{UNIT}"
_MAIN = re.compile(rf"\s*({_NUMBER})")
_UNCERTAINTY = re.compile(rf"\s*(?:±|\+/-|\+-)\s*{_NUMBER}")
_BRACKET = re.compile(r"\s*(?:\(([^()]{0,80})\)|\[([^\[\]]{0,80})\])")
_SLASHED = re.compile(rf"\s*[/|]\s*({_NUMBER})")
_POINTS = re.compile(r"\s*(?:pp|pts?|points?|%p|p\.p\.)\.?(?![a-z])", re.IGNORECASE)
_UNIT_OR_FACTOR = re.compile(
    r"\s*(?P<unit>[KMGT]i?B|GB/s|(?:tok(?:en)?s?|t|it|req|img|samples)\s?/\s?(?:s|sec|min)|tps|qps|bpw|sec(?:onds)?"
    rf"|min(?:utes)?|hours?|h|hrs?)\.?(?![a-z])|\s*;\s*[×x]\s?(?P<factor>{DIGITS})",
    re.IGNORECASE,
)
_MARK = re.compile(
    r"\s*(?:[*†‡§¶^#ªº¹²³⁰⁴-⁹]|\[\^?\w{1,3}\]|[\u2190-\u21ff\u25a0-\u27bf\u2b00-\u2bff\ufe0f]|[\U0001f300-\U0001faff])"
)
_SHARE_OF_COUNTS = re.compile(rf"(\d{{1,7}})\s?/\s?(\d{{1,7}})\s?\(\s?({DIGITS}\s?%)\s?\)")
"""``18/20 (90%)``, which says what ``90% (18/20)`` does."""
_NOT_NUMBERS = re.compile(r"[^0-9]*|\s*n\s*=\s*[\d,]{1,9}\s*")
_SAID_OF_IT = re.compile(
    r"^(?:[Δ∆]|diff\.?|recovery|rec\.?)\s*:?=?\s*"
    r"|\s*(?:pp|pts?|points?|recovery|rec\.?|recovered|retained)$"
    r"|\s*(?:of|vs\.?) (?:the )?(?:base\w*|original|b?fp?-?16)$",
    re.IGNORECASE,
)
_BETTER = re.compile(r"(?<=[\dx×%]) ?(?:smaller|faster|higher|lower|less|fewer|more|better|cheaper)$", re.IGNORECASE)
"""Words behind a figure that say what its column does: ``2.8x smaller``."""
_SHOTS = re.compile(r"\d{1,2}(?:-| )?(?:shots?)?", re.IGNORECASE)
_SYMBOLS = re.compile(r"(?:[\u2600-\u27bf\u2b50\u2b55\ufe0f\U0001f300-\U0001faff]\s*)+")
"""Marks before a figure that say what somebody thinks of it: ``✅ 99.7%``."""
_BEGINS_WITH_A_FIGURE = re.compile(rf"(?:{_SYMBOLS.pattern})?[~≈<>≤≥$+\-(\[]{{0,2}}\s?\.?\d")
_SPLIT = re.compile(r"\s*(?:[/;|]|,\s|\s(?:to|-|–|…)\s|–)\s*")
_COMMA_DECIMAL = re.compile(r"(?<![\d.,])(?:\d{1,3},(?:\d{1,2}|\d{4,6})|0,\d{3})(?![\d.,])")
_POINT_DECIMAL = re.compile(r"(?<![\d.,])\d{1,3}\.\d{1,6}(?![\d.,])")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says."""

    text: str
    figure: Printed | None = None
    beside: tuple[Printed, ...] = ()
    """Figures in brackets or behind a slash: a recovery, a difference, the ends of an interval, single runs."""
    errors: tuple[str, ...] = ()
    """What stands behind a plus-minus sign."""
    interval: bool = False
    """Whether ``beside`` are the ends of an interval in square brackets."""
    ratio: Printed | None = None
    """What stands behind a semicolon and a times sign: ``+6.4; × 1.02``."""
    unit: str = ""
    """A word behind the figure that says what it measures; not of points and percent, which scores have as well."""
    arrow: int = 0
    """-1 for an arrow that points down, 1 for one that points up."""
    of: int | None = None
    """Of how many questions the figure is a share, where the cell says so: 20 of ``18/20``."""

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def directed(self) -> Printed | None:
        """The figure with its arrow for a sign, as it is of a difference; a figure with a sign stays as it is."""
        figure = self.figure
        if figure is None or figure.signed or not self.arrow:
            return figure
        return replace(figure, value=self.arrow * figure.value, signed=True, pointed=True)

    @property
    def unread(self) -> bool:
        """Whether there is a figure in it that could not be told apart from what else is there."""
        return self.figure is None and bool(_BEGINS_WITH_A_FIGURE.match(self.text.translate(MINUS)))


@lru_cache(maxsize=16384)
def is_missing(text: str) -> bool:
    """Whether a cell says that there is nothing: a dash, a question mark, "n/a"."""
    return bool(_MISSING.fullmatch(text))


@lru_cache(maxsize=65536)
def read(text: str, *, commas: bool = False) -> Cell:
    """What a cell holds; ``commas`` where the table prints decimals with a comma."""
    words = _BETTER.sub("", _SHARE_OF_COUNTS.sub(r"\3 (\1/\2)", text.translate(MINUS).strip()))
    cell = Cell(text.strip())
    arrow = words[:1]
    if arrow and arrow in _DOWN + _UP:
        words = words[1:].lstrip("\ufe0f ")
    elif symbols := _SYMBOLS.match(words):
        words = words[symbols.end() :]
    main = _MAIN.match(words)
    if main is None:
        return cell
    beside = _beside(words[main.end() :], commas=commas)
    if beside is None:
        return cell
    arrows = [letter for letter in _BRACKET.sub("", text) if letter in _DOWN + _UP]
    way = 0 if len(arrows) != 1 else -1 if arrows[0] in _DOWN else 1
    figure = _figure(main[1], commas=commas)
    return replace(beside, text=text.strip(), figure=figure, arrow=way, of=_of(figure, beside.beside))


def _of(figure: Printed | None, beside: tuple[Printed, ...]) -> int | None:
    """Of how many questions a figure is a share, where the right ones and all of them stand beside it."""
    if figure is None or len(beside) != 2 or any(one.decimals for one in beside) or not beside[1].value:
        return None
    share = 100 * beside[0].value / beside[1].value
    return int(beside[1].value) if figure.range.low <= share <= figure.range.high else None


def reader(*, commas: bool) -> Callable[[str], Cell]:
    """``read`` for a table's locale."""

    def read_cell(text: str) -> Cell:
        return read(text, commas=commas)

    return read_cell


def speaks_commas(cells: Iterable[str]) -> bool:
    """Whether a table prints its decimals with a comma, and none with a point."""
    commas = False
    for cell in cells:
        if _POINT_DECIMAL.search(cell):
            return False
        commas = commas or bool(_COMMA_DECIMAL.search(cell))
    return commas


def _figure(text: str, *, commas: bool) -> Printed | None:
    try:
        return Printed.parse(text, commas=commas)
    except ValueError:
        return None


def _beside(rest: str, *, commas: bool) -> Cell | None:
    """The further figures of a cell as those of one without a figure of its own; None where words stand among them."""
    figures: list[Printed] = []
    errors: list[str] = []
    interval, unit, ratio = False, "", None
    while rest.strip():
        if found := _UNCERTAINTY.match(rest):
            errors.append(found[0].strip())
        elif found := _UNIT_OR_FACTOR.match(rest):
            unit = found["unit"] or unit
            ratio = _figure(found["factor"], commas=commas) if found["factor"] else ratio
        elif found := _POINTS.match(rest) or (None if _interval(rest) else _MARK.match(rest)):
            pass
        elif found := _SLASHED.match(rest):
            one = _figure(found[1], commas=commas)
            if one is None or not one.percent or figures:
                return None
            figures.append(one)
        elif found := _BRACKET.match(rest):
            inside = (found[1] if found[1] is not None else found[2]).strip()
            if inside.startswith(("±", "+/-")):
                errors.append(inside)
                inside = ""
            some = _bracketed(inside, commas=commas)
            if some is None:
                return None
            interval = interval or (found[2] is not None and len(some) == 2)
            figures += some
        else:
            return None
        rest = rest[found.end() :]
    return Cell("", None, tuple(figures), tuple(errors), interval, ratio, unit)


def _interval(rest: str) -> bool:
    return rest.strip().startswith("[") and "," in rest


def _bracketed(inside: str, *, commas: bool) -> list[Printed] | None:
    """The figures in a bracket: none where it holds words or a footnote's number, None where it holds both."""
    if _NOT_NUMBERS.fullmatch(inside) or _SHOTS.fullmatch(inside):
        return []
    inside = _SAID_OF_IT.sub("", inside)
    found = [_directed(part, commas=commas) for part in _SPLIT.split(inside)]
    return [one for one in found if one] if all(found) else None


def _directed(text: str, *, commas: bool) -> Printed | None:
    """A figure with an arrow for its sign: ``↓0.2`` is -0.2."""
    arrows = {letter for letter in text if letter in _DOWN + _UP}
    figure = _figure("".join(letter for letter in text if letter not in _DOWN + _UP + "\ufe0f"), commas=commas)
    if figure is None or len(arrows) != 1:
        return None if arrows else figure
    down = arrows.pop() in _DOWN
    value = -abs(figure.value) if down else abs(figure.value)
    return replace(figure, text=text.strip(), value=value, signed=True)
