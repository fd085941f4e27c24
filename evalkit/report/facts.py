"""What a report holds: everything that a rendering needs, and nothing rendered.

Equal reports render to equal bytes. Scores are between 0 and 1, recoveries in percent, both unrounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from evalkit.base.printable import part_of
from evalkit.comparison.outcome import outcome
from evalkit.config.policy import Policy
from evalkit.records.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.scores import TaskScore
    from evalkit.base.told import AskedWords
    from evalkit.base.types import Json, Task
    from evalkit.cards import Beside
    from evalkit.comparison.drift import Change
    from evalkit.comparison.outcome import RunOutcome
    from evalkit.comparison.pairs import Comparison, Difference
    from evalkit.comparison.speed import Speed
    from evalkit.comparison.verdict import Judgement
    from evalkit.perf.outcome import PerfResult
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.plan import Plan, PlannedTask
    from evalkit.stats import Flips, RecoveryInterval

AVERAGE = "Average Score"
"""The published name of the average row."""


class HarnessWords(Protocol):
    """What a report has from the harness of a task."""

    def pictures(self, task: Task) -> tuple[str, ...]:
        """Columns of a task's data that hold pictures."""

    def parts_alike(self, task: Task) -> bool:
        """Whether each part of a task counts alike in its headline."""

    def task_words(self, task: Task) -> tuple[str, ...]:
        """What is to be said of the task itself."""

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """How facts of asking read, as the run has kept them."""

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """How facts of judging read, as the run has kept them."""


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of a published table beside the one that was measured."""

    source: str
    """Where it was published."""
    title: str
    """As the published table names its row."""
    baseline: str
    """The published scores as they are printed, in percent."""
    candidate: str
    beside: Beside
    """The published recovery and where it lies, seen from the measured interval."""


@dataclass(frozen=True, slots=True)
class OwnCard:
    """The baseline's score beside what was published of it. Scores are from 0 to 1."""

    source: str
    """Where it was published."""
    printed: str
    """As it is printed there."""
    measured: float | None
    """On all that it answered."""
    low: float | None
    """95 % interval of that score."""
    high: float | None
    outside: bool
    """Whether no number that rounds to the published one is in the interval."""


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """What changes when nothing changed: the baseline asked twice on the same samples."""

    samples: int
    """Of the task that were asked twice."""
    itself: Flips
    """The baseline's second answers beside its first ones."""
    candidates: Mapping[str, Flips]
    """Every candidate beside the baseline's first answers, on the same samples, by label."""


@dataclass(frozen=True, slots=True)
class Comparability:
    """What has to be equal on both sides of one task, and whether it is."""

    settings: Mapping[str, Mapping[str, Json]]
    """Model label -> item -> what it was; items that are unknown for a model are left out."""
    unknown: Mapping[str, tuple[str, ...]]
    """Model label -> items that could not be known, as for a server that evalkit did not start."""
    differences: Mapping[str, tuple[Difference, ...]]
    """Candidate label -> everything that differs from the baseline, whether it was accepted or not."""
    accepted: tuple[str, ...] = ()
    """Items that the user declared intended to differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """One task: every model's score, and every candidate's comparison with its verdict."""

    part: PlannedTask
    scores: Mapping[str, TaskScore]
    """By model label, the baseline first: each model on all that it answered."""
    judgements: Mapping[str, Judgement]
    """By candidate label; ``judgement.comparison`` holds the paired scores, the recovery and its interval."""
    comparability: Comparability
    drift: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    """By candidate label: how its answers came out beside the baseline's."""
    published: Mapping[str, Published] = field(default_factory=dict)
    """By candidate label, where a published table has this very pair."""
    noise: NoiseFloor | None = None
    """None unless the baseline was asked twice."""
    groups: Mapping[str, Mapping[str, Comparison]] = field(default_factory=dict)
    """Candidate label -> group of samples (such as a subject) -> its comparison; the widest groups first, among
    equally wide ones the lowest recovery."""
    asked: Mapping[str, AskedWords] = field(default_factory=dict)
    """Model label -> how it was asked, in the words of the task's harness."""
    judged: tuple[str, ...] = ()
    """What the task's harness says of the task, and how a checker judged the answers."""
    pictures: bool = False
    """Whether the task shows any."""
    exams: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Model label -> the same as the run keeps it."""
    checks: Mapping[str, Json] = field(default_factory=dict)
    """How a checker judged the answers, as the run keeps it; empty when the metrics do."""
    own_card: OwnCard | None = None
    """Where something was published of the baseline itself."""
    speed: Mapping[str, Speed] = field(default_factory=dict)
    """By model label, where it has answers. Not in ``results.json``: asking again would change it."""


@dataclass(frozen=True, slots=True)
class Average:
    """The average row of one category."""

    category: str
    baseline: float | None
    """Mean of the baseline's own task scores; None when a task has none."""
    judgements: Mapping[str, Judgement]
    """By candidate label."""
    published: Mapping[str, Published] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AboveChance:
    """A candidate's average of scores above chance beside the baseline's; scores are from 0 to 1."""

    tasks: Mapping[str, tuple[tuple[float, float], tuple[float, float]]]
    """Title of each task to the scores of both as they are, and above chance."""
    baseline: float
    candidate: float
    recovery: RecoveryInterval


@dataclass(frozen=True, slots=True)
class Normalised:
    """The average of scores above chance that a suite's publishers define."""

    title: str
    source: str
    """Where it is defined."""
    candidates: Mapping[str, AboveChance]
    """By label."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Label of each candidate that has none to the reason."""


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """One task that the models answered elsewhere: nothing of it was asked by this run."""

    task: str
    metric: str
    sources: Mapping[str, str]
    """Model label -> what made its answers, and where they were read."""
    scores: Mapping[str, float | None]
    """Model label -> mean over all its samples, 0-1."""
    judgements: Mapping[str, Judgement]
    """By candidate label."""
    comparability: Comparability
    """As far as the files tell."""
    unknown: tuple[str, ...] = ()
    """What is known of the rows that this run asked and not of these files."""
    named: Mapping[str, str] = field(default_factory=dict)
    """Model label -> the model as its file names it, where that is another name than this run's."""

    @property
    def title(self) -> str:
        """As every table names the row."""
        return f"{self.task} (imported)"


IMPORTED = "Imported"
"""The row group of what was made elsewhere."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a rendering needs."""

    plan: Plan
    rows: tuple[Row, ...]
    averages: tuple[Average, ...]
    imported: tuple[ImportedRow, ...] = ()
    """What was made elsewhere; part of no average."""
    normalised: Normalised | None = None
    """The suite's average of scores above chance."""
    policy: Policy = field(default_factory=Policy)
    """What the verdicts were asked of."""
    notices: tuple[str, ...] = ()
    provenance: Provenance = field(default_factory=Provenance)
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    """Model label to what its files say; a model whose files are not on this machine is left out."""
    warnings: tuple[str, ...] = ()
    """What the files say against the comparison being what it claims to be."""
    doubts: tuple[str, ...] = ()
    """What speaks against the baseline as a measure."""
    performance: PerfResult | None = None
    """What the same checkpoints take and cost, where that was measured."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Label of each model that did not answer everything to a sentence with the reason: it could not be served."""

    @property
    def baseline(self) -> str:
        """The baseline's label."""
        return self.plan.baseline.model.label

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates' labels."""
        return tuple(one.model.label for one in self.plan.candidates)

    @property
    def stopped(self) -> tuple[str, ...]:
        """Titles of the tasks that were not asked to their end, because a look had decided."""
        looked = [row for row in self.rows if any(one.comparison.look for one in row.judgements.values())]
        return tuple(row.part.task.title for row in looked)

    @property
    def outcome(self) -> RunOutcome:
        """What the run comes to, as every rendering says it first and the exit code repeats it."""
        rows = {label: self.rows_of(label) for label in self.candidates} or {self.baseline: []}
        missing = {
            label: [text for other, text in self.missing.items() if other in {self.baseline, label}] for label in rows
        }
        unanswered = {label: list(self._unanswered({self.baseline, label})) for label in rows}
        return outcome(rows, missing=missing, unanswered=unanswered)

    def _unanswered(self, labels: set[str]) -> Iterator[str]:
        """Where models of these labels lost more answers than the policy allows."""
        for row in self.rows:
            for label, score in row.scores.items():
                if label in labels and score.failed > self.policy.max_failed * score.planned:
                    lost = f"{part_of(score.failed, score.planned, 'sample', ('has', 'have'))} no answer"
                    yield f"{row.part.task.title}, {label}: {lost}"

    @property
    def incomplete(self) -> bool:
        """Whether any planned sample of any model has no answer."""
        return any(score.failed for row in self.rows for score in row.scores.values())

    @property
    def compared(self) -> Iterator[Row | ImportedRow]:
        """Every task, asked by this run or imported."""
        yield from self.rows
        yield from self.imported

    def rows_of(self, label: str) -> list[Judgement]:
        """Every average, task and imported task of one candidate."""
        return [*(one.judgements[label] for one in self.averages), *(row.judgements[label] for row in self.compared)]

    @property
    def judgements(self) -> Iterator[Judgement]:
        """Of every task, average and imported task, of every candidate."""
        for average in self.averages:
            yield from average.judgements.values()
        for row in self.compared:
            yield from row.judgements.values()
