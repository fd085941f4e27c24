"""``results.json``: the numbers of a run, for programs, and nothing in it that a rerun would change.

A field that a file may lack has a default: an earlier evalkit wrote the file, or somebody by hand. What it does not
tell is empty or None (`LATER`), never made up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from evalkit.base import codec
from evalkit.base.codec import LATER, UNSAID, Count, Items, Share
from evalkit.base.identity import decoded
from evalkit.base.types import Dialect, Engine, ImageHandling, Json
from evalkit.base.verdicts import Kind
from evalkit.config.policy import Policy
from evalkit.records.figures import (
    Ends,
    StatedComparison,
    StatedDrift,
    StatedJudgement,
    StatedJudgementOfAverage,
    StatedNoiseFloor,
    StatedOwnCard,
    StatedPublished,
    StatedScore,
)

FORMAT: Literal[2] = 2
"""The version of the format; a change that a reader of its keys could trip over raises it."""
_UNTOLD = Engine("", "", "")
ExitNumber: TypeAlias = Literal[0, 1, 3, 4, 5]
"""What a run can end with that has a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFinding:
    """What one candidate comes to, or the baseline where it is alone."""

    kind: Kind
    """The outcome of this candidate."""
    exit_code: ExitNumber
    """The exit code that it alone would have."""
    sentence: str
    """Its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOutcome:
    """What a run comes to."""

    kind: Kind
    """The outcome of the worst candidate."""
    exit_code: ExitNumber
    """The exit code of the run."""
    lines: Annotated[tuple[str, ...], Items(least=1)]
    """One for each candidate, the worst first."""
    candidates: Mapping[str, StatedFinding]
    """By label; the baseline's where it is alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswers:
    """For a server that evalkit did not start: what the answers in the store were worth."""

    how: Literal["own", "vouched", "compared", "afresh"]
    """Own to this run, vouched for by --endpoint-is, compared with new ones, or asked afresh."""
    revision: str = ""
    """What --endpoint-is said."""
    asked: Count = 0
    """Stored answers that were asked again."""
    same: Count = 0
    """Of these, how many came back the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCheckpoint:
    """What a model's files say; null in the model when they are not on the machine."""

    scheme: str
    """Such as W8A8."""
    quantized: bool
    """Whether any layer is stored quantized."""
    weight_bytes: Count | None
    """The size of the weights."""
    dtypes: Mapping[str, Count]
    """By storage type, its bytes."""
    quantized_layers: Mapping[str, Count]
    """By part of the model, its layers that are stored quantized."""
    ignored: tuple[str, ...]
    """Layers that the quantization left out, as the configuration names them."""
    dtype: str | None
    """What the configuration says."""
    files: Mapping[str, str | None]
    """By file that steers answers, the digest of what it says, or null when the model has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedModel:
    """The baseline or a candidate, as it was served."""

    stored_answers: StoredAnswers | None = field(default=None, metadata=UNSAID)
    """For a server that evalkit did not start: what the answers in the store were worth."""
    source: str = ""
    """The folder or hub id."""
    digest: str = ""
    """Identity of its weights and files: a hub commit, or a sha256 over a folder."""
    engine: Engine = _UNTOLD
    """What served the model."""
    checkpoint: StatedCheckpoint | None = None
    """Null where the model's files are not on the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedDifference:
    """Something that was not the same on both sides."""

    key: str
    """The item that differs, as --accept-difference names it."""
    what: str
    """What it was on either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedComparability:
    """What has to be equal on both sides of one task, and whether it is."""

    settings: Mapping[str, Mapping[str, Json]]
    """By model label: item to what it was."""
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model label: items that could not be known."""
    differences: Mapping[str, tuple[StatedDifference, ...]] = field(default_factory=dict)
    """By candidate label."""
    accepted: tuple[str, ...] = ()
    """Keys of differences that were accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedTask:
    """A row of the table: one task."""

    task: str
    """The task's name."""
    title: str = ""
    """The row of the table."""
    category: str = ""
    """What it is averaged with."""
    metric: str = ""
    """The headline metric."""
    dialect: Dialect | None = field(default=None, metadata=LATER)
    """Whose reading of the metrics."""
    images: ImageHandling | None = field(default=None, metadata=LATER)
    """Whether JPEGs were sent as the published tool does, or as stored."""
    planned: Count = 0
    """Samples that were to be asked."""
    available: Count | None = field(default=None, metadata=LATER)
    """Samples in the split; more than planned where --limit was set."""
    drawn: bool | None = field(default=None, metadata=LATER)
    """Whether the planned samples are a random part of the split."""
    smoke: bool | None = field(default=None, metadata=LATER)
    """Whether only the first samples in stored order were asked; then there is no verdict."""
    revision: str = ""
    """Of the data."""
    scores: Mapping[str, StatedScore] = field(default_factory=dict)
    """By model label, the baseline included."""
    recovery: Mapping[str, StatedJudgement] = field(default_factory=dict)
    """By candidate label."""
    comparability: StatedComparability | None = field(default=None, metadata=LATER)
    """Whether the models were asked alike."""
    drift: Mapping[str, StatedDrift] = field(default_factory=dict)
    """By candidate label."""
    published: Mapping[str, StatedPublished] = field(default_factory=dict)
    """By candidate label."""
    own_card: StatedOwnCard | None = None
    """What was published of the baseline itself beside its score here, with that score's 95 % interval; null where
    nothing was."""
    noise_floor: StatedNoiseFloor | None = None
    """What changed when nothing changed; null where nothing was asked twice."""
    groups: Mapping[str, Mapping[str, StatedComparison]] = field(default_factory=dict)
    """By candidate label, then by group of samples, such as a subject."""
    exams: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """By model label: how it was asked, in the words of the task's harness."""
    checks: Mapping[str, Json] = field(default_factory=dict)
    """How a checker judged the answers; empty when the metrics do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedAverage:
    """A row of the table: the average of a category's tasks."""

    category: str
    """The category."""
    baseline: Share | None = None
    """The baseline's mean over its tasks."""
    recovery: Mapping[str, StatedJudgementOfAverage] = field(default_factory=dict)
    """By candidate label."""
    published: Mapping[str, StatedPublished] = field(default_factory=dict)
    """By candidate label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedImported:
    """A row of the table that is made of answers from elsewhere; it is part of no average."""

    task: str
    """The name that the run gave it."""
    metric: str
    """The one that counts, as the files name it."""
    sources: Mapping[str, str]
    """By model label, what made the answers and where they were read."""
    scores: Mapping[str, Share | None]
    """By model label, the mean over all its samples."""
    recovery: Mapping[str, StatedJudgement]
    """By candidate label."""
    comparability: StatedComparability
    """Whether the models were asked alike, as far as the files tell."""
    unknown: tuple[str, ...]
    """Items that are known of the run's own rows and that these files do not tell."""
    models: Mapping[str, str]
    """By model label, the model as its file names it, where that is another name than the run's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedAboveChanceTask:
    """Baseline's and candidate's score of one task, over their pairs."""

    raw: tuple[Share, Share]
    """As they are."""
    above_chance: tuple[Share, Share]
    """From chance, 0, to all right, 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedAboveChance:
    """A candidate's average of scores above chance beside the baseline's."""

    tasks: Mapping[str, StatedAboveChanceTask]
    """By title."""
    baseline: Share
    """The baseline's average."""
    candidate: Share
    """The candidate's."""
    recovery_percent: float | None
    """The candidate's average over the baseline's."""
    interval: Ends | None
    """95 %, for questions like these."""
    reason: str | None
    """Why there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedNormalised:
    """The average of scores above chance that the publishers of the run's suite define. No verdict hangs on it."""

    title: str
    """What it is called."""
    source: str
    """Where it is defined."""
    candidates: Mapping[str, StatedAboveChance]
    """By label."""
    missing: Mapping[str, str]
    """Label of each candidate that has none to the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The numbers of a run.

    Scores are between 0 and 1, recoveries and their intervals in percent, all unrounded; null where something is
    undefined or was not judged. A change that a reader of these keys could trip over raises schema_version.
    """

    outcome: StatedOutcome | None = field(default=None, metadata=LATER)
    """What the run comes to, as every rendering says it first and the exit code repeats it."""
    schema_version: Literal[2] | None = field(default=None, metadata=LATER)
    """The version of this format."""
    smoke: bool = False
    """Whether of any task only the first samples in stored order were asked."""
    baseline: str
    """The baseline's label."""
    candidates: Annotated[tuple[str, ...], Items(unique=True)]
    """Labels, in the order of the command."""
    policy: Policy = field(default_factory=Policy)
    """What the candidates had to hold."""
    models: Mapping[str, StatedModel] = field(default_factory=dict)
    """By label."""
    tasks: tuple[StatedTask, ...] = ()
    """In the order of the table."""
    averages: tuple[StatedAverage, ...] = ()
    """Of categories with several tasks."""
    imported: tuple[StatedImported, ...] = ()
    """Rows that are made of answers from elsewhere."""
    normalised: StatedNormalised | None = field(default=None, metadata=UNSAID)
    """The average of scores above chance, where the suite has one."""
    doubts: tuple[str, ...] = ()
    """What speaks against the baseline as a measure: it is not what its own card says, or a candidate is too much
    better."""
    warnings: tuple[str, ...] = ()
    """Models that could not be served (missing: ...), and what the models' files say against the comparison being
    what it claims to be."""

    @property
    def labels(self) -> tuple[str, ...]:
        """All models, the baseline first."""
        return self.baseline, *self.candidates

    def task(self, name: str) -> StatedTask | None:
        """The row of a task."""
        return next((row for row in self.tasks if row.task == name), None)


def read(text: str) -> Results:
    """The results in the text of a file, of this evalkit or an earlier one.

    Raises:
        ValueError: It is no JSON, or something is missing or of another type; the message tells all of it.
    """
    found: Results = codec.kept(Results, decoded(text))
    return found
