"""Tallies become a report: every task paired and judged, every average combined, with what speaks against them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit import cards, stats
from evalkit.base.types import FailureKind
from evalkit.comparison import averages, comparability, drift, early, in_parts, matched, pairs, speed, verdict
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side
from evalkit.records import checkpoint
from evalkit.records.provenance import Provenance
from evalkit.records.terms import Terms
from evalkit.report import above_chance, doubts, imports
from evalkit.report.facts import Average, NoiseFloor, Published, Report, Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalkit.base.types import Task
    from evalkit.cards import PublishedRow, PublishedTable
    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.score import Tally
    from evalkit.comparison.verdict import Judgement
    from evalkit.config.policy import Rule
    from evalkit.records.plan import Contender, Plan, PlannedTask
    from evalkit.report.facts import HarnessWords
    from evalkit.stats import Flips, RecoveryInterval

    Tallies = Mapping[tuple[str, str], Tally]


def build(
    plan: Plan,
    tallies: Tallies,
    harness: Callable[[Task], HarnessWords],
    terms: Terms | None = None,
    *,
    notices: Sequence[str] = (),
    provenance: Provenance | None = None,
) -> Report:
    """The report of a finished plan; ``tallies`` are by (model label, task name), ``harness`` finds that of a task."""
    return _Building(plan, tallies, harness, terms or Terms()).report(notices, provenance or Provenance())


@dataclass(frozen=True, slots=True)
class _Building:
    plan: Plan
    tallies: Tallies
    harness: Callable[[Task], HarnessWords]
    terms: Terms

    def report(self, notices: Sequence[str], provenance: Provenance) -> Report:
        plan, terms = self.plan, self.terms
        averaged = plan.averages(terms.averaged)
        rows = tuple(self._row(part, averaged=part.task.category in averaged) for part in plan.tasks)
        found = Report(
            plan=plan,
            rows=rows,
            averages=tuple(self._average(category, rows) for category in averaged),
            imported=imports.rows(plan, terms, rows),
            normalised=above_chance.average(plan, self.tallies, terms, rows),
            policy=terms.policy,
            notices=tuple(notices),
            provenance=provenance,
            checkpoints=terms.checkpoints,
            warnings=tuple(
                checkpoint.warnings(plan.baseline.model.label, [*self._labels], terms.checkpoints),
            ),
            missing={label: self._missing(label) for label in terms.missing},
        )
        found = _tested_together(found)
        told = tuple(doubts.doubts(found))
        # A run tells them as notices as well.
        return replace(found, doubts=told, notices=tuple(text for text in notices if text not in told))

    @property
    def _labels(self) -> tuple[str, ...]:
        """The candidates' labels."""
        return tuple(one.model.label for one in self.plan.candidates)

    def _row(self, part: PlannedTask, *, averaged: bool) -> Row:
        plan, terms, name = self.plan, self.terms, part.task.name
        base, *others = [self._side(part, one) for one in plan.contenders]
        rule = terms.policy.for_task(name, averaged=averaged)
        judgements = {
            side.label: self._judged(
                self._looked_at(part, self._repeated(part, self._compared(part, base, side))),
                rule,
                [label for label in (base.label, side.label) if self._lacks(label, name)],
            )
            for side in others
        }
        own, harness = self.tallies[base.label, name], self.harness(part.task)
        exams = {label: found[name] for label, found in terms.exams.items() if name in found}
        return Row(
            part=part,
            scores={one.model.label: self.tallies[one.model.label, name].task_score() for one in plan.contenders},
            judgements=judgements,
            comparability=imports.comparability(base, others, terms.accepted),
            drift={side.label: drift.changes(own, self.tallies[side.label, name]) for side in others},
            published=self._published(part.task, judgements),
            noise=self._noise(name),
            own_card=doubts.own_card(
                name, part.task.headline, plan.baseline.model.source, own.paired.values(), terms.published
            ),
            groups={side.label: _groups(own, base, side, terms.accepted) for side in others if own.groups},
            asked={label: harness.asked_words(facts) for label, facts in exams.items()},
            judged=tuple(self._words(part.task)),
            pictures=bool(harness.pictures(part.task)),
            exams=exams,
            checks=terms.checks.get(name, {}),
            speed={
                one.model.label: found
                for one in plan.contenders
                if (found := speed.of(self.tallies[one.model.label, name])) is not None
            },
        )

    def _compared(self, part: PlannedTask, base: Side, side: Side) -> Comparison:
        """The two sides, by the task's parts where each of them counts alike."""
        parts = self.tallies[base.label, part.task.name].made_of
        return in_parts.compare(part.task.title, base, side, self.terms.accepted, parts)

    def _words(self, task: Task) -> Iterator[str]:
        """What is to be said of a task, and of how its answers were judged."""
        yield from self.harness(task).task_words(task)
        yield from self._over_all(task)
        yield from self.harness(task).judged_words(self.terms.checks.get(task.name, {}))

    def _over_all(self, task: Task) -> Iterator[str]:
        """Of a mean of parts' scores: what the mean over all samples is, where that is another figure."""
        tallies = [self.tallies[one.model.label, task.name] for one in self.plan.contenders]
        if not self.harness(task).parts_alike(task) or not all(one.paired for one in tallies):
            return
        means = [fmean(one.value for one in tally.paired.values()) for tally in tallies]
        scores = [tally.task_score().score or 0.0 for tally in tallies]
        if any(f"{100 * one:.2f}" != f"{100 * other:.2f}" for one, other in zip(means, scores, strict=True)):
            told = ", ".join(f"{tally.model} {100 * one:.2f} %" for tally, one in zip(tallies, means, strict=True))
            yield f"over all questions, each counting alike, the scores would be: {told}"

    def _looked_at(self, part: PlannedTask, one: Comparison) -> Comparison:
        """As its look has it, where the task was not asked to its end."""
        kept = self.terms.early.get(part.task.name)
        return one if kept is None else early.at_look(one, kept)

    def _published(self, task: Task, judgements: Mapping[str, Judgement]) -> dict[str, Published]:
        """The printed figures of a task by candidate, where a table of this very pair of models has them."""
        return {
            label: _published(table, row, judgements[label].comparison.recovery)
            for label, table in self._tables().items()
            if (row := table.row(task.name)) is not None and row.metric in {"", task.headline}
        }

    def _side(self, part: PlannedTask, one: Contender) -> Side:
        """What one model did on one task, as something that can be paired."""
        label, task = one.model.label, part.task
        tally, several = self.tallies[label, task.name], task.decoding.n
        score = tally.task_score()
        return Side(
            label,
            tally.paired,
            failed=tally.unanswered,
            left_out=tally.left_out,
            # Parts of answers are not counted before there are answers.
            planned=0 if tally.in_parts else -(-part.planned // several),
            available=None if tally.in_parts else -(-part.available // several),
            smoke=part.smoke,
            drawn=part.drawn,
            settings={
                **comparability.settings(part, one, self.terms.checkpoints.get(label)),
                **({in_parts.ALIKE: True} if self.harness(task).parts_alike(task) else {}),
            },
            attempts=Attempts(label, score.failed, score.planned) if several > 1 else None,
            several=several,
            final=frozenset(key for key, kind in tally.failures.items() if kind in one.final),
        )

    def _average(self, category: str, rows: Sequence[Row]) -> Average:
        members = [row for row in rows if row.part.task.category == category]
        own = [row.scores[self.plan.baseline.model.label].score for row in members]
        policy = self.terms.policy
        judgements = {
            label: self._judged(
                _average(category, [row.judgements[label].comparison for row in members]),
                policy.for_average(category),
                [
                    one
                    for one in (self.plan.baseline.model.label, label)
                    if any(self._lacks(one, row.part.task.name) for row in members)
                ],
            )
            for label in self._labels
        }
        return Average(
            category=category,
            baseline=None if None in own else fmean(score for score in own if score is not None),
            judgements=judgements,
            published={
                label: _published(table, row, judgements[label].comparison.recovery)
                for label, table in self._tables().items()
                if (row := table.average(category)) is not None and _same_rows(table, category, members)
            },
        )

    def _judged(self, one: Comparison, rule: Rule, missing: Sequence[str]) -> Judgement:
        """The verdict on a row; where a model is missing, that is the first of its reasons."""
        found = verdict.judge(one, rule, self.terms.policy.max_failed)
        told = tuple(map(self._missing, missing))
        return replace(found, reasons=(*told, *found.reasons)) if told else found

    def _lacks(self, label: str, task: str) -> bool:
        """Whether a model could not be asked everything of a task."""
        score = self.tallies[label, task].task_score()
        return label in self.terms.missing and FailureKind.NOT_ASKED in score.failures

    def _missing(self, label: str) -> str:
        why = self.terms.missing[label]
        return f"missing: {why if why.startswith(f'{label}: ') else f'{label}: {why}'}"

    def _tables(self) -> dict[str, PublishedTable]:
        """The published table of each candidate that has one for this very pair of models."""
        base = self.plan.baseline.model.source.casefold()
        return {
            one.model.label: table
            for one in self.plan.candidates
            for table in self.terms.published
            if (table.baseline.casefold(), table.candidate.casefold()) == (base, one.model.source.casefold())
        }

    def _repeated(self, part: PlannedTask, one: Comparison) -> Comparison:
        """With what asking again could change, by the noise floor; several attempts tell it better."""
        if self.plan.repeat is None or part.task.decoding.n > 1 or one.totals is None or one.baseline is None:
            return one
        first = self.tallies[self.plan.baseline.model.label, part.task.name].paired
        again = self.tallies[self.plan.repeat.model.label, part.task.name].paired
        changes = [again[key].value - first[key].value for key in sorted(first.keys() & again.keys())]
        if not changes:
            why = "no sample has an answer from both askings of the baseline"
            return replace(one, repeated=matched.undefined(why, one.n, stats.IntervalQuestion.REPEATED))
        return replace(one, repeated=stats.repeated_askings(one.recovery, one.baseline, stats.noise(changes)))

    def _noise(self, task: str) -> NoiseFloor | None:
        """Flips of every candidate, and of the baseline itself, on the samples that the baseline was asked twice."""
        if self.plan.repeat is None:
            return None
        again = self.tallies[self.plan.repeat.model.label, task]
        first = self.tallies[self.plan.baseline.model.label, task]
        asked = again.paired.keys() | again.unanswered
        return NoiseFloor(
            samples=len(asked),
            itself=_flips(first, again, asked),
            candidates={label: _flips(first, self.tallies[label, task], asked) for label in self._labels},
        )


def _average(category: str, parts: Sequence[Comparison]) -> Comparison:
    return early.average_at_look(averages.average(category, parts), parts)


def _tested_together(found: Report) -> Report:
    """The same with every candidate's rows held against each other."""
    held = [(label, iter(verdict.together(found.rows_of(label)))) for label in found.candidates]
    return replace(
        found,
        averages=tuple(replace(one, judgements={label: next(rest) for label, rest in held}) for one in found.averages),
        rows=tuple(replace(row, judgements={label: next(rest) for label, rest in held}) for row in found.rows),
        imported=tuple(replace(row, judgements={label: next(rest) for label, rest in held}) for row in found.imported),
    )


def _groups(own: Tally, base: Side, side: Side, accepted: tuple[str, ...]) -> dict[str, Comparison]:
    """The comparison within each group of samples: the widest groups first, among equally wide ones the worst.

    The first place of a group in any sample's names is its width. The kinds of a question are equally wide, in whatever
    order its row names them.
    """
    members: dict[str, set[str]] = {}
    widths: dict[str, int] = {}
    for key, names in own.groups.items():
        for place, name in enumerate(names):
            width = 0 if own.of_kinds else place
            members.setdefault(name, set()).add(key)
            widths[name] = min(width, widths.get(name, width))
    found = [
        (widths[name], pairs.compare(name, _only(base, keys), _only(side, keys), accepted))
        for name, keys in members.items()
    ]

    def worst(one: tuple[int, Comparison]) -> tuple[int, float, str]:
        percent = one[1].recovery.percent
        return one[0], math.inf if percent is None else percent, one[1].task

    return {one.task: one for _, one in sorted(found, key=worst)}


def _only(side: Side, keys: set[str]) -> Side:
    scores = {key: score for key, score in side.scores.items() if key in keys}
    return replace(side, scores=scores, failed=frozenset(), planned=0, available=None, final=None)


def _flips(first: Tally, other: Tally, ids: set[str]) -> Flips:
    one, two = first.paired, other.paired
    common = sorted(ids & one.keys() & two.keys())
    return stats.flips([one[key].value for key in common], [two[key].value for key in common])


def _published(table: PublishedTable, row: PublishedRow, measured: RecoveryInterval) -> Published:
    return Published(table.source, row.title, row.baseline.text, row.candidate.text, cards.beside(row, measured))


def _same_rows(table: PublishedTable, category: str, members: Sequence[Row]) -> bool:
    """Whether the measured average is of the tasks that the published one is of."""
    published = {row.task for row in table.rows if row.category == category}
    return published == {row.part.task.name for row in members}
