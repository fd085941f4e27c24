"""What a run's report is judged by: kept with the run, so that the report can be made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.config.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json
    from evalkit.cards import PublishedTable
    from evalkit.records.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Terms:
    """What a report is judged by, and what is known beside the answers."""

    policy: Policy = field(default_factory=Policy)
    accepted: tuple[str, ...] = ()
    """Keys of differences that are intended."""
    averaged: tuple[str, ...] | None = None
    """Categories that get an average row; None for every category with several tasks."""
    published: tuple[PublishedTable, ...] = ()
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    """By model label."""
    exams: Mapping[str, Mapping[str, Mapping[str, Json]]] = field(default_factory=dict)
    """Model label -> task -> how the exam was held."""
    checks: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Task -> how answers were judged."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Model label -> why it did not answer everything: it could not be served, or was given up."""
