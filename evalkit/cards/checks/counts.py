"""Which scores a count of right answers can give: k of n, or k of n times the number of seeds or attempts."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING

from evalkit.cards.checks.figure import AuditFinding, doubt
from evalkit.cards.checks.wholes import wholes
from evalkit.cards.figures import Range
from evalkit.cards.sizes import best_of, runs_in, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import AccuracyTable, CardScores

_RUNS = (*range(1, 17), 20, 24, 25, 32, 48, 50, 64, 100, 128, 200)
_REPEATS = {"accuracy": (1,), "seeds": _RUNS, "attempts": _RUNS}
"""Runs of all items, or attempts at each, of which a score may be the mean, by kind of metric."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What counts a printed score allows."""

    n: int
    source: str
    possible: range
    """The counts of right answers that print as the score does; of one run, or of all that the name tells."""
    repeats: int
    """Of how many runs the score is the mean, where its name says so; else 1."""
    seeds: int
    """The fewest runs of which the score can be the mean; 0 where no number that was tried can."""
    nearest: tuple[tuple[str, int], ...]
    """Printed scores and counts on both sides, of one run."""
    cut: int | None = None
    """The count that gives the score when its further digits are cut off instead of rounded."""

    @property
    def of(self) -> str:
        """What is counted: samples, or samples in every run."""
        return f"{self.n:,}" if self.repeats == 1 else f"{self.n * self.repeats:,} ({self.n:,} in {self.repeats} runs)"

    @property
    def words(self) -> str:
        """The nearest scores that a count gives."""
        near = " and ".join(f"{text} ({k:,})" for text, k in self.nearest)
        cut = "" if self.cut is None else f"; {self.cut:,} gives it when digits are cut off instead of rounded"
        return f"the nearest that do are {near}{cut}"


def counts(table: AccuracyTable, row: CardScores, model: int, printed: Printed) -> Counts | None:
    """What counts give a score; None where the metric is no count, or its number of samples is not known.

    Of a score that may be a percentage or a share it is the first of the two that a count gives.
    """
    size = size_of(row.label, row.category)
    repeats = _REPEATS.get(size.kind) if size is not None else None
    if repeats is None or size is None or row.kind != "task" or row.better == "lower" or best_of(row.label) > 1:
        return None
    if told_runs := runs_in(row.label):
        repeats = (told_runs,)
    told = row.n(model)
    source = "the card" if told else f"{size.source}: {size.n:,} {size.what}"
    found = [
        one
        for whole in wholes(table, row, (printed,))
        if (one := _counted(told or size.n, repeats, source, printed, whole)) is not None
    ]
    return next((one for one in found if one.seeds), found[0] if found else None)


@lru_cache(maxsize=8192)
def _counted(n: int, repeats: tuple[int, ...], source: str, printed: Printed, whole: int) -> Counts | None:
    if not 0 <= printed.value <= whole:
        return None
    told = repeats[0] if len(repeats) == 1 else 1
    total = n * told
    found = _among(printed.range, total, whole)
    seeds = next((runs for runs in repeats if _among(printed.range, n * runs, whole)), 0)
    below = floor(printed.value * total / whole)
    near = [k for k in (below, below + 1) if k <= total]
    nearest = tuple((f"{float(Fraction(whole * k, total)):.{printed.decimals}f}", k) for k in near)
    above = Range(printed.value, printed.value + 2 * printed.half_unit)
    cut = next(iter(_among(above, total, whole)), None) if not found else None
    return Counts(n, source, found, told, seeds, nearest, cut)


def _among(bounds: Range, n: int, whole: int) -> range:
    low = -(-bounds.low.numerator * n // (bounds.low.denominator * whole))
    high = bounds.high.numerator * n // (bounds.high.denominator * whole)
    return range(max(low, 0), min(high, n) + 1)


def impossible(table: AccuracyTable) -> Iterator[AuditFinding]:
    """Every score that no count can give, with the nearest ones that can; one finding where no score of a row can."""
    for row in table.rows:
        found = [
            (model, score, one)
            for model, score in enumerate(row.scores)
            if score and (one := counts(table, row, model, score))
        ]
        wrong = [(model, score, one) for model, score, one in found if not one.seeds]
        if len(wrong) > 1 and len(wrong) == len(found):
            texts = ", ".join(score.text for _, score, _ in wrong)
            near = "; ".join(f"of {score.text} {one.words}" for _, score, one in wrong[:4])
            because = (
                f"no count of {wrong[0][2].of} gives any of them: another number of samples, a mean of several runs "
                f"or of groups, or digits cut off ({near}) [{wrong[0][2].source}]"
            )
            place = (row.name, "all models") if not table.turned else ("all models", row.label)
            yield doubt("count", (table.place, *place), texts, because)
            continue
        for model, score, one in wrong:
            because = f"no count of {one.of} gives it; {one.words} [{one.source}]"
            place = (row.name, table.models[model]) if not table.turned else (table.models[model], row.label)
            yield doubt("count", (table.place, *place), score.text, because)


@dataclass(frozen=True, slots=True)
class Count:
    """Which counts of right answers a printed score allows."""

    table: str
    row: str
    model: str
    printed: str
    n: int
    least: int | None
    most: int | None
    """None where no count of one run gives the score."""
    runs: int
    """The fewest runs of which it can be the mean; 0 where none of those tried can."""


def possible(table: AccuracyTable) -> Iterator[Count]:
    """The counts of every score whose metric is one."""
    for row in table.rows:
        for model, score in enumerate(row.scores):
            one = counts(table, row, model, score) if score is not None else None
            if score is None or one is None:
                continue
            least, most = (one.possible[0], one.possible[-1]) if one.possible else (None, None)
            yield Count(table.place, row.name, table.models[model], score.text, one.n, least, most, one.seeds)
