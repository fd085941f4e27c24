"""Answers that were made elsewhere, as a run keeps them: its report is made again without the files that held them."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field

from evalkit.base.types import Json  # noqa: TC001 - the codec reads the annotations


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSide:
    """What a file says of one model on one task."""

    source: str
    """The file or folder, as the user named it."""
    format: str
    """What made it, such as lm-eval."""
    model: str = ""
    """The model as the file names it; empty where it does not."""
    scores: Mapping[str, float]
    """By sample id, 0-1; several attempts are averaged already."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """By sample id, how many answers the score is the average of, where that is not one."""
    clusters: Mapping[str, str] = field(default_factory=dict)
    """By sample id, what it hangs together with."""
    strata: Mapping[str, str] = field(default_factory=dict)
    """By sample id, the fixed group that it belongs to; also of samples without a score, where the file tells."""
    said: Mapping[str, str] = field(default_factory=dict)
    """By sample id, the digest of what was answered."""
    failed: tuple[str, ...] = ()
    """Samples without a score."""
    left_out: tuple[str, ...] = ()
    """Samples whose references are at fault."""
    planned: int = 0
    """How many samples were to be answered, where that is known beyond those."""
    available: int | None = None
    """How many samples the task has; null where that is not known."""
    smoke: bool = False
    """Whether only the first samples were asked."""
    drawn: bool = False
    """Whether its samples are a random part of the task's."""
    several: int = 1
    """How often each sample was asked."""
    lost_attempts: int = 0
    """Of several attempts, those without a score."""
    asked_attempts: int = 0
    """Of several attempts, all."""
    content: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By sample id, digests of what was asked, where the file tells."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """How it was asked and scored, as far as the file tells."""
    cautions: tuple[str, ...] = ()
    """What a reader should hold against these scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTask:
    """One task that the models answered elsewhere."""

    task: str
    """Its name in this run's report."""
    baseline: ImportedSide
    candidates: Mapping[str, ImportedSide]
    """By candidate label."""
