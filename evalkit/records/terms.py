"""What a run's report is judged by: kept with the run, so that the report can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalkit.base.task_parts import NormalisedAverage
from evalkit.base.types import Json
from evalkit.cards import PublishedTable
from evalkit.config.policy import Policy
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.early import KeptLook
from evalkit.records.imported import ImportedTask


@dataclass(frozen=True, slots=True)
class KeptTerms:
    """What a report is judged by; how the tasks were asked and judged is kept beside it."""

    policy: Policy = field(default_factory=Policy)
    accepted: tuple[str, ...] = ()
    """Keys of differences that are intended."""
    averaged: tuple[str, ...] | None = None
    """Categories that get an average row; None for every category with several tasks."""
    normalised: NormalisedAverage | None = None
    """The suite's average of scores above chance."""
    published: tuple[PublishedTable, ...] = ()
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    """By model label."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Model label -> why it did not answer everything: it could not be served, or was given up."""
    imported: tuple[ImportedTask, ...] = ()
    """Tasks that the models answered elsewhere."""


@dataclass(frozen=True, slots=True)
class Terms(KeptTerms):
    """What a report is judged by, and what is known beside the answers."""

    exams: Mapping[str, Mapping[str, Mapping[str, Json]]] = field(default_factory=dict)
    """Model label -> task -> how it was asked."""
    checks: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Task -> how answers were judged."""
    early: Mapping[str, KeptLook] = field(default_factory=dict)
    """Task -> the look at which it was not asked any further."""
