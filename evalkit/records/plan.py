"""Config and tasks become a plan: which model answers which samples, under identities made of content alone.

An identity holds everything that can move an answer, and nothing else: no host, port, concurrency or log level.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit.base.identity import canonical, digest
from evalkit.base.types import FINAL, Engine, FailureKind, Model, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task with its samples fixed."""

    task: Task
    listing: str
    """Key of the planned samples in the store."""
    planned: int
    """Samples to answer."""
    available: int
    """Samples in the split; more than ``planned`` where a limit was set."""
    revision: str
    """Resolved revision of the data."""
    checker: str = ""
    """Identity of what judges the answers; empty when the metrics do."""
    drawn: bool = False
    """Whether the planned samples are a random part of the split; without it a part is its first rows."""

    @property
    def smoke(self) -> bool:
        """Whether it is only the first rows: what they say need not hold for the others."""
        return self.planned < self.available and not self.drawn


@dataclass(frozen=True, slots=True)
class Contender:
    """A model with the engine that would serve it."""

    model: Model
    engine: Engine
    epoch: int = 0
    """How often its answers were asked for afresh."""
    attempt: int = 0
    """Contenders before it in the plan with the same identity: a model beside itself must answer for itself."""

    @property
    def identity(self) -> str:
        """What of the model and its engine can move an answer."""
        engine = self.engine
        return digest([self.model.digest, engine.name, engine.version, engine.accelerator, dict(engine.numerics)])

    @property
    def final(self) -> tuple[FailureKind, ...]:
        """Failures of this model that asking again would not change."""
        # A server that evalkit did not start may be started again with other flags: what it refused is asked again.
        return (FailureKind.BAD_ROW,) if self.model.endpoint else FINAL

    def fingerprint(self) -> Callable[[str], str]:
        """A function from a request digest to the key of this model's answer in the store."""
        return fingerprint(self.identity, self.epoch, self.attempt)


def fingerprint(identity: str, epoch: int, attempt: int) -> Callable[[str], str]:
    """The function of a contender that is known by these alone, as a run's file keeps them."""
    begun = sha256(canonical([identity, epoch, attempt])[:-1] + b",")

    def of(request: str) -> str:
        # As ``digest([identity, epoch, attempt, request])``: what is the same for all requests is digested once.
        whole = begun.copy()
        plain = request.isalnum() and request.isascii()  # as nearly all are: JSON has it as it is, in quotes
        whole.update(b'"%b"]' % request.encode() if plain else canonical(request) + b"]")
        return whole.hexdigest()

    return of


@dataclass(frozen=True, slots=True)
class Plan:
    """One comparison: a baseline, its candidates, and the tasks that each of them answers."""

    baseline: Contender
    candidates: tuple[Contender, ...]
    tasks: tuple[PlannedTask, ...]
    smoke: bool = False
    """Whether ``--limit`` took the first rows of a task, which stand for no others."""
    repeat: Contender | None = None
    """The baseline once more, for the noise floor; it is asked ``repeated`` and is no column."""
    repeated: tuple[PlannedTask, ...] = ()
    """Some samples of each task, as listings of their own."""

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """The baseline, then its candidates, in the order in which they are served."""
        return (self.baseline, *self.candidates)

    @property
    def asked(self) -> tuple[tuple[Contender, PlannedTask], ...]:
        """Every model with every task that it answers, the repetition last."""
        asked = [(one, part) for one in self.contenders for part in self.tasks]
        return (*asked, *((self.repeat, part) for part in self.repeated if self.repeat is not None))

    @property
    def drawn(self) -> bool:
        """Whether a random part of a task is asked."""
        return any(part.drawn for part in self.tasks)

    @property
    def planned(self) -> int:
        """Samples to answer, over all models and tasks."""
        return sum(part.planned for _, part in self.asked)

    def averages(self, chosen: Sequence[str] | None = None) -> tuple[str, ...]:
        """Categories with an average row: those of ``chosen`` (every one when None) that have several tasks."""
        return averages([part.task for part in self.tasks], chosen)

    @property
    def key(self) -> str:
        """Identity of the comparison: running it again continues it instead of starting another."""
        return digest(
            [
                [[one.model.label, one.identity, one.epoch, one.attempt] for one in self.contenders],
                [
                    [
                        part.task.name,
                        part.listing,
                        list(part.task.metrics),
                        part.task.headline,
                        part.task.dialect,
                        part.checker,
                        # Another state of the code that judges is another comparison.
                        *([one.kind, one.name, one.state] for one in part.task.extensions),
                        # Where a task file maps columns, its settings say what counts of an answer.
                        *([dict(part.task.settings)] if part.task.columns else []),
                    ]
                    for part in self.tasks
                ],
                *([[self.repeat.attempt, *(part.listing for part in self.repeated)]] if self.repeat else []),
            ]
        )


def averages(tasks: Sequence[Task], chosen: Sequence[str] | None = None) -> tuple[str, ...]:
    """Categories with an average row: those of ``chosen`` (every one when None) that have several tasks."""
    sizes = Counter(task.category for task in tasks)
    return tuple(name for name, count in sizes.items() if count > 1 and (chosen is None or name in chosen))
