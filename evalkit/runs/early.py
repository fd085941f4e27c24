"""Asking stops where looks at a growing part of the tasks have decided: which part comes next, and what was decided.

A look is a function of stored answers alone: it takes the samples that a limit of its size would draw, and what the
report would say of these. So a kill between two looks changes nothing, and no answer counts before its turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from evalkit import harnesses, report, stats
from evalkit.base.events import Stage
from evalkit.base.verdicts import Verdict
from evalkit.comparison import verdict
from evalkit.records.early import KeptLook
from evalkit.records.terms import Terms
from evalkit.runs import outcomes, pending, prepare
from evalkit.stats import early

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.events import Say
    from evalkit.comparison.verdict import Judgement
    from evalkit.records.plan import Plan
    from evalkit.records.store import Store
    from evalkit.records.terms import KeptTerms
    from evalkit.report import Report
    from evalkit.runs.checks import Checks
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
    decided: bool = False

    def limit(self, source: Source) -> int | None:
        """Samples of a task that the look sees; None for all. The tasks of an average give as many units each."""
        if self.looks > len(self.fractions):
            return None
        own = self.units[source.part.task.name]
        share = self.fractions[self.looks - 1] * max(self.units.values()) / own if own else 1.0
        drawable = source.part.task.decoding.n == 1 and (not self.category or own >= early.FEWEST_UNITS)
        return round(share * source.part.planned) if drawable and share < 1.0 else None

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
    """The looks at one candidate."""

    plan: Plan
    sources: Sequence[Source]
    store: Store
    terms: KeptTerms
    checks: Checks
    say: Say
    _groups: list[_Together] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Say what stops together, once the baseline has answered."""
        plan, policy = replace(self.plan, candidates=(), repeat=None), self.terms.policy
        tallies = outcomes.gather(plan, self.store, self.say).tallies
        units = {
            source.part.task.name: len({score.cluster or key for key, score in tally.paired.items()})
            for source in self.sources
            for tally in [tallies[plan.baseline.model.label, source.part.task.name]]
        }
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
        group.looks = 1
        firsts = [(one, limit) for one in group.sources if (limit := group.limit(one)) is not None]
        group.looks = 0
        lacking = [one.part.task.title for one, limit in firsts if not one.questions.drawn(limit)]
        return f"a part of {', '.join(lacking)} cannot be drawn before its files are fetched" if lacking else ""

    def further(self) -> list[Source]:
        """Look at what was asked, and say what is asked next; nothing once all is decided or asked."""
        self.checks.finish()
        self._look()
        return [source for group in self._groups if self._goes_on(group) for source in group.stage]

    def _goes_on(self, group: _Together) -> bool:
        """Whether a group is asked further; if so, up to the next look."""
        if group.decided or group.looks > len(group.fractions):
            return False
        group.looks += 1
        limits = [(source, group.limit(source)) for source in group.sources]
        group.stage = tuple(
            source if limit is None else prepare.shortened(source, limit, self.store) for source, limit in limits
        )
        return True

    def _look(self) -> None:
        """Decide what can be decided, by what the report would say of it."""
        looked = [group for group in self._groups if 1 <= group.looks <= len(group.fractions) and not group.decided]
        if not looked:
            return
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
        """Whether a claim stands; a loss has to among all rows of the policy, as Holm's rule asks of its first."""
        if one.verdict is Verdict.DEGRADED:
            return one.p is not None and one.p <= stats.ONE_SIDED / self._judged
        return one.verdict is Verdict.RECOVERED

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
