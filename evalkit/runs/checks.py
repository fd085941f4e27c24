"""Answers that a checker has to judge, while other answers are still being generated."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, TypeAlias

from evalkit.base.events import Stage
from evalkit.base.printable import counted
from evalkit.base.types import Answer
from evalkit.records.judgements import judgement_key
from evalkit.records.responses import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evalkit.base.events import Say
    from evalkit.base.types import Sample
    from evalkit.harnesses import Checker, Facts
    from evalkit.records.plan import Contender, PlannedTask
    from evalkit.records.store import Store
    from evalkit.runs.prepare import Source

    Then: TypeAlias = Callable[[Answer], None]

_LOOK_EVERY_S = 0.5


@dataclass(slots=True)
class Checks:
    """The checkers of a run's tasks, started when something is to be judged; a context manager that ends them."""

    sources: Sequence[Source]
    store: Store
    say: Say
    unsafe: bool = False
    """Let generated code run without a sandbox."""
    _checkers: dict[str, Checker] = field(default_factory=dict)
    _waiting: dict[str, list[tuple[Answer, Then]]] = field(default_factory=dict)
    _timeouts: Counter[str] = field(default_factory=Counter)
    """Task name to its answers that ran out of time, those judged by an earlier run included."""

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(self, *exc: object) -> None:
        """End every checker; what it has not judged stays unjudged in the store, and is judged by the next run."""
        for checker in self._checkers.values():
            checker.close()

    def start(self, asked: Iterable[tuple[Contender, PlannedTask]]) -> None:
        """Start the checkers that will have something to judge, when these models are asked these tasks.

        One that cannot work here is to say so before a model is served. One that is not needed is not started: where
        every judgement is in the store, a machine without a sandbox will do.
        """
        for one, part in asked:
            if part.checker and part.task.name not in self._checkers and self._owes(one, part):
                self._checker(part)

    def _owes(self, one: Contender, part: PlannedTask) -> bool:
        """Whether a model lacks an answer, or an answer its judgement."""
        return any(
            record.outcome.judgement is None if isinstance(record.outcome, Answer) else not settled(record.outcome)
            for record in self.store.records(part.listing, one.fingerprint(), part.checker)
        )

    def judge(self, part: PlannedTask, sample: Sample, answer: Answer, then: Then) -> None:
        """Have an answer judged; ``then`` is called with it once its judgement is in the store, from ``collect``."""
        key, harness = judgement_key(part.checker, sample, answer), self._source(part.task.name).harness

        def judged(answer: Answer) -> None:
            self._timeouts[part.task.name] += harness.timed_out(answer.judgement or {})
            then(answer)

        if key in self._waiting:
            self._waiting[key].append((answer, judged))
        elif (known := self.store.judgement(key)) is not None:
            judged(replace(answer, judgement=known))
        else:
            self._waiting[key] = [(answer, judged)]
            self._checker(part).submit(key, sample, answer.scored(part.task) or "")

    def collect(self, wait_s: float = 0.0) -> None:
        """Commit the judgements that have come."""
        for checker in self._checkers.values():
            for key, judgement in checker.ready(wait_s):
                self.store.put_judgement(key, judgement)
                for answer, then in self._waiting.pop(key, ()):
                    then(replace(answer, judgement=judgement))

    def finish(self) -> None:
        """Wait for every judgement."""
        if self._waiting:
            self.say(Stage(f"judging {counted(len(self._waiting), 'more answer')}"))
        while self._waiting:
            self.collect(_LOOK_EVERY_S)

    @property
    def facts(self) -> dict[str, Facts]:
        """How answers were judged, by task name; answers that ran out of time count whoever judged them."""
        return {name: self._facts(name, self._timeouts[name]) for name in {**self._checkers, **self._timeouts}}

    def _facts(self, name: str, timeouts: int) -> Facts:
        if name in self._checkers:
            return self._checkers[name].facts(timeouts)
        return self._source(name).harness.judged_before(timeouts)

    def _source(self, name: str) -> Source:
        """By its name: the part of a repetition has a listing of its own."""
        return next(one for one in self.sources if one.part.task.name == name)

    def _checker(self, part: PlannedTask) -> Checker:
        name = part.task.name
        if name not in self._checkers:
            source = self._source(name)
            found = source.harness.checker(part.task, source.questions, unsafe=self.unsafe)
            if found is None:
                raise RuntimeError(f"{name} names a checker, but its harness has none")
            self._checkers[name] = found
        return self._checkers[name]
