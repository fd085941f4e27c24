"""Tables whose rows are models and whose columns are tasks; also the long form, a row for each task and model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.cards.figures import Cell, is_missing
from evalkit.cards.nouns import AccuracyTable, CardScores, Stated
from evalkit.cards.roles import cells as beside_cells
from evalkit.cards.roles import models, words
from evalkit.cards.roles.averages import average_in, weight_in
from evalkit.cards.roles.cells import ITSELF, CellSpot, Leftovers, beside
from evalkit.cards.roles.columns import STATED, roles, stated_kind
from evalkit.cards.roles.pairs import counted_of
from evalkit.cards.roles.sheet import Line, Sheet
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.cards.nouns import RowKind, StatedKind
    from evalkit.cards.roles.columns import Role


_OF_THE_BASE = re.compile(r"(?:mean )?(?:ppl|perplexity) ?\(base\)", re.IGNORECASE)
"""A column of the baseline's figures beside those of each row: "PPL(base)" beside "PPL(Q)"."""


def is_down(sheet: Sheet) -> bool:
    """Whether the rows of a sheet are models, by its headings and by what names are known."""
    kinds = roles(sheet)
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    scores = [sheet.head[at] for at, role in enumerate(kinds) if role == "score"]
    if not labels or any(_OF_THE_BASE.fullmatch(name) for name in scores):
        return False
    names = [" ".join(line.cells[at].text for at in labels) for line in sheet.lines]
    down = 2 * any(words.MODELS.match(sheet.head[at]) for at in labels) + 3 * any(
        average_in(one) == "yes" for one in scores
    )
    down += any(is_benchmark(one) for one in scores) + 2 * _mostly(names)
    over = 2 * bool(words.TASKS.match(sheet.head[labels[0]])) + 2 * _mostly(scores)
    over += any(is_benchmark(one) for one in names) + any(average_in(one) == "yes" for one in names)
    if not scores:
        return down > over and bool(words.MODELS.match(sheet.head[labels[0]]))
    return down > over


def _mostly(names: Sequence[str]) -> bool:
    """Whether half of the names are those of models that say whether they are compressed."""
    return bool(names) and 2 * sum(models.quantized(name) or models.whole(name) for name in names) >= len(names)


# --- the long form ------------------------------------------------------------------------------


def pivoted(sheet: Sheet) -> Sheet:
    """The sheet with a column for each model, where it has a row for each task and model; else the sheet itself."""
    kinds = roles(sheet)
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    figures = [at for at, role in enumerate(kinds) if role in {"score", *STATED}]
    if len(labels) != 2 or not figures or sum(kinds[at] == "score" for at in figures) != 1:
        return sheet
    first, second = _filled(sheet, labels[0]), [line.cells[labels[1]].text for line in sheet.lines]
    for tasks, variants, at in ((first, second, labels[0]), (second, first, labels[1])):
        kept = list(dict.fromkeys(tasks))
        each = list(dict.fromkeys(variants))
        told = any(is_benchmark(task) for task in kept) or words.TASKS.match(sheet.head[at])
        grid = {(task, variant): line for task, variant, line in zip(tasks, variants, sheet.lines, strict=True)}
        if told and _mostly(each) and len(each) > 1 and len(kept) * len(each) == len(sheet.lines) == len(grid):
            return _pivot(sheet, at, kept, each, grid, figures)
    return sheet


def _pivot(
    sheet: Sheet, at: int, tasks: list[str], variants: list[str], grid: dict[tuple[str, str], Line], figures: list[int]
) -> Sheet:
    kinds = roles(sheet)
    head = [sheet.head[at]]
    used: list[tuple[str, int]] = []
    for variant in variants:
        for column in figures:
            if any(grid[task, variant].cells[column].figure for task in tasks):
                used.append((variant, column))
                head.append(variant if kinds[column] == "score" else f"{sheet.head[column]} {variant}")
    lines = [
        Line((Cell(task), *(grid[task, variant].cells[column] for variant, column in used)), "", 0) for task in tasks
    ]
    return replace(sheet, head=tuple(head), tops=("",) * len(head), lines=tuple(lines))


def _filled(sheet: Sheet, at: int) -> list[str]:
    """A column with blanks filled from above, anew under each title."""
    found: list[str] = []
    sections, last = 0, ""
    for line in sheet.lines:
        if line.sections != sections:
            sections, last = line.sections, ""
        last = line.cells[at].text or last
        found.append(last)
    return found


# --- models by tasks ----------------------------------------------------------------------------


def down(sheet: Sheet, leftovers: Leftovers) -> AccuracyTable | None:
    """The table of accuracy in a sheet whose rows are models; None where no column has scores."""
    kinds = roles(sheet)
    scores = [at for at, role in enumerate(kinds) if role == "score"]
    labels = [at for at, role in enumerate(kinds) if role == "label"]
    if not labels or not (scores or "recovery" in kinds):
        return None
    comparing = [number for number, line in enumerate(sheet.lines) if number and _compares(line, labels)]
    lines = sheet.lines
    sheet = replace(sheet, lines=tuple(line for number, line in enumerate(lines) if number not in comparing))
    names = _names(sheet, kinds, labels)
    blocks = _blocks(sheet, kinds, labels, names)
    bases, named = models.bases(names, blocks, compared=bool(comparing) or any(role in STATED for role in kinds))
    bases = _completed(sheet, kinds, bases)
    reading = _Columns(sheet, kinds, names, bases, leftovers, named)
    rows = reading.read()
    for done, number in enumerate(comparing):
        rows = reading.compared(rows, lines[number], number - done - 1)
    return AccuracyTable(sheet.place, tuple(names), tuple(bases), tuple(rows), turned=True, named=named)


def _compares(line: Line, labels: Sequence[int]) -> bool:
    """Whether a row among models is no model: "Recovery", "Δ", for what stands above it."""
    name = " ".join(line.cells[at].text for at in labels)
    told = words.is_recovery(name) or words.is_difference(name)
    return bool(told) and not models.quantized(words.RECOVERY.sub("", name)) and not models.whole(name)


def _completed(sheet: Sheet, kinds: Sequence[Role], bases: Sequence[int | None]) -> list[int | None]:
    """The baselines; a model with a recovery other than 100 is compared with the only baseline that there is."""
    only = {base for base in bases if base is not None}
    recovery = [at for at, role in enumerate(kinds) if role == "recovery"]
    if len(only) != 1 or not recovery:
        return list(bases)
    found = list(bases)
    for model, line in enumerate(sheet.lines):
        cells = [line.cells[at] for at in recovery]
        if found[model] is None and model not in only and any(cell.figure and not _starts(cell) for cell in cells):
            found[model] = next(iter(only))
    return found


def _names(sheet: Sheet, kinds: Sequence[Role], labels: Sequence[int]) -> list[str]:
    """What the models are called: their label columns, and the number of bits where a column has it."""
    bits = [at for at, role in enumerate(kinds) if role == "quantity" and words.MODELS.match(sheet.head[at])]
    first = _filled(sheet, labels[0]) if len(labels) > 1 else [line.cells[labels[0]].text for line in sheet.lines]
    names = []
    for line, family in zip(sheet.lines, first, strict=True):
        parts = [family, *(line.cells[at].text for at in labels[1:])]
        parts += [f"{line.cells[at].text} bits" for at in bits if line.cells[at].text]
        names.append(" ".join(dict.fromkeys(part for part in parts if part and not is_missing(part))) or "?")
    return names


def _blocks(sheet: Sheet, kinds: Sequence[Role], labels: Sequence[int], names: Sequence[str]) -> list[list[int]]:
    """The rows by baseline: under a title, of a family, or from one row without a recovery to the next."""
    everything = list(range(len(names)))
    large = [at for at in everything if models.whole(names[at])]
    keys: list[object] = [line.sections for line in sheet.lines]
    if len(labels) > 1 and len(set(keys)) == 1:
        keys = list(_filled(sheet, labels[0]))
    blocks: dict[object, list[int]] = {}
    for at, key in enumerate(keys):
        blocks.setdefault(key, []).append(at)
    runs = list(blocks.values())
    if len(runs) > 1 and all(len(run) > 1 for run in runs) and len(large) != 1:
        return runs
    recovery = [at for at, role in enumerate(kinds) if role == "recovery"]
    begins = [at for at in everything if recovery and all(_starts(sheet.lines[at].cells[one]) for one in recovery)]
    if (
        len(begins) > 1
        and begins[0] == 0
        and not large
        and all(b - a > 1 for a, b in zip(begins, [*begins[1:], len(names)], strict=True))
    ):
        return [list(range(a, b)) for a, b in zip(begins, [*begins[1:], len(names)], strict=True)]
    return [everything]


def _starts(cell: Cell) -> bool:
    """Whether a recovery is that of a baseline: 100, or none."""
    return cell.figure.value in {1, 100} if cell.figure else not cell.unread


_WORDS = re.compile(r"[a-z0-9]{2,}")


def _weighted(rows: list[CardScores]) -> list[CardScores]:
    """The rows; a column that stands for as many tasks as all others do together is an average beyond doubt."""
    weights = [row.weight for row in rows if row.kind == "task"]
    total = sum(one for one in weights if one)
    return [
        replace(row, sure=True) if row.kind == "average" and row.weight == total and all(weights) else row
        for row in rows
    ]


@dataclass(slots=True)
class _Columns:
    """Reads the columns as rows of the turned table."""

    sheet: Sheet
    kinds: Sequence[Role]
    names: Sequence[str]
    bases: Sequence[int | None]
    leftovers: Leftovers
    named: bool
    """Whether the models' names say which is the baseline."""

    def read(self) -> list[CardScores]:
        """One row for each column of scores, and one for each stated column that belongs to no single one."""
        rows: dict[int, CardScores] = {}
        groups: dict[str, int] = {}
        for at, role in enumerate(self.kinds):
            top = self.sheet.tops[at]
            group = groups.setdefault(top, len(groups))
            self._left(at)
            if role == "score":
                rows[at] = self._row(at, group)
            elif role in STATED and role != "speedup" and (found := self._stated(at)):
                nothing = (None,) * len(self.names)
                rows[at] = CardScores(self.sheet.head[at], top, group, "recovery", nothing, found)
        for at in [one for one in rows if self.kinds[one] != "score"]:
            owner = self._owner(at, {one: row for one, row in rows.items() if self.kinds[one] == "score"})
            if owner is not None:
                rows[owner] = replace(rows[owner], stated=(*rows[owner].stated, *rows.pop(at).stated))
        return _weighted(list(rows.values()))

    def _owner(self, at: int, scores: Mapping[int, CardScores]) -> int | None:
        """The column of scores that a stated column is about: the one that it names, or the one before it.

        None for one behind several tasks, which may be about all of them.
        """
        alike = [one for one, role in enumerate(self.kinds) if role == self.kinds[at]]
        trailing = not scores or alike[0] > max(scores)
        told = set(_WORDS.findall(words.DIFFERENCE.sub(" ", words.RECOVERY.sub(" ", self.sheet.head[at].lower()))))
        named = [one for one in scores if told and told <= set(_WORDS.findall(self.sheet.head[one].lower()))]
        if len(named) == 1:
            return named[0]
        if trailing and len(alike) == len(scores) > 1:
            return list(scores)[alike.index(at)]
        before = [one for one in scores if one < at]
        if not before:
            return None
        several = trailing and len(scores) > 1 and scores[before[-1]].kind == "task" and self.kinds[at] != "aside"
        return None if several and (self.kinds[at] != "recovery" or len(alike) == 1) else before[-1]

    def _row(self, at: int, group: int) -> CardScores:
        name = self.sheet.head[at] or f"column {at + 1}"
        sureness = average_in(name, self.sheet.tops[at])
        kind: RowKind = "task" if sureness == "no" else "average"
        cells = self.sheet.column(at)
        stated: list[Stated] = []
        for model, cell in enumerate(cells):
            stated += beside(cell, CellSpot(model, self.bases[model], self.names[model], name), self.leftovers)
        better = words.better(name, self.sheet.tops[at], self.sheet.caption)
        return CardScores(
            name,
            "",
            group,
            kind,
            tuple(cell.figure for cell in cells),
            tuple(stated),
            counted_of(cells),
            better,
            sureness == "yes",
            weight_in(name),
        )

    def _stated(self, at: int) -> tuple[Stated, ...]:
        kind = stated_kind(self.kinds[at])
        name = self.sheet.head[at]
        found: list[Stated] = []
        of_another = self._is_of_another(at, kind)
        for model, cell in enumerate(self.sheet.column(at)):
            base = self._base(name, model)
            figure = cell.directed if kind == "difference" else cell.figure
            if figure is None:
                continue
            if of_another or (base is None and figure.value not in ITSELF[kind]):
                self.leftovers.add(self.names[model], name, figure.text, beside_cells.STRAY)
                continue
            own = model if base is None else base
            place = f"{name if kind == 'aside' else kind} of {self.names[model]}"
            found.append(Stated(kind, model, own, figure, name, place))
            found += beside(cell, CellSpot(model, own, self.names[model], name), self.leftovers)
        return tuple(found)

    def _base(self, heading: str, model: int) -> int | None:
        """The model with which a column compares a row: the one that its heading names, else the row's baseline."""
        base = models.referred(heading, self.names, self.bases[model])
        return None if base == model else base

    def _is_of_another(self, at: int, kind: StatedKind) -> bool:
        """Whether a column compares with a model that has no row: the one that was guessed is not its own baseline."""
        firsts = [self.sheet.lines[model].cells[at].figure for model, base in enumerate(self.bases) if base is None]
        return not self.named and kind == "recovery" and any(one and one.value not in ITSELF[kind] for one in firsts)

    def compared(self, rows: list[CardScores], line: Line, above: int) -> list[CardScores]:
        """The rows with what a line under the models says of the one above it, of each task."""
        label = next(cell.text for cell in line.cells if cell.text)
        kind: StatedKind = "recovery" if words.is_recovery(label) else "difference"
        columns = [at for at, role in enumerate(self.kinds) if role == "score"]
        by_name = {self.sheet.head[at] or f"column {at + 1}": at for at in columns}
        base = self.bases[above]
        found = []
        for row in rows:
            at = by_name.get(row.label)
            figure = None if at is None else line.cells[at].directed if kind == "difference" else line.cells[at].figure
            if figure is not None and base is None:
                self.leftovers.add(label, row.label, figure.text, beside_cells.STRAY)
            elif figure is not None and base is not None:
                one = Stated(kind, above, base, figure, label, f"{kind} of {self.names[above]}")
                row = replace(row, stated=(*row.stated, one))  # noqa: PLW2901 - the row with what is stated of it
            found.append(row)
        return found

    def _left(self, at: int) -> None:
        role, name = self.kinds[at], self.sheet.head[at] or f"column {at + 1}"
        for model, cell in enumerate(self.sheet.column(at)):
            if role in {"label", "n", "quantity"} or (role == "words" and not cell.unread):
                continue
            if cell.unread and (role != "words" or self.sheet.is_numeric(at)):
                self.leftovers.add(self.names[model], name, cell.text, beside_cells.SEVERAL)
            elif cell.figure and role == "error":
                self.leftovers.add(self.names[model], name, cell.figure.text, beside_cells.ERROR)
            for error in cell.errors:
                self.leftovers.add(self.names[model], name, error, beside_cells.ERROR)
