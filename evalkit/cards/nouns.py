"""The nouns of a published card: tables of accuracy, of speed and of cost, every figure as it was printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from evalkit.cards.figures import Printed
    from evalkit.stats.cost import Stream

RowKind: TypeAlias = Literal["task", "average", "recovery", "other"]
"""``recovery``: a row of nothing but recoveries. ``other``: a quantity that is no score."""
StatedKind: TypeAlias = Literal["recovery", "difference", "speedup", "aside"]
"""``aside``: a figure beside a score in its cell, of which only the figures can say what it is."""
Better: TypeAlias = Literal["higher", "lower", ""]
"""What is better; empty where the card does not say."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A figure that says how a model's score compares with its baseline's."""

    kind: StatedKind
    model: int
    base: int
    printed: Printed
    column: str
    """What its column, or in a table of models by tasks its row, is called."""
    place: str = ""
    """Name of the cell for a reader."""
    parts: tuple[Printed, ...] = ()
    """Several figures in one bracket."""


@dataclass(frozen=True, slots=True)
class Members:
    """Rows of which another one may be the mean."""

    rows: tuple[int, ...]
    weights: tuple[int, ...] = ()
    """By row, its number of samples; empty for a plain mean."""


@dataclass(frozen=True, slots=True)
class CardScores:
    """One line of an accuracy table."""

    label: str
    category: str
    group: int
    """Rows of one section and category share it."""
    kind: RowKind
    scores: tuple[Printed | None, ...]
    """By model."""
    stated: tuple[Stated, ...] = ()
    sizes: tuple[int | None, ...] = ()
    """By model, how many samples the scores come from, where the card says so."""
    better: Better = ""
    sure: bool = True
    """Of an average: whether its name can mean nothing else."""
    weight: int | None = None
    """How many tasks a row stands for, where its name says so."""
    over: tuple[Members, ...] = ()
    """Of a benchmark whose parts have rows of their own: every way in which it may be their mean."""
    stands_for: bool = False
    """Whether names and places leave no doubt that it is a mean of theirs."""

    @property
    def name(self) -> str:
        """Category and label."""
        return f"{self.category}: {self.label}" if self.category and self.category != self.label else self.label

    def n(self, model: int) -> int | None:
        """How many samples a model's score comes from, where the card says so."""
        return self.sizes[model] if self.sizes else None


@dataclass(frozen=True, slots=True)
class AccuracyTable:
    """Scores of models, and which is compared with which."""

    place: str
    models: tuple[str, ...]
    bases: tuple[int | None, ...]
    """By model, the index of its baseline; None for a baseline, and for a model that is compared with none."""
    rows: tuple[CardScores, ...]
    turned: bool = False
    """Whether models were rows and tasks columns."""
    metrics: bool = False
    """Whether what stands for models are metrics of one model."""
    named: bool = False
    """Whether the models' names, not their order, say which is the baseline."""

    def __hash__(self) -> int:
        return hash((self.place, self.models, len(self.rows)))  # all rows take long, and hardly ever tell more

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Baseline and candidate of every comparison."""
        return [(base, model) for model, base in enumerate(self.bases) if base is not None]


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


SpeedKind: TypeAlias = Literal["speedup", "compression", "saving"]
"""Of times and rates, of sizes, of prices."""


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """What one model does in one setting (hardware, batch), and how many times faster it is said to be."""

    setting: str
    model: str
    measured: tuple[Printed | None, ...]
    speedups: tuple[tuple[str, int, Printed], ...]
    """Heading, how many measured columns stand before it, and figure."""

    @property
    def name(self) -> str:
        """Setting and model."""
        return ", ".join(part for part in (self.setting, self.model) if part)


@dataclass(frozen=True, slots=True)
class SpeedTable:
    """Times and rates with speedups, sizes with compressions, or prices with savings."""

    place: str
    measures: tuple[str, ...]
    better: tuple[Better, ...]
    rows: tuple[SpeedRow, ...]
    kind: SpeedKind = "speedup"


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A figure of a comparison that was not checked, and why."""

    table: str
    row: str
    column: str
    printed: str
    reason: str

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.table, self.row, self.column) if part)
        return f"{where}: {self.reason}"


Bound: TypeAlias = Literal["", "at least", "at most", "up to"]


@dataclass(frozen=True, slots=True)
class PrintedClaim:
    """A sentence with a figure that tables can confirm."""

    line: int
    sentence: str
    kind: Literal["recovery", "average", "drop", "speedup"]
    bound: Bound
    printed: Printed


@dataclass(frozen=True, slots=True)
class Card:
    """What of a card can be audited, and what was passed over."""

    accuracy: tuple[AccuracyTable, ...]
    costs: tuple[CostTable, ...]
    notices: tuple[str, ...] = ()
    speeds: tuple[SpeedTable, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    claims: tuple[PrintedClaim, ...] = ()
    base_model: str = ""
    """The baseline by the card's own head, where the columns have none but "BF16" or "base"."""
