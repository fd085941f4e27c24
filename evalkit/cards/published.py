"""The nouns of a published card: tables of accuracy and of cost, every figure as it was printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from evalkit.cards.figures import Printed

RowKind: TypeAlias = Literal["task", "average", "recovery"]
Stream: TypeAlias = Literal["single-stream", "multi-stream"]


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """One line of an accuracy table."""

    label: str
    category: str
    group: int
    """Rows that belong under one average share it."""
    kind: RowKind
    scores: tuple[Printed | None, ...]
    """By model, the baseline first."""
    recoveries: tuple[Printed | None, ...]
    """By candidate."""
    n: int | None = None
    """How many samples the scores come from, where the card says so."""

    @property
    def name(self) -> str:
        """Category and label."""
        return f"{self.category}: {self.label}" if self.category and self.category != self.label else self.label


@dataclass(frozen=True, slots=True)
class AccuracyTable:
    """Scores of a baseline and its candidates."""

    place: str
    models: tuple[str, ...]
    """The baseline first; one model alone where there is nothing to recover."""
    rows: tuple[AccuracyRow, ...]
    by_category: bool = False
    """Whether the table has a column that groups its rows."""


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one model does on one kind of hardware."""

    hardware: str
    model: str
    ratio: Printed | None
    """"Average Cost Reduction": how many times less a query costs than with the baseline."""
    measured: tuple[Printed | None, ...]
    """Latency in seconds or queries per second, by use case."""
    per_dollar: tuple[Printed | None, ...]
    """Queries per dollar, by use case."""

    @property
    def name(self) -> str:
        """Hardware and model."""
        return ", ".join(part for part in (self.hardware, self.model) if part)


@dataclass(frozen=True, slots=True)
class CostTable:
    """Queries per dollar by hardware and model."""

    place: str
    stream: Stream | None
    """single-stream: ``measured`` are latencies; multi-stream: queries per second; None: neither is printed."""
    uses: tuple[str, ...]
    rows: tuple[CostRow, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """What of a card can be audited, and what was passed over."""

    accuracy: tuple[AccuracyTable, ...]
    costs: tuple[CostTable, ...]
    notices: tuple[str, ...] = ()
