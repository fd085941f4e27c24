"""What is found of answers: scores of samples and of tasks, between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class SampleScore:
    """One scored sample in a comparison: its id, its headline score, and what it hangs together with."""

    id: str
    value: float
    cluster: str | None = None
    """Samples that share it are not independent (several questions on one page)."""
    stratum: str | None = None
    """A fixed group that it belongs to (a subject, a category): what differs between groups is no chance."""
    attempts: int = 1
    """How many answers ``value`` is the average of."""
    said: str | None = None
    """Digest of what was answered, of all attempts; None where that is not known."""


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One model's result on one task. ``planned == scored + failed + left out`` always holds."""

    task: str
    model: str
    planned: int
    scored: int
    failed: int
    score: float | None
    """Mean headline score over the scored samples; None when there is none."""
    metrics: Mapping[str, float | None]
    """Mean of every metric of the task."""
    bounds: tuple[float, float] | None
    """The score if every failed sample were wrong, and if every one were right."""
    failures: Mapping[str, int]
    """Failure kind to count."""
    truncated: int
    """Answers that ended by the token limit (``finish_reason == "length"``)."""
    empty: int
    """Answers without words."""
    unparsed: int
    """Answers in which the headline metric found nothing to read."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """Scoring note to count (why an answer was scored 0 where the published code raises)."""
    mean_completion_tokens: float | None = None
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """Field of the response to the count of answers whose text stood there and not in the content."""
    reasoned: int = 0
    """Answers with reasoning that the server has cut off, whether a text follows it or not."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Fault of the references to the ids of the answered samples that count in no mean because of it."""
