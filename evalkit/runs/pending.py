"""What one model still owes: the planned samples that the store has no answer for, as requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from evalkit.base.events import Notice, Outset, Progress
from evalkit.base.types import PASSING, Answer, Failure, FailureKind
from evalkit.comparison import elsewhere
from evalkit.comparison.score import Tally
from evalkit.records.responses import is_final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.events import Say
    from evalkit.base.scores import SampleScore
    from evalkit.base.types import Json, Outcome, Replies, Sample, Task
    from evalkit.harnesses import Facts
    from evalkit.records.plan import Contender, Plan
    from evalkit.records.store import Store
    from evalkit.runs.checks import Checks
    from evalkit.runs.prepare import Source
    from evalkit.runs.so_far import BesideBaseline

    Meanwhile: TypeAlias = Callable[[Collection[str], Collection[str]], Sequence[Source]]
    """Tasks of which something is under way, and those that can be asked of the server as it is -> samples to ask."""

_READ = 20_000
"""Stored answers of a task that are scored for a candidate's recovery so far: with more, its requests would wait."""
_REHEARSED = 64
"""Samples of a task that a rehearsal may choose from."""


# Without a text of its own: when asyncio gives back Ctrl-C, Python spells the task and what it returned, only to throw
# that away, and the entries of 200,000 samples are a hundred megabytes of text.
@dataclass(slots=True, repr=False)
class Ledger:
    """What one model still owes, and how far each task has come."""

    contender: Contender
    sources: Sequence[Source]
    store: Store
    run: str
    say: Say
    checks: Checks
    remember: Callable[[Ledger], None]
    """Keeps ``facts`` beyond this process."""
    further: Callable[[], Sequence[Source]] = tuple
    """What is asked once all that is owed is settled, with what was before it; nothing at the end."""
    meanwhile: Meanwhile | None = None
    """What is asked once all is settled of some of the tasks; None where nothing comes before all is."""
    waiting: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """Fingerprint -> (source, position) of the samples without an answer. Equal samples share one request."""
    deferred: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """The same of samples that failed in a way that may pass: asked once more when all others have answered."""
    earlier: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    """How each task was asked of earlier servers of the run: of this process, and of those that were killed."""
    facts: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    """How each task was asked, by task name, where its harness has something to say."""
    _tallies: list[Tally] = field(default_factory=list)
    _reused: dict[str, int] = field(default_factory=dict)
    """Task to its samples that were answered before."""
    _settled: set[str] = field(default_factory=set)
    """Fingerprints of what has been settled since: what failed for good is not asked again with what comes after it."""
    _read: dict[int, Tally] = field(default_factory=dict)
    """What was read of the store for ``scored`` alone, by the task's number."""
    _stored: list[tuple[int, int]] = field(default_factory=list)
    """Answers and failures of each task that were counted without being read."""
    _failures: list[Counter[str]] = field(default_factory=list)
    """By kind, of each task."""
    _unsettled: list[int] = field(default_factory=list)
    """Requests that each task waits for, those that are deferred included."""
    _come_to_rest: bool = False
    """Whether a task waits for no request any more that did when it was last looked after."""
    _told: set[str] = field(default_factory=set)
    """Notices of this model that have been said."""
    _last: bool = False
    """Whether what fails now has been asked once more already."""
    failed_before: bool = True
    """Whether all that is owed has failed before: many failures in a row are expected of it then."""
    answered: bool = False
    """Whether the model has answered anything at all, now or before."""
    beside: BesideBaseline | None = None
    """What its recovery so far is told from; None for the baseline."""
    pending_at_first: int = 0
    """Requests that the store had no outcome for when the ledger was opened."""

    def __post_init__(self) -> None:
        """Look every planned sample up in the store."""
        self._look_up()

    def advance(self) -> bool:
        """Go on to the next samples that are owed, once all before them are settled; whether there are any."""
        while not self.has_pending:
            sources = self.further()
            if not sources:
                return False
            self.sources, self._last, self.failed_before = sources, False, True
            self._tallies, self._stored, self._failures, self._unsettled, self._read = [], [], [], [], {}
            self._look_up()
        return True

    def go_on(self, able: Collection[str]) -> tuple[list[Source], set[str]]:
        """What may be asked beside what is under way, because all is settled that a look has waited for.

        Args:
            able: Tasks that can be asked of the server as it is.

        Returns:
            The samples of which some are owed now, and the keys that were not before; mostly nothing.
        """
        found: list[Source] = []
        keys: set[str] = set()
        # What fails when all others have answered is asked no second time: nothing new may come to it.
        while self.meanwhile is not None and self._come_to_rest and not self._last:
            self._come_to_rest = False
            owing = {source.part.task.name for source in self.owing()}
            more = self.meanwhile(owing, able)
            self.sources = [*self.sources, *more]
            keys |= self._look_up()
            found += more
            self._come_to_rest = bool(more)
        return found, keys

    def _look_up(self) -> set[str]:
        """Look those samples up in the store that were not yet; returns the keys that are owed since."""
        fingerprint, final = self.contender.fingerprint(), self.contender.final
        added = set()
        for number in range(len(self._tallies), len(self.sources)):
            source = self.sources[number]
            self._tallies.append(Tally(source.part.task, self.contender.model.label, source.harness))
            self._failures.append(Counter())
            keys = [fingerprint(request) if request else "" for request in source.entries.requests()]
            kinds = self.store.kinds([key for key in keys if key])
            known = [key in kinds and (key in self._settled or is_final(kinds[key], final)) for key in keys]
            owed: dict[str, list[tuple[int, int]]] = {}
            for position, key in enumerate(keys):
                if key and not known[position]:
                    owed.setdefault(key, []).append((number, position))
                    self.failed_before &= key in kinds
            added |= self._owe(owed)
            earlier = (there and key not in self._settled for key, there in zip(keys, known, strict=True))
            self._reused[source.part.task.name] = sum(earlier)
            self.answered = self.answered or None in kinds.values()
            self._count_stored(number, keys, kinds)
            self._tell(number)
        self.pending_at_first += len(added)
        if self.beside is not None and self.beside.baseline.contender.identity == self.contender.identity:
            self.beside = None  # the baseline once more: that is noise, and no recovery
        return added

    def _owe(self, owed: Mapping[str, list[tuple[int, int]]]) -> set[str]:
        """Let a task's samples wait for their requests; returns those that nobody waited for before."""
        self._unsettled.append(len(owed))
        added = set()
        for key, places in owed.items():
            if key not in self.deferred:
                added |= {key} - self.waiting.keys()
                self.waiting.setdefault(key, []).extend(places)
            else:
                self.deferred[key].extend(places)
        return added

    def _count_stored(self, number: int, keys: Sequence[str], kinds: Mapping[str, FailureKind | None]) -> None:
        """Count what the store has of a task. Where nothing is owed it is read once, for the report, and not here."""
        part = self.sources[number].part
        if self._owes(number) or part.checker:
            self._stored.append((0, 0))
            for key, record in zip(keys, self.store.records(part.listing, self.contender.fingerprint()), strict=True):
                if key not in self.waiting and key not in self.deferred and record.outcome is not None:
                    self._count(number, record.sample, record.outcome)
            return
        found = [FailureKind.BAD_ROW if not key else kinds[key] for key in keys]
        self._failures[number].update(kind.value for kind in found if kind is not None)
        failed = self._failures[number].total()
        self._stored.append((len(keys) - failed, failed))

    def keep_facts(self, task: str, facts: Facts | None) -> None:
        """Keep how a task was asked, as far as that is known by now; nothing where there is nothing to say."""
        if facts is None:
            return
        found = facts.after(self.earlier.get(task, {}))
        if found != self.facts.get(task):
            self.facts[task] = found
            self.remember(self)

    def another_server(self) -> None:
        """What was asked so far was asked of a server that is no more."""
        self.earlier |= self.facts

    def task(self, key: str) -> Task:
        """The task of a request that is still owed."""
        return self.sources[self.waiting[key][0][0]].part.task

    def settle(self, key: str | tuple[str, ...], outcome: Outcome | Replies) -> None:
        """Commit what a request brought, and count it for every sample that it answers."""
        self.settle_all([(key, outcome)])

    def settle_all(self, brought: Iterable[tuple[str | tuple[str, ...], Outcome | Replies]]) -> None:
        """The same of several requests: one commit, then a word of each task that they have brought on."""
        found = [one for key, outcome in brought for one in _of_each(key, outcome)]
        if found:
            self.store.put_all(found, self.run)
        ended = [(places, outcome) for key, outcome in found if (places := self._ended(key, outcome))]
        keys = [self._sample(*place) for places, _ in ended for place in places]
        samples = self.store.samples(list(dict.fromkeys(keys)))
        for places, outcome in ended:
            for place in places:
                self._count(place[0], samples[self._sample(*place)], outcome)
        # Only now: what is told is in the store, also for whoever kills the run when he hears of it.
        for number in dict.fromkeys(number for places, _ in ended for number, _ in places):
            self._tell(number)
        self.checks.collect()

    def _ended(self, key: str, outcome: Outcome) -> Sequence[tuple[int, int]]:
        """The samples of which an outcome is the last word; none where it may pass, and they are asked once more."""
        if isinstance(outcome, Answer) and outcome.astray and not outcome.scored(self.task(key)):
            self._tell_once(elsewhere.first(self.task(key).name, outcome.astray.place))
        if isinstance(outcome, Failure) and outcome.kind in PASSING and not self._last:
            self.deferred[key] = self.waiting.pop(key)
            return ()
        self._settled.add(key)
        places = self.waiting.pop(key)
        for number in {number for number, _ in places}:
            self._unsettled[number] -= 1
            self._come_to_rest |= not self._unsettled[number]
        return places

    def _sample(self, number: int, position: int) -> str:
        return self.sources[number].entries[position].sample

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.say(Notice(f"{self.contender.model.label}: {text}"))

    @property
    def has_pending(self) -> bool:
        """Whether any sample still has to be asked."""
        return bool(self.waiting or self.deferred)

    def once_more(self) -> None:
        """From now on the deferred samples are owed again, and what fails has failed."""
        self.waiting |= self.deferred
        self.deferred, self._last, self.failed_before = {}, True, True

    def _count(self, number: int, sample: Sample, outcome: Outcome) -> None:
        """Add an outcome to its task's tally; an answer that needs a judge is added when it has its judgement."""
        self.answered = self.answered or isinstance(outcome, Answer)
        part, tally = self.sources[number].part, self._tallies[number]
        if isinstance(outcome, Failure):
            self._failures[number][outcome.kind.value] += 1
        if not part.checker or not isinstance(outcome, Answer):
            tally.add(sample, outcome)
            return

        at_once = True

        def judged(answer: Answer) -> None:
            tally.add(sample, answer)
            if not at_once:
                self._tell(number)

        self.checks.judge(part, sample, outcome, judged)
        # Judgements of earlier runs are told together by the caller, not thousands of times.
        at_once = False

    def _tell(self, number: int) -> None:
        tally, part = self._tallies[number], self.sources[number].part
        self.say(
            Progress(
                model=self.contender.model.label,
                task=part.task.name,
                planned=part.planned,
                reused=self._reused[part.task.name],
                scored=tally.scored + len(tally.left_out) + self._stored[number][0],
                failed=tally.failed + self._stored[number][1],
                score=tally.running,
                failures=dict(self._failures[number]),
            )
        )
        if self.beside is not None and (found := self.beside.told(number, tally)):
            self.say(found)

    def scored(self, number: int) -> Mapping[str, SampleScore]:
        """Its answers to a task by id, scored: those of the store are read for it where nobody had to yet."""
        part, tally = self.sources[number].part, self._tallies[number]
        if tally.paired or not self._stored[number][0] or part.planned > _READ:
            return tally.paired
        if number not in self._read:
            harness, label = self.sources[number].harness, self.contender.model.label
            again = self._read[number] = Tally(part.task, label, harness)
            for record in self.store.records(part.listing, self.contender.fingerprint()):
                if record.outcome is not None:
                    again.add(record.sample, record.outcome)
        return self._read[number].paired

    @property
    def reused(self) -> int:
        """Samples that were answered before."""
        return sum(self._reused.values())

    # --- what is owed, in the order of the rows ---

    def heaviest(self, source: Source) -> list[tuple[str, Sample]]:
        """The sample of a task that is expected to need the longest prompt, with its key, if it is still owed."""
        request = source.heaviest_request
        key = self.contender.fingerprint()(request) if request else ""
        # Where it was listed before, all rows in front of it are read to come to it.
        found = source.heaviest if key in self.waiting else None
        return [] if found is None else [(key, found[0])]

    def owing(self) -> list[Source]:
        """The tasks that have a sample without an answer."""
        pending = chain(self.waiting.values(), self.deferred.values())
        numbers = {number for places in pending for number, _ in places}
        return [source for number, source in enumerate(self.sources) if number in numbers]

    def _owes(self, number: int) -> bool:
        """Whether a task has a sample without an answer."""
        return self._unsettled[number] > 0

    def some(self, source: Source) -> list[Sample]:
        """A few samples of a task, always the same ones, evenly spread; their pictures are digests only."""
        asked = [at for at, request in enumerate(source.entries.requests()) if request]
        step = max(1, len(asked) // _REHEARSED)
        return [self.store.sample(source.entries[at].sample) for at in asked[::step][:_REHEARSED]]

    def pending(
        self, sources: Sequence[Source], keys: Collection[str]
    ) -> Iterator[tuple[Source, Iterator[tuple[str, Sample]]]]:
        """The samples of those keys, task by task; equal requests of two samples come once."""
        pending = set(keys)
        for source in sources:
            yield source, self._owed_of(source, pending)

    def _owed_of(self, source: Source, pending: set[str]) -> Iterator[tuple[str, Sample]]:
        fingerprint = self.contender.fingerprint()
        # Rows are read as far as they are needed: those of a last failed sample may be many gigabytes.
        for sample, request in source.samples() if pending else ():
            key = fingerprint(request)
            if key in pending:
                pending.remove(key)
                yield key, sample
            if not pending:
                return


def _of_each(key: str | tuple[str, ...], outcome: Outcome | Replies) -> Iterator[tuple[str, Outcome]]:
    """What a request brought each of its samples, but for those that it leaves owed."""
    keys = (key,) if isinstance(key, str) else key
    replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
    for one, reply in zip(keys, replies, strict=True):
        if reply is not None:
            yield one, reply


def outset(plan: Plan, sources: Sequence[Source], repeated: Sequence[Source], store: Store) -> Outset:
    """What all models of a plan are owed before the first of them is asked.

    Args:
        plan: The run's.
        sources: Of the planned tasks.
        repeated: What the baseline is asked a second time.
        store: Holds what was answered before.
    """
    asked = [(one, sources) for one in plan.contenders]
    asked += [(plan.repeat, repeated)] if plan.repeat is not None else []
    pending = {one.model.label: owed(one, some, store) for one, some in asked}
    starts = sum(pending[one.model.label] > 0 and not one.model.endpoint for one, _ in asked)
    return Outset(plan.planned, pending, starts)


def owed(contender: Contender, sources: Sequence[Source], store: Store) -> int:
    """Planned samples that a model has to be asked for."""
    fingerprint, final, count = contender.fingerprint(), contender.final, 0
    for source in sources:
        keys = [fingerprint(request) for request in source.entries.requests() if request]
        kinds = store.kinds(keys)
        count += sum(key not in kinds or not is_final(kinds[key], final) for key in keys)
    return count
