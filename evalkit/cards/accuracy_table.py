"""What a table of accuracy means: which columns are scores and recoveries, which rows are averages of which."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from evalkit.cards import figures
from evalkit.cards.published import AccuracyRow, AccuracyTable
from evalkit.cards.sizes import size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.cards.published import RowKind

Head: TypeAlias = "Sequence[str]"
Body: TypeAlias = "Sequence[Sequence[str]]"

_RECOVERY = re.compile(r"\brecover", re.IGNORECASE)
_AVERAGE = re.compile(r"\b(?:average|avg)\b|^(?:overall )?mean(?: score| accuracy)?$", re.IGNORECASE)
_NOT_SCORES = re.compile(
    r"Δ|±|\b(?:delta|diff\w*|change|degradation|drop|std\w*|version|shots?|samples|size|questions|filter|n)\b",
    re.IGNORECASE,
)
_SIZE = re.compile(r"n|(?:number of )?(?:samples|questions|pairs)", re.IGNORECASE)
"""What a column is called that says how many samples the scores of a row come from."""
_NO_SCORE = re.compile(
    r"\b(?:unparsed|unreadable|truncated|cut short|empty|another field|tokens|latency|throughput|memory|size|parameters"
    r"|params|seconds|failed|failures|samples|questions|cost|price)\b|\((?:[GMKT]i?B|m?s)\)",
    re.IGNORECASE,
)
"""What a row is called that stands beside scores and is none: a share of answers, a length, a size."""
_MODELS = re.compile(r"(?:models?|checkpoint|variant|precision|quantization|scheme)\b", re.IGNORECASE)
_QUANTIZED = re.compile(r"quanti[sz]ed|w\d{1,2}a\d{1,2}|int[48]|fp8|fp4|gptq|awq|-dynamic|this model", re.IGNORECASE)
_MISSING = re.compile(r"[-\N{EN DASH}\N{EM DASH}?]{1,3}|n/?a|tbd", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column is what."""

    labels: tuple[int, ...]
    scores: tuple[int, ...]
    """By model, the baseline first."""
    recoveries: tuple[int | None, ...]
    """By candidate; None where a candidate has none."""
    size: int | None = None
    """How many samples; None where no column says."""

    @property
    def figures(self) -> list[int]:
        """All columns that hold figures."""
        return [*self.scores, *(column for column in self.recoveries if column is not None)]


def accuracy_tables(place: str, head: Head, body: Body) -> list[AccuracyTable]:
    """The accuracy tables that one table holds: none, one, or one for each baseline."""
    if _lists_models(head, body):
        # Rows are models and columns are tasks: turned round, it is a table like the others.
        head, *body = zip(head, *body, strict=True)
    found = []
    for columns in _pairings(head, body):
        rows = _Rows(columns).read(body)
        aggregated = any(row.kind != "task" for row in rows) or columns.figures != list(columns.scores)
        if rows and (aggregated or any(size_of(row.name) for row in rows)):
            models = tuple(head[column] or f"column {column + 1}" for column in columns.scores)
            found.append(AccuracyTable(place, models, tuple(rows)))
    return found


def _lists_models(head: Head, body: Body) -> bool:
    if len(head) < 3 or not body or not _MODELS.match(head[0]):
        return False
    return any(_AVERAGE.search(name) or _RECOVERY.search(name) or size_of(name) for name in head[1:])


# --- columns ------------------------------------------------------------------------------------


def _pairings(head: Head, body: Body) -> list[_Columns]:
    """The score columns with their recovery columns, one entry for each baseline.

    ``S S R`` is a baseline, a candidate and its recovery; ``S S R S R`` adds a candidate; ``S S R S S R`` is two
    baselines with a candidate each; in ``S S S R R`` the recoveries follow in the candidates' order.
    """
    numeric = [column for column in range(len(head)) if _numbers(row[column] for row in body)]
    recovery = [column for column in numeric if _RECOVERY.search(head[column])]
    scores = [column for column in numeric if column not in recovery and not _NOT_SCORES.search(head[column])]
    if not scores:
        return []
    labels = tuple(column for column in range(scores[0]) if column not in numeric)
    blocks: list[tuple[list[int], list[int]]] = []
    for column in sorted(scores + recovery):
        if column in scores and (not blocks or blocks[-1][1]):
            blocks.append(([], []))
        if blocks:
            blocks[-1][column in recovery].append(column)
    sizes = [column for column in numeric if _SIZE.fullmatch(head[column])]
    if len(blocks) > 1 and all((len(found), len(printed)) == (2, 1) for found, printed in blocks):
        return [replace(_paired(head, labels, *block), size=_size(sizes, block[0])) for block in blocks]
    return [replace(_paired(head, labels, scores, recovery), size=_size(sizes, scores))]


def _size(sizes: Sequence[int], scores: Sequence[int]) -> int | None:
    """The column that says how many samples these scores have: the first after them, or the only one there is."""
    return next((column for column in sizes if column > max(scores)), sizes[-1] if sizes else None)


def _paired(head: Head, labels: tuple[int, ...], scores: list[int], recovery: list[int]) -> _Columns:
    """Baseline first, and each recovery beside its candidate."""
    baseline = next((column for column in scores if not _QUANTIZED.search(head[column])), scores[0])
    candidates = [column for column in scores if column != baseline]
    if len(recovery) == len(candidates):
        return _Columns(labels, (baseline, *candidates), tuple(recovery))
    nearest: dict[int, int] = {}
    for column in recovery:
        before = [candidate for candidate in candidates if candidate < column]
        if before:
            nearest.setdefault(before[-1], column)
    return _Columns(labels, (baseline, *candidates), tuple(nearest.get(candidate) for candidate in candidates))


# --- rows ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Rows:
    """Reads rows from top to bottom; a group is what one average stands for.

    A group ends where the category changes, at a line that spans the table, and, in a table without a category
    column, at an average: after it, or before it where the table begins with one.
    """

    columns: _Columns
    section: str = ""
    sections: int = 0
    category: str = ""
    found: list[AccuracyRow] = field(default_factory=list)
    groups: dict[tuple[int, str], int] = field(default_factory=dict)

    def read(self, body: Body) -> list[AccuracyRow]:
        """The rows that hold figures."""
        for cells in body:
            if _numbers(cells[column] for column in self.columns.figures):
                self._row(cells)
            elif is_title(cells):
                self.section = next(cell for cell in cells if cell)
                self.sections += 1
                self.category = ""
        return self.found

    def _row(self, cells: Sequence[str]) -> None:
        words = [cells[column] for column in self.columns.labels]
        label = " ".join(dict.fromkeys(word for word in (words[1:] or words) if word))
        kind = _kind(label)
        if len(words) > 1:
            own = words[0]
            if _kind(own) != "task":  # "Average" stands where the category does, so it is of none
                kind, label, self.category = _kind(own), " ".join(dict.fromkeys((own, label))).strip(), ""
            elif own:
                self.category = own
            label = label or own
        elif self._ends_group(kind):
            self.sections += 1
        if _NO_SCORE.search(label):
            return
        group = self.groups.setdefault((self.sections, self.category), len(self.groups))
        scores = tuple(figures.read(cells[column]) for column in self.columns.scores)
        recoveries = tuple(None if at is None else figures.read(cells[at]) for at in self.columns.recoveries)
        self.found.append(
            AccuracyRow(label, self.category or self.section, group, kind, scores, recoveries, self._n(cells))
        )

    def _n(self, cells: Sequence[str]) -> int | None:
        """How many samples, where the table says."""
        found = None if self.columns.size is None else figures.read(cells[self.columns.size])
        return int(found.value) if found and found.value >= 1 and not found.decimals else None

    def _ends_group(self, kind: RowKind) -> bool:
        if not self.found:
            return False
        if self.found[0].kind == "average":
            return kind == "average"
        return kind == "task" and self.found[-1].kind != "task"


def _kind(label: str) -> RowKind:
    if _RECOVERY.search(label):
        return "recovery"
    return "average" if _AVERAGE.search(label) else "task"


def is_title(cells: Sequence[str]) -> bool:
    """Whether a row begins with its only text, and has nothing that says "missing" beside it."""
    return (
        bool(cells[0])
        and len({cell for cell in cells if cell}) == 1
        and not any(_MISSING.fullmatch(cell) for cell in cells)
    )


def _numbers(cells: Iterable[str]) -> bool:
    return any(figures.read(cell) for cell in cells)
