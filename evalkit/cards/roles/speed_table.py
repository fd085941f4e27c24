"""Tables of times, rates and sizes with what is said of them: rows are models, by hardware and setting."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.cards.nouns import SpeedRow, SpeedTable
from evalkit.cards.roles import models, words
from evalkit.cards.roles.cells import SEVERAL, Leftovers
from evalkit.cards.roles.columns import is_size, roles
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.nouns import Better, SpeedKind
    from evalkit.cards.roles.columns import Role
    from evalkit.cards.roles.sheet import Line, Sheet

_MODEL = re.compile(
    r"\b(?:models?|precision|quanti[sz]ation|scheme|format|method|variant|checkpoint|d?type)\b", re.IGNORECASE
)
_PER_DOLLAR = re.compile(r"\bqueries per dollar\b|\bqpd\b", re.IGNORECASE)
_OF_THE_MODEL = re.compile(
    r"\b(?:memory|vram|params?|parameters|bits|bpw|disk|model size|file size|size)\b|\([GM]i?B\)", re.IGNORECASE
)
_NOT_PRINTED = "no time, rate, size or price is printed that it is a gain of"


def speed_tables(sheet: Sheet, leftovers: Leftovers) -> list[SpeedTable]:
    """The times and rates of a sheet whose rows are models, and its sizes and prices where a column compares them.

    A gain of which the sheet prints none is left over.
    """
    kinds = roles(sheet)
    gains = {"speedup", "gain"} if "score" in kinds else {"speedup", "gain", "aside"}
    stated = {at: _of_what(sheet, kinds, at) for at, role in enumerate(kinds) if role in gains}
    quantities = {at: _is_what(sheet, at) for at, role in enumerate(kinds) if role == "quantity"}
    found = []
    families: tuple[SpeedKind, ...] = ("speedup", "compression", "saving")
    for kind in families:
        own = [at for at, family in stated.items() if family == kind]
        measures = [at for at, family in quantities.items() if family == kind and (own or kind == "speedup")]
        labels = _labels(kinds, [*measures, *own])
        if measures and labels:
            better: list[Better] = [words.speed(sheet.head[at]) if kind == "speedup" else "lower" for at in measures]
            rows = tuple(_SpeedColumns(sheet, kinds, labels, measures, own).rows(leftovers))
            found.append(SpeedTable(sheet.place, tuple(sheet.head[at] for at in measures), tuple(better), rows, kind))
        elif labels:
            _left(sheet, labels, own, leftovers)
    return found


def _is_what(sheet: Sheet, at: int) -> SpeedKind | None:
    """Whether a column of quantities holds times and rates, sizes or prices; None where it is of something else."""
    name = sheet.head[at]
    if words.PRICE.search(name) or _PER_DOLLAR.search(name):
        return "saving"
    return "speedup" if words.speed(name) else "compression" if is_size(sheet, at) else None


def _of_what(sheet: Sheet, kinds: Sequence[Role], at: int) -> SpeedKind:
    """What a gain is of, by its own name, else by the column before it."""
    name = sheet.head[at]
    if kinds[at] == "speedup" or words.speed(name):
        return "speedup"
    if words.PRICE.search(name):
        return "saving"
    if words.COMPRESSION.search(name) or words.SIZE.search(name):
        return "compression"
    return _is_what(sheet, at - 1) or "speedup"


def _labels(kinds: Sequence[Role], figures: Sequence[int]) -> list[int]:
    """The columns of words before the first of the figures."""
    return [at for at, role in enumerate(kinds) if role in {"label", "words"} and at < min([*figures, len(kinds)])]


def _left(sheet: Sheet, labels: Sequence[int], columns: Sequence[int], leftovers: Leftovers) -> None:
    for line in sheet.lines:
        name = " ".join(line.cells[at].text for at in labels if line.cells[at].text)
        for at in columns:
            if line.cells[at].figure or line.cells[at].unread:
                leftovers.add(name, sheet.head[at], line.cells[at].text, _NOT_PRINTED)


@dataclass(frozen=True, slots=True)
class _SpeedColumns:
    """The columns of one table of times and rates, or of one of sizes."""

    sheet: Sheet
    kinds: Sequence[Role]
    labels: Sequence[int]
    measures: Sequence[int]
    stated: Sequence[int]

    def rows(self, leftovers: Leftovers) -> Iterator[SpeedRow]:
        """The rows, each with its setting; a cell that cannot be read is left over."""
        sheet = self.sheet
        model = _model_column(sheet, self.labels)
        settings = [at for at in self.labels if at != model and not words.NOT_A_SCORE.match(sheet.head[at])]
        settings += self._numbers()
        last = dict.fromkeys(settings, "")
        for line in sheet.lines:
            last = {at: line.cells[at].text or last[at] for at in settings}
            setting = ", ".join(part for part in (line.section, *last.values()) if part)
            row = _row(sheet, line, setting, model, self.measures, self.stated)
            yield row
            for at in [*self.measures, *self.stated]:
                if line.cells[at].unread:
                    leftovers.add(row.name, sheet.head[at], line.cells[at].text, SEVERAL)

    def _numbers(self) -> list[int]:
        """Columns of numbers before what is measured that name a setting, such as a batch size.

        None where every row has a number of its own, which names no setting.
        """
        first = min([*self.measures, *self.stated])
        found = [at for at in range(first) if self._is_setting(at)]
        texts = Counter(tuple(line.cells[at].text for at in found) for line in self.sheet.lines)
        return found if any(count > 1 for count in texts.values()) else []

    def _is_setting(self, at: int) -> bool:
        name = self.sheet.head[at]
        if self.kinds[at] not in {"quantity", "score", "n"} or _OF_THE_MODEL.search(name) or is_size(self.sheet, at):
            return False
        whole = all(not cell.figure.decimals for cell in self.sheet.column(at) if cell.figure)
        return self.kinds[at] != "score" or (whole and not is_benchmark(name))


def _model_column(sheet: Sheet, labels: Sequence[int]) -> int:
    """The column that says which model a row is of: by its cells where it has several, else by its heading."""
    told = [at for at in labels if _MODEL.search(sheet.head[at])]
    cells = {at: [cell.text for cell in sheet.column(at) if cell.text] for at in labels}
    saying = {at: sum(models.quantized(text) or models.whole(text) for text in texts) for at, texts in cells.items()}
    varied = [at for at in told if len(set(cells[at])) > 1 and 2 * saying[at] >= len(sheet.lines)]
    return next(iter([*varied, *told]), labels[-1])


def _row(
    sheet: Sheet, line: Line, setting: str, model: int, measures: Sequence[int], speedups: Sequence[int]
) -> SpeedRow:
    measured = tuple(line.cells[at].figure for at in measures)
    stated = tuple(
        (sheet.head[at], sum(one < at for one in measures), figure)
        for at in speedups
        if (figure := line.cells[at].figure) is not None
    )
    return SpeedRow(setting, line.cells[model].text, measured, stated)
