"""Tables whose columns are models and whose rows are tasks."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from evalkit.cards.nouns import AccuracyTable, CardScores, Stated
from evalkit.cards.roles import cells as beside_cells
from evalkit.cards.roles import models, words
from evalkit.cards.roles.averages import average_in, weight_in
from evalkit.cards.roles.cells import ITSELF, CellSpot, Leftovers, beside
from evalkit.cards.roles.columns import Pairing, pairing, roles
from evalkit.cards.roles.pairs import counted_of
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.figures import Cell
    from evalkit.cards.nouns import RowKind
    from evalkit.cards.roles.columns import Role
    from evalkit.cards.roles.sheet import Line, Sheet


_SIGN = re.compile(r"\s*\(?%\)?$")
"""What "FP8 %" has behind the name of the column before it."""


def across(sheet: Sheet, leftovers: Leftovers) -> AccuracyTable | None:
    """The table of accuracy in a sheet whose columns are models; None where no column has scores."""
    kinds = _told_by_signs(sheet, roles(sheet))
    pairs = pairing(sheet, kinds)
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    if not pairs.scores or not labels:
        return None
    rows = _Rows(sheet, kinds, pairs, labels, leftovers).read()
    names = tuple(sheet.head[at] or f"column {at + 1}" for at in pairs.scores)
    return AccuracyTable(sheet.place, names, tuple(pairs.bases), tuple(rows), metrics=pairs.metrics, named=pairs.named)


def _told_by_signs(sheet: Sheet, kinds: Sequence[Role]) -> list[Role]:
    """The roles; a column of percentages behind two of figures without a sign is a comparison, whatever its name."""
    scores = [at for at, role in enumerate(kinds) if role == "score"]
    signed = [at for at in scores if all(cell.figure.percent for cell in sheet.column(at) if cell.figure)]
    bare = [at for at in scores if not any(cell.figure.percent for cell in sheet.column(at) if cell.figure)]
    last = max(bare, default=0) if len(bare) > 1 else len(kinds)
    unnamed = [at for at in signed if at > last and not models.quantized(sheet.head[at])]
    unnamed += [at for at in signed if at - 1 in bare and _SIGN.sub("", sheet.head[at]) == sheet.head[at - 1]]
    return ["aside" if at in unnamed or role == "gain" else role for at, role in enumerate(kinds)]


@dataclass(slots=True)
class _Rows:
    """Reads rows from top to bottom."""

    sheet: Sheet
    kinds: Sequence[Role]
    pairs: Pairing
    labels: list[int]
    leftovers: Leftovers
    category: str = ""
    sections: int = 0
    groups: dict[tuple[int, str], int] = field(default_factory=dict)

    def read(self) -> list[CardScores]:
        """The rows that hold figures; one of speedups or compressions belongs to the times or sizes above it."""
        found: list[CardScores] = []
        for line in self.sheet.lines:
            row = self._row(line)
            gains = row is not None and row.kind == "other" and words.is_gain(row.label)
            if row is not None and gains and found and found[-1].kind == "other":
                found[-1] = replace(found[-1], stated=(*found[-1].stated, *self._gains(row)))
            elif row is not None:
                found.append(row)
        return found

    def _gains(self, row: CardScores) -> Iterator[Stated]:
        for model, printed in enumerate(row.scores):
            if printed is not None:
                base, name = self.pairs.bases[model], self.sheet.head[self.pairs.scores[model]]
                own = model if base is None else base
                yield Stated("aside", model, own, printed, row.label, f"{row.label} of {name}")

    def _row(self, line: Line) -> CardScores | None:
        if line.sections != self.sections:
            self.sections, self.category = line.sections, ""
        label, kind, sure = self._label(line)
        section = self.category or line.section
        name = f"{section}: {label}" if section and section != label else label
        used = [*self.pairs.scores, *self.pairs.stated]
        if not any(line.cells[at].figure or line.cells[at].unread for at in [*used, *self.pairs.stray]):
            return None
        self._left(line, name)
        if kind == "recovery":
            return self._recoveries(line, label, section)
        scores = tuple(line.cells[at].figure for at in self.pairs.scores)
        stated = [one for at in used for one in self._stated(at, line.cells[at], name)]
        group = self.groups.setdefault((self.sections, self.category), len(self.groups))
        heads = {words.speed(self.sheet.head[at]) for at in self.pairs.scores}
        measured = words.speed(label) or (heads.pop() if len(heads) == 1 else "")
        units = any(line.cells[at].unit for at in self.pairs.scores)
        kind = "other" if (measured or units) and kind == "task" else kind
        low = all(words.better(self.sheet.head[at]) == "lower" for at in self.pairs.scores)
        named = words.better(label, f"{self.category} {line.section}", self.sheet.caption)
        better = measured or ("lower" if low else named)
        sizes = self._sizes(line)
        weight = weight_in(label) if kind == "average" else None
        return CardScores(label, section, group, kind, scores, tuple(stated), sizes, better, sure, weight)

    def _label(self, line: Line) -> tuple[str, RowKind, bool]:
        """What a row is called, what it is, and whether its name leaves no doubt; moves the category on."""
        texts = [line.cells[at].text for at in self.labels]
        label = " ".join(dict.fromkeys(text for text in (texts[1:] or texts) if text))
        section = f"{self.category} {line.section}"
        if len(texts) > 1 and texts[0]:
            # "Average" stands where the category does, so it is of none.
            if average_in(texts[0], section) == "yes" or words.is_recovery(texts[0]):
                self.category = ""
                whole = " ".join(dict.fromkeys(text for text in texts if text))
                return whole, "recovery" if words.is_recovery(texts[0]) else "average", True
            self.category = texts[0]
        label = label or texts[0] or self.category
        if (words.is_recovery(label) or words.is_difference(label)) and not is_benchmark(label):
            if words.is_recovery(label) and average_in(label) != "no" and self._scored(line):
                return label, "average", False
            return label, "recovery", True
        sureness = average_in(label, section)
        if sureness != "no":
            return label, "average", sureness == "yes" and self._is_category(line)
        return label, "other" if words.is_quantity(label, heading=False) else "task", True

    def _scored(self, line: Line) -> bool:
        """Whether a row has a score of a baseline, so that it is not a row of recoveries only."""
        return any(
            (figure := line.cells[at].figure) is not None
            and figure.value not in ITSELF["recovery"]
            and self.pairs.bases[model] is None
            for model, at in enumerate(self.pairs.scores)
        )

    def _is_category(self, line: Line) -> bool:
        """Whether the words before an average are those of a group of rows, and not the task whose metric it is."""
        if len(self.labels) < 2 or not self.category:
            return True
        last = self.sheet.head[self.labels[-1]]
        first = self.sheet.head[self.labels[0]]
        if is_benchmark(self.category) or (
            words.METRIC.match(last) and words.TASKS.match(first) and "ategor" not in first
        ):
            return False
        named = words.TASKS.match(last) and not words.METRIC.match(last)
        return bool(named) or self._members(line) > 2

    def _members(self, line: Line) -> int:
        """How many rows have this row's category, written out or left blank under it."""
        category, count = "", 0
        for other in self.sheet.lines:
            own = other.cells[self.labels[0]].text
            category = own or category
            count += category == self.category and other.sections == line.sections
        return count

    def _sizes(self, line: Line) -> tuple[int | None, ...]:
        """By model, how many samples, where the table says: in the next such column, or in the only one."""
        sizes = [at for at, role in enumerate(self.kinds) if role == "n"]
        if not sizes:
            return counted_of([line.cells[at] for at in self.pairs.scores])
        found = []
        for score in self.pairs.scores:
            at = next((one for one in sizes if one > score), sizes[-1])
            figure = line.cells[at].figure
            found.append(int(figure.value) if figure and figure.value >= 1 and not figure.decimals else None)
        return tuple(found)

    def _stated(self, at: int, cell: Cell, row: str) -> list[Stated]:
        """What the cell of a score or of a recovery says of a model."""
        name = self.sheet.head[at] or f"column {at + 1}"
        if at in self.pairs.stated:
            kind, model, base = self.pairs.stated[at]
            own = self.sheet.head[self.pairs.scores[model]] or f"column {self.pairs.scores[model] + 1}"
            place = f"{name if kind == 'aside' else kind} of {own}"
            figure = cell.directed if kind == "difference" else cell.figure
            found = [Stated(kind, model, base, figure, name, place)] if figure else []
        else:
            model, base_or_none = self.pairs.scores.index(at), self.pairs.bases[self.pairs.scores.index(at)]
            return list(beside(cell, CellSpot(model, base_or_none, row, name), self.leftovers))
        return found + list(beside(cell, CellSpot(model, base, row, name), self.leftovers))

    def _recoveries(self, line: Line, label: str, section: str) -> CardScores:
        """A row of nothing but recoveries or differences of what stands above it."""
        stated: list[Stated] = []
        for model, at in enumerate(self.pairs.scores):
            base, name = self.pairs.bases[model], self.sheet.head[at]
            kind = "recovery" if words.is_recovery(label) else "difference"
            figure = line.cells[at].directed if kind == "difference" else line.cells[at].figure
            if figure is None:
                continue
            own = model if base is None else base
            if base is None and figure.value not in ITSELF[kind]:
                # A baseline recovers all of itself, and anything else that stands in its column says something else.
                self.leftovers.add(label, name, figure.text, beside_cells.STRAY)
                continue
            stated.append(
                Stated(
                    "recovery" if kind == "recovery" else "difference", model, own, figure, label, f"{kind} of {name}"
                )
            )
        for at, (kind, model, own) in self.pairs.stated.items():
            figure = line.cells[at].directed if kind == "difference" else line.cells[at].figure
            if figure is not None:
                name = self.sheet.head[self.pairs.scores[model]]
                stated.append(Stated(kind, model, own, figure, label, f"{kind} of {name}"))
        group = self.groups.setdefault((self.sections, self.category), len(self.groups))
        nothing = (None,) * len(self.pairs.scores)
        return CardScores(label, section, group, "recovery", nothing, tuple(stated))

    def _left(self, line: Line, name: str) -> None:
        """Count what no check can use."""
        for at, cell in enumerate(line.cells):
            role, column = self.kinds[at], self.sheet.head[at] or f"column {at + 1}"
            if role in {"label", "n"}:
                continue
            if cell.unread:
                if role != "quantity" and (role != "words" or self.sheet.is_numeric(at)):
                    self.leftovers.add(name, column, cell.text, beside_cells.SEVERAL)
            elif cell.figure is None:
                continue
            elif at in self.pairs.stray:
                self.leftovers.add(name, column, cell.figure.text, beside_cells.STRAY)
            elif role == "error":
                self.leftovers.add(name, column, cell.figure.text, beside_cells.ERROR)
            for error in cell.errors:
                self.leftovers.add(name, column, error, beside_cells.ERROR)
