"""Asking stops where looks at a growing part of the tasks have decided: which part comes next, and what was decided.

A look is a function of stored answers alone: it takes the samples that a limit of its size would draw, and what the
report would say of these. So a kill between two looks changes nothing, and no answer counts before its turn.

Both models are asked the same part. A baseline that has not answered yet is asked some looks ahead, as far as a
candidate as good as it is expected to need, and further only when a look waits for it: each turn of a model may be the
start of a server.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit import harnesses, report, stats
from evalkit.base.events import Stage
from evalkit.base.verdicts import Verdict
from evalkit.comparison import verdict
from evalkit.comparison.score import drawn_with
from evalkit.records.early import KeptLook
from evalkit.records.terms import Terms
from evalkit.runs import outcomes, pending, prepare, preview, report_terms
from evalkit.runs.forecast import expected_population
from evalkit.runs.forecast_early import Foreseen, first_look
from evalkit.stats import early

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from evalkit.base.events import Say
    from evalkit.comparison.verdict import Judgement
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender, Plan
    from evalkit.records.store import Store
    from evalkit.records.terms import KeptTerms
    from evalkit.report import Report
    from evalkit.runs.checks import Checks
    from evalkit.runs.pending import Meanwhile
    from evalkit.runs.prepare import Source


@dataclass(slots=True)
class _Together:
    """What stops together: a task that is judged alone, or the tasks of an average that is judged."""

    category: str
    """Of the average; empty for a task alone."""
    sources: tuple[Source, ...]
    """Whole."""
    units: dict[str, int]
    """Of each task: pictures, pages, or questions that stand alone."""
    fractions: tuple[float, ...]
    """After which parts of the largest task to look; empty where there is nothing to look at before all is asked."""
    looks: int = 0
    """How many there have been, the one that is being asked for included."""
    stage: tuple[Source, ...] = ()
    """What is asked up to it."""
    seen: int = 0
    """The look that was looked at last."""
    reach: int = 0
    """The look up to which the baseline is asked; beyond the last one where it is asked all."""
    waits: bool = True
    """Whether the next look needs answers of the baseline beyond that."""
    decided: bool = False
    stages: dict[int, tuple[Source, ...]] = field(default_factory=dict)
    """What is asked up to each look, as far as that was wanted."""

    @property
    def unseen(self) -> bool:
        """Whether the look for which it was asked last is still to be made."""
        return self.seen < self.looks < self.whole

    def may_go_on(self, owing: Collection[str], able: Collection[str]) -> bool:
        """Whether it may be looked at, and be asked further, while tasks that are ``owing`` are under way.

        Where answers have to be judged it may not: they would be waited for.
        """
        return all(
            source.part.task.name not in owing
            and not source.part.checker
            and (seen.part.planned == source.part.planned or source.part.task.name in able)
            for source, seen in zip(self.sources, self.stage, strict=True)
        )

    @property
    def whole(self) -> int:
        """The number of the look, so to say, at which all is asked."""
        return len(self.fractions) + 1

    def limit(self, source: Source, look: int) -> int | None:
        """Samples of a task that a look sees; None for all. The tasks of an average give as many units each."""
        if look >= self.whole:
            return None
        own = self.units[source.part.task.name]
        share = self.fractions[look - 1] * max(self.units.values()) / own if own else 1.0
        drawable = source.part.task.decoding.n == 1 and (not self.category or own >= early.FEWEST_UNITS)
        return round(share * source.part.planned) if drawable and share < 1.0 else None

    def upto(self, look: int, store: Store) -> tuple[Source, ...]:
        """What is asked up to a look."""
        if look not in self.stages:
            limits = [(source, self.limit(source, look)) for source in self.sources]
            self.stages[look] = tuple(
                source if limit is None else prepare.shortened(source, limit, store) for source, limit in limits
            )
        return self.stages[look]

    def doubled(self) -> int:
        """The look up to which the baseline is asked next: that sees twice what it was asked up to now, or all."""
        wanted = 2 * self.fractions[self.reach - 1]
        return next((look for look, one in enumerate(self.fractions, start=1) if one >= wanted), self.whole)

    def kept(self) -> Iterator[tuple[str, KeptLook]]:
        """Each task that has not been asked to its end, with the look."""
        known = () if self.category else early.information(self.fractions)
        for source, seen in zip(self.sources, self.stage, strict=True):
            name = source.part.task.name
            if seen.part.planned < source.part.planned:
                look = KeptLook(
                    part=seen.part, number=self.looks, looks=len(self.fractions), known=known, units=self.units[name]
                )
                yield name, look

    def claims(self, built: Report, label: str) -> Iterator[Judgement]:
        """What has to be decided: the average, and of its tasks those that are critical themselves."""
        for average in built.averages:
            if average.category == self.category:
                yield average.judgements[label]
        names = {source.part.task.name for source in self.sources}
        for row in built.rows:
            one = row.judgements[label]
            if row.part.task.name in names and (not self.category or one.rule.tier == "critical"):
                yield one

    @property
    def title(self) -> str:
        """As it stands in messages."""
        return f"{self.category} average" if self.category else self.sources[0].part.task.title


@dataclass(slots=True)
class Looks:
    """The looks at one candidate, and what both models are asked for them."""

    plan: Plan
    sources: Sequence[Source]
    store: Store
    terms: KeptTerms
    checks: Checks
    say: Say
    output: Path
    """The folder of runs: earlier ones tell how far a candidate is expected to need the baseline."""
    _groups: list[_Together] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Say what stops together."""
        policy = self.terms.policy
        units = {source.part.task.name: self._units(source) for source in self.sources}
        averaged = [
            name
            for name in self.plan.averages(self.terms.averaged)
            if policy.for_average(name).min_recovery is not None
        ]
        members: dict[tuple[str, str], list[Source]] = {}
        for source in self.sources:
            task = source.part.task
            key = (task.category, "") if task.category in averaged else ("", task.name)
            members.setdefault(key, []).append(source)
        for (category, _), found in members.items():
            self._groups.append(self._group(category, tuple(found), units))
        # What is asked whole comes last: it is under way while looks at the others are made.
        self._groups.sort(key=lambda group: not group.fractions)

    @classmethod
    def of(
        cls, config: Config, plan: Plan, sources: Sequence[Source], store: Store, checks: Checks, say: Say
    ) -> Looks | None:
        """Those of a run; None where it does not stop early."""
        if not config.policy.stop_early:
            return None
        return cls(plan, sources, store, report_terms.terms(config, plan, {}), checks, say, Path(config.output))

    def _units(self, source: Source) -> int:
        """Pictures, pages or questions that stand alone: of the whole task, whoever has answered what of it."""
        task, harness = source.part.task, source.harness
        listed = self.store.outcomes_of(source.part.listing, ())
        return len({drawn_with(sample, task, harness) for sample, _ in listed})

    def _group(self, category: str, sources: tuple[Source, ...], units: dict[str, int]) -> _Together:
        own = {source.part.task.name: units[source.part.task.name] for source in sources}
        found = _Together(category, sources, own, early.fractions(max(own.values())))
        why = self._whole(found)
        if why:
            self.say(Stage(f"{found.title}: asked whole: {why}"))
            found.fractions = ()
        return found

    def _whole(self, group: _Together) -> str:
        """Why there is no look at a group; empty where there are some."""
        lone = group.sources[0].part.task
        if not group.category and self.terms.policy.for_task(lone.name, averaged=False).min_recovery is None:
            return "no minimum recovery was asked for"
        if not group.category and lone.decoding.n > 1:
            return "its problems are attempted several times"
        if any(harnesses.harness(one.part.task).parts_alike(one.part.task) for one in group.sources):
            return "its score is a mean of its parts' scores, of which no look is defined"
        if not group.fractions:
            return f"it has fewer than {early.FEWEST_UNITS:,} pictures, pages or single questions"
        if not pending.owed(self.plan.candidates[0], group.sources, self.store):
            return "all its answers are in the store"
        firsts = [(one, limit) for one in group.sources if (limit := group.limit(one, 1)) is not None]
        lacking = [one.part.task.title for one, limit in firsts if not one.questions.drawn(limit)]
        return f"a part of {', '.join(lacking)} cannot be drawn before its files are fetched" if lacking else ""

    def next_of(self, one: Contender) -> tuple[Callable[[], list[Source]], Meanwhile | None]:
        """What says what a model is asked next, and what it is asked before all of that is settled."""
        return (self.of_baseline, None) if one is self.plan.baseline else (self.further, self.meanwhile)

    def further(self) -> list[Source]:
        """Look at what was asked, and say what is asked next; nothing once all is decided or asked."""
        self.checks.finish()
        self._look([group for group in self._groups if group.unseen])
        return [source for group in self._groups if self._goes_on(group) for source in group.stage]

    def meanwhile(self, owing: Collection[str], able: Collection[str]) -> list[Source]:
        """Look at what has all its answers while others wait for some, and say what is asked beside them."""
        settled = [group for group in self._groups if group.unseen and group.may_go_on(owing, able)]
        self._look(settled)
        # Before a task is asked whole its heaviest prompt goes out alone.
        parts = [group for group in settled if group.looks + 1 < group.whole]
        return [source for group in parts if self._goes_on(group) for source in group.stage]

    def _goes_on(self, group: _Together) -> bool:
        """Whether a group is asked further now; if so, up to the next look."""
        if group.decided or group.looks >= group.whole:
            return False
        after = group.upto(group.looks + 1, self.store)
        group.waits = group.looks >= group.reach and pending.owed(self.plan.baseline, after, self.store) > 0
        if group.waits:
            return False
        group.looks, group.stage = group.looks + 1, after
        return True

    @property
    def waiting(self) -> bool:
        """Whether the candidate cannot be asked further before the baseline is."""
        return any(group.waits for group in self._groups)

    def of_baseline(self) -> list[Source]:
        """What the baseline is asked next; nothing where nothing waits for it."""
        waiting = [group for group in self._groups if group.waits]
        for group in waiting:
            group.waits, group.reach = False, self._reach(group)
            if group.reach < group.whole:
                told = f"up to look {group.reach} of {len(group.fractions)} at {group.title}"
                self.say(Stage(f"{self.plan.baseline.model.label}: asked {told}"))
        return [source for group in waiting for source in group.upto(group.reach, self.store)]

    def _reach(self, group: _Together) -> int:
        """How far the baseline is asked, now that the candidate can be asked no further without it."""
        if not group.fractions or not pending.owed(self.plan.baseline, group.sources, self.store):
            return group.whole
        if all(one.model.endpoint for one in self.plan.contenders):
            return group.reach + 1  # no server has to be started for it
        return group.doubled() if group.reach else first_look(self._expected(group), self._threshold(group))

    def _expected(self, group: _Together) -> list[Foreseen]:
        tasks = [source.part.task for source in group.sources]
        past = preview.earlier_answers(self.output, tasks, self.plan.contenders)
        return [
            Foreseen(
                task,
                source.part.planned,
                source.part.planned // task.decoding.n,
                group.units[task.name],
                expected_population(task, None, past.get(task.name)),
            )
            for task, source in zip(tasks, group.sources, strict=True)
        ]

    def _threshold(self, group: _Together) -> float:
        policy, (first, *_) = self.terms.policy, group.sources
        alone = policy.for_task(first.part.task.name, averaged=False)
        rule = policy.for_average(group.category) if group.category else alone
        return rule.min_recovery or 0.0

    def _look(self, looked: Sequence[_Together]) -> None:
        """Decide what can be decided, by what the report would say of it."""
        if not looked:
            return
        for group in looked:
            group.seen = group.looks
        parts = tuple(source.part for group in looked for source in group.stage)
        plan = replace(self.plan, tasks=parts, repeat=None, repeated=())
        kept = {name: one for group in looked for name, one in group.kept()}
        tallies = outcomes.gather(plan, self.store, self.say).tallies
        judged_by = Terms(**{one.name: getattr(self.terms, one.name) for one in fields(self.terms)}, early=kept)
        built = report.build(plan, tallies, harnesses.harness, judged_by)
        for group in looked:
            claims = list(group.claims(built, plan.candidates[0].model.label))
            group.decided = all(map(self._decided, claims))
            goes = "decided" if group.decided else "goes on"
            told = "; ".join(verdict.sentence(one) for one in claims)
            self.say(Stage(f"look {group.looks} of {len(group.fractions)} at {group.title}, {goes}: {told}"))

    def _decided(self, one: Judgement) -> bool:
        """Whether a claim stands, or never will; a loss has to among all rows of the policy, as Holm's first does."""
        if one.verdict is Verdict.DEGRADED:
            return one.p is not None and one.p <= stats.ONE_SIDED / self._judged
        # No further answer makes a pair comparable.
        return one.verdict in {Verdict.RECOVERED, Verdict.NOT_COMPARABLE}

    @property
    def _judged(self) -> int:
        """Rows that have a threshold."""
        policy, averaged = self.terms.policy, self.plan.averages(self.terms.averaged)
        rules = [policy.for_task(one.part.task.name, averaged=False) for one in self.sources]
        return sum(rule.min_recovery is not None for rule in [*rules, *map(policy.for_average, averaged)])

    @property
    def stopped(self) -> dict[str, KeptLook]:
        """The tasks that were not asked to their end, with the look that decided."""
        return {name: one for group in self._groups if group.decided for name, one in group.kept()}

    @property
    def asked(self) -> list[Source]:
        """What was asked in the end, in the order of the plan."""
        ends = {one.part.task.name: one for group in self._groups if group.decided for one in group.stage}
        return [ends.get(one.part.task.name, one) for one in self.sources]
