"""One pass over everything that became of a run's samples: each outcome is read once, and each answer scored once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit import harnesses
from evalkit.base.events import Stage
from evalkit.base.printable import part_of
from evalkit.base.types import Failure, FailureKind
from evalkit.comparison.flips import FlipChoice
from evalkit.comparison.score import Tally, scored_alike

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.base.events import Say
    from evalkit.comparison.flips import FlipList
    from evalkit.comparison.score import ScoredRecord
    from evalkit.records.plan import Contender, Plan, PlannedTask
    from evalkit.records.store import Store

    Seen = Callable[[PlannedTask, Sequence[ScoredRecord]], None]
    """Is shown every planned sample of a task with the outcome of each model, the baseline's first."""

_NOT_ASKED: Final = Failure(FailureKind.NOT_ASKED, "the model could not be served, or was given up before")
"""Of a planned sample that was not asked: it has no answer, and a report counts it."""
_TOLD_EVERY: Final = 20_000


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a report is made from."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """By model label and task name."""
    flips: list[FlipList] = field(default_factory=list)
    """Of every task and candidate."""


def gather(plan: Plan, store: Store, say: Say, seen: Seen | None = None) -> Outcomes:
    """Go once through what the store has for a plan.

    Args:
        plan: The run's.
        store: Its answers.
        say: Hears how far it is, where it takes long.
        seen: Whoever else wants to see every sample of the planned tasks.
    """
    found, passing = Outcomes(), _Pass(plan, store, say)
    for part in plan.tasks:
        passing.go(part, plan.contenders, found, seen)
    for part in plan.repeated if plan.repeat is not None else ():
        passing.go(part, [plan.repeat] if plan.repeat else [], found, None)
    return found


@dataclass(slots=True)
class _Pass:
    """How far it is."""

    plan: Plan
    store: Store
    say: Say
    done: int = 0

    def go(self, part: PlannedTask, models: Sequence[Contender], into: Outcomes, seen: Seen | None) -> None:
        """Through one task, as some models were asked it."""
        task, harness = part.task, harnesses.harness(part.task)
        labels = [one.model.label for one in models]
        tallies = [Tally(task, label, harness) for label in labels]
        choices = [FlipChoice(task, label) for label in labels[1:]]
        keys = [one.fingerprint() for one in models]
        for sample, outcomes in self.store.outcomes_of(part.listing, keys, part.checker):
            found = scored_alike(task, sample, [one or _NOT_ASKED for one in outcomes], harness)
            for tally, record in zip(tallies, found, strict=True):
                tally.count(record)
            for choice, record in zip(choices, found[1:], strict=True):
                choice.add(found[0], record)
            if seen is not None:
                seen(part, found)
            self._tell(len(found))
        into.tallies.update({(label, task.name): tally for label, tally in zip(labels, tallies, strict=True)})
        into.flips.extend(choice.list() for choice in choices)

    def _tell(self, count: int) -> None:
        before, self.done = self.done, self.done + count
        if before // _TOLD_EVERY < self.done // _TOLD_EVERY:
            self.say(Stage(f"scoring {part_of(self.done, self.plan.planned, 'outcome')}"))
