"""One pass over everything that became of a run's samples: each outcome is read once, and each answer scored once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from evalkit import harnesses
from evalkit.base.events import Stage
from evalkit.base.printable import part_of
from evalkit.base.types import Failure, FailureKind
from evalkit.comparison.flips import FlipChoice
from evalkit.comparison.score import Tally, scored_alike
from evalkit.records.kept_passes import Content
from evalkit.runs.kept_pass import PassPlace, PassResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.events import Say
    from evalkit.comparison.flips import FlipList
    from evalkit.comparison.score import ScoredRecord
    from evalkit.records.plan import Contender, Plan, PlannedTask
    from evalkit.records.store import Store

_NOT_ASKED: Final = Failure(FailureKind.NOT_ASKED, "the model could not be served, or was given up before")
"""Of a planned sample that was not asked: it has no answer, and a report counts it."""
_TOLD_EVERY: Final = 20_000


class WritesSamples(Protocol):
    """Whoever writes the sample files while the samples pass by."""

    def add(self, part: PlannedTask, found: Sequence[ScoredRecord], /) -> None:
        """Take a planned sample with the outcome of each model, the baseline's first."""

    def digests(self, task: str, /) -> Mapping[str, str]:
        """Model label to the digest of its file of a task, of those that are in their place."""

    def stand(self, task: str, told: Mapping[str, str], /) -> bool:
        """Whether the files of a task are those with the digests that were ``told``."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a report is made from."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """By model label and task name."""
    flips: list[FlipList] = field(default_factory=list)
    """Of every task and candidate."""
    made: list[tuple[PassPlace, str, PassResult]] = field(default_factory=list)
    """Passes that were made and may be kept, each with its place and the identity of what went into it."""


def gather(plan: Plan, store: Store, say: Say, files: WritesSamples | None = None) -> Outcomes:
    """Go once through what the store has for a plan; not where it knows what that comes to.

    Where it knows what other rows, or other code, came to, the rows are read once more to find that out.

    Args:
        plan: The run's.
        store: Its answers.
        say: Hears how far it is, where it takes long.
        files: Those of the planned tasks' samples, written on the way where they are not there as they would be.
    """
    found, passing = Outcomes(), _Pass(plan, store, say, keeps=files is not None)
    for part in plan.tasks:
        passing.go(part, plan.contenders, found, files)
    for part in plan.repeated if plan.repeat is not None else ():
        passing.go(part, [plan.repeat] if plan.repeat else [], found, None)
    return found


def keep(found: Outcomes, store: Store, files: WritesSamples) -> None:
    """Keep the passes that were made, once their sample files are in their place."""
    for place, content, result in found.made:
        store.keep_pass(place.origin, content, result.bodies(files.digests(place.part.task.name)))


@dataclass(slots=True)
class _Pass:
    """How far it is."""

    plan: Plan
    store: Store
    say: Say
    keeps: bool
    """Whether what a pass comes to is going to be kept."""
    done: int = 0

    def go(self, part: PlannedTask, models: Sequence[Contender], into: Outcomes, files: WritesSamples | None) -> None:
        """Through one task, as some models were asked it."""
        place = PassPlace.of(part, models, harnesses.harness(part.task))
        result = None
        if place is not None and self.store.has_pass(place.origin):
            content = place.content(self.store.content(part.listing, [one.fingerprint() for one in models]))
            result = place.known(self.store, content, lambda told: files is None or files.stand(part.task.name, told))
        if result is None:
            read = Content() if place is not None and self.keeps else None
            result = self._made(part, models, files, read)
            if place is not None and read is not None:
                into.made.append((place, place.content(read), result))
        into.tallies.update({(tally.model, part.task.name): tally for tally in result.tallies})
        into.flips.extend(result.flips)

    def _made(
        self, part: PlannedTask, models: Sequence[Contender], files: WritesSamples | None, read: Content | None
    ) -> PassResult:
        task, harness = part.task, harnesses.harness(part.task)
        labels = [one.model.label for one in models]
        tallies = [Tally(task, label, harness) for label in labels]
        choices = [FlipChoice(task, label) for label in labels[1:]]
        keys = [one.fingerprint() for one in models]
        for sample, outcomes in self.store.outcomes_of(part.listing, keys, part.checker, read):
            found = scored_alike(task, sample, [one or _NOT_ASKED for one in outcomes], harness)
            for tally, record in zip(tallies, found, strict=True):
                tally.count(record)
            for choice, record in zip(choices, found[1:], strict=True):
                choice.add(found[0], record)
            if files is not None:
                files.add(part, found)
            self._tell(len(found))
        return PassResult(tuple(tallies), tuple(choice.list() for choice in choices))

    def _tell(self, count: int) -> None:
        before, self.done = self.done, self.done + count
        if before // _TOLD_EVERY < self.done // _TOLD_EVERY:
            self.say(Stage(f"scoring {part_of(self.done, self.plan.planned, 'outcome')}"))
