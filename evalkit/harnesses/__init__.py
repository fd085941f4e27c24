"""Harnesses: how each kind of task is held.

The vision tasks are asked as chat by rules of our own (``evalkit.tasks.benchmarks``); two of text through the
libraries whose scores are published, lm-eval and evalplus. Neither library is imported before a run needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.harnesses.harness import (
    Admits,
    Checker,
    Facts,
    ForeignAnswers,
    Harness,
    Questions,
    Reading,
    Served,
    Session,
)
from evalkit.tasks import extensions
from evalkit.tasks.benchmarks import HARNESSED

if TYPE_CHECKING:
    from evalkit.base.types import Groups, Task

__all__ = [
    "Admits",
    "Checker",
    "Facts",
    "ForeignAnswers",
    "Harness",
    "Questions",
    "Reading",
    "Served",
    "Session",
    "groups",
    "harness",
]


def harness(task: Task) -> Harness:
    """The harness of a task's benchmark; of one that nobody knows, the one that asks as chat."""
    own: Harness | None = extensions.harness(task)
    if own is not None:
        return own
    room = HARNESSED.get(task.benchmark)
    # Imported here: each is needed by its own tasks alone.
    if room == "lm_eval":
        from evalkit.harnesses.lm_eval.harness import LmEval  # noqa: PLC0415

        return LmEval()
    if room == "named":
        from evalkit.harnesses.lm_eval.named.harness import NamedTasks  # noqa: PLC0415

        return NamedTasks()
    if room == "evalplus":
        from evalkit.harnesses.evalplus.harness import EvalPlus  # noqa: PLC0415

        return EvalPlus()
    from evalkit.harnesses.chat import Chat  # noqa: PLC0415

    return Chat()


def groups(task: Task) -> Groups:
    """What the groups of a task's samples are, where it does not state it itself."""
    return harness(task).groups(task)
