"""Tables of times, rates and speedups: rows are models, by hardware and setting."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from evalkit.cards.nouns import SpeedRow, SpeedTable
from evalkit.cards.roles import models, words
from evalkit.cards.roles.cells import SEVERAL, Leftovers
from evalkit.cards.roles.columns import roles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.roles.columns import Role
    from evalkit.cards.roles.sheet import Line, Sheet

_MODEL = re.compile(
    r"\b(?:models?|precision|quanti[sz]ation|scheme|format|method|variant|checkpoint|d?type)\b", re.IGNORECASE
)
_PER_DOLLAR = re.compile(r"\bqueries per dollar\b|\bqpd\b|\bcost\b|\bprice\b", re.IGNORECASE)
_OF_THE_MODEL = re.compile(
    r"\b(?:memory|vram|params?|parameters|bits|disk|model size|file size)\b|\([GM]i?B\)", re.IGNORECASE
)


def speed_table(sheet: Sheet, leftovers: Leftovers) -> SpeedTable | None:
    """The times, rates and speedups of a sheet whose rows are models; None where it has none."""
    kinds = roles(sheet)
    measures = [at for at, role in enumerate(kinds) if role == "quantity" and _measures(sheet.head[at])]
    # Of rates a gain in percent is a speedup; of times it may be by two formulas.
    rates = all(words.speed(sheet.head[at]) == "higher" for at in measures)
    gains = [at for at, role in enumerate(kinds) if role == "difference" and rates]
    speedups = sorted([*(at for at, role in enumerate(kinds) if role == "speedup"), *gains])
    labels = [
        at
        for at, role in enumerate(kinds)
        if role in {"label", "words"} and at < min([*measures, *speedups, len(kinds)])
    ]
    if not measures or not labels:
        return None
    model = _model_column(sheet, labels)
    settings = [at for at in labels if at != model and not words.NOT_A_SCORE.match(sheet.head[at])]
    numbers = _numbers(sheet, kinds, min(measures + speedups))
    if any(
        count > 1 for count in Counter(tuple(line.cells[at].text for at in numbers) for line in sheet.lines).values()
    ):
        # Otherwise every row has a number of its own, which names no setting.
        settings += numbers
    rows: list[SpeedRow] = []
    last = dict.fromkeys(settings, "")
    for line in sheet.lines:
        last = {at: line.cells[at].text or last[at] for at in settings}
        setting = ", ".join(part for part in (line.section, *last.values()) if part)
        rows.append(_row(sheet, line, setting, model, measures, speedups))
        for at in [*measures, *speedups]:
            if line.cells[at].unread:
                leftovers.add(rows[-1].name, sheet.head[at], line.cells[at].text, SEVERAL)
    better = tuple(words.speed(sheet.head[at]) for at in measures)
    return SpeedTable(sheet.place, tuple(sheet.head[at] for at in measures), better, tuple(rows))


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


def _measures(name: str) -> bool:
    return bool(words.speed(name)) and not _PER_DOLLAR.search(name)


def _numbers(sheet: Sheet, kinds: Sequence[Role], first: int) -> list[int]:
    """Columns of numbers before what is measured that name a setting, such as a batch size."""
    return [
        at
        for at, role in enumerate(kinds)
        if at < first and role in {"quantity", "score", "n"} and not _OF_THE_MODEL.search(sheet.head[at])
    ]
