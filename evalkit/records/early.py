"""What a run keeps of the tasks that it stopped asking before all was asked."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.records.plan import PlannedTask  # noqa: TC001 - the codec reads the annotations


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLook:
    """The look at which a task was not asked any further."""

    part: PlannedTask
    """What had been asked of the task by then, as a listing of its own."""
    number: int
    """Which of the looks it was, from 1."""
    looks: int
    """How many there would have been."""
    known: tuple[float, ...] = ()
    """What each of them knows of the task, rising; empty where the task was looked at together with others."""
    units: int
    """What the whole task has of what is drawn together: pictures, pages, or questions that stand alone."""
