"""What came out otherwise since the run before, on the same samples, and whether chance alone does as much.

A finding of its own, apart from a run's verdict: the verdict asks what other questions like these would show, this one
asks whether the same questions were answered alike. It is made from the store: folders keep no single scores.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from evalkit import harnesses, stats
from evalkit.base.errors import EvalkitError
from evalkit.base.printable import agreeing, counted
from evalkit.comparison.score import tally
from evalkit.records.history import AVERAGE
from evalkit.records.store import Store
from evalkit.runs import saved_run
from evalkit.stats import NightNoise, Occasions, Shift

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.records.history import RunLine
    from evalkit.records.plan import Contender, Plan, PlannedTask

_UNKNOWN = "cannot be told, because no run of this baseline asked it twice (--noise-floor 500)"
_HELD = 40
"""Lists of scores that are in memory at once; a line reads seven of each of its tasks at most."""


@dataclass(frozen=True, slots=True)
class ModelSince:
    """One model on the samples that both models answered in both runs."""

    label: str
    shift: Shift | None
    """Of its mean score, 0-1; None where a task has no such sample."""
    worse: int
    better: int
    within: int | None
    """As many of them as chance alone stays within; None where noise is not known, and for an average of several tasks,
    whose flips are held against the noise of each task."""
    lost: int
    """Answers that were scored in the run before and have failed in this one: they are in none of the other figures."""
    afresh: bool
    """Whether it was asked again between the two runs; otherwise the stored answers were reused."""

    @property
    def flipped(self) -> bool | None:
        """Whether more answers came out otherwise than chance does by itself, whichever way the mean went."""
        return None if self.within is None else self.worse + self.better > self.within

    @property
    def beyond(self) -> bool | None:
        """Whether its mean or its single answers changed by more than chance; None where neither can be told."""
        told = [one for one in (self.flipped, None if self.shift is None else self.shift.beyond) if one is not None]
        return any(told) if told else None


@dataclass(frozen=True, slots=True)
class Since:
    """The newest run of a line beside the one before it."""

    before: str
    after: str
    n: int
    """Samples that both models answered in both runs."""
    baseline: ModelSince
    candidate: ModelSince
    recovery: Shift | None
    """In percent; None where the baseline scored 0, or nothing was answered by both models in both runs."""
    drifts: tuple[tuple[str, ModelSince], ...]
    """An earlier run, and the baseline on the samples that it answered both then and now: the run before, and the
    oldest of the line; runs whose answers are the same ones are left out."""
    noise_from: str | None
    """The run (of an average: the runs) whose noise floor says what chance does; None where none has one."""

    @property
    def changed(self) -> bool | None:
        """Whether the recovery or the candidate's answers changed by more than chance; None where that is not known."""
        told = [None if self.recovery is None else self.recovery.beyond, self.candidate.flipped]
        return any(told) if any(one is not None for one in told) else None

    @property
    def drifted(self) -> bool | None:
        """Whether the baseline is beyond chance not what it was in one of ``drifts``; None where noise is not known."""
        if self.noise_from is None:
            return None
        return any(model.beyond for _, model in self.drifts)

    @property
    def asked(self) -> bool:
        """Whether any model was asked again."""
        return self.baseline.afresh or self.candidate.afresh


def findings(lines: Sequence[RunLine], output: Path) -> dict[tuple[str, str, str], Since]:
    """What changed on each line, by (task, baseline, candidate), from the store in ``output``.

    A line has none when it has one run, when its task (of an average: one of its tasks) is not what it was, or when the
    store lacks a run.
    """
    found: dict[tuple[str, str, str], Since] = {}
    with suppress(EvalkitError, sqlite3.Error), Store(output, write=False) as store:
        past = _Past(store)
        for line in lines:
            # A run that another evalkit kept, or a damaged row, must not hide what can be told of the others.
            with suppress(EvalkitError, sqlite3.Error):
                one = past.since(line)
                if one is not None:
                    found[line.key] = one
    return found


# --- what is said of it ---------------------------------------------------------------------------


def sentences(one: Since) -> Iterator[str]:
    """What to say of it: the recovery, then single answers, the baseline's drift, and what was lost."""
    if not one.asked:
        yield f"since {one.before}: no model was asked again, the same answers were reused"
    else:
        yield _recovery(one)
    if one.candidate.flipped:
        yield f"ANSWERS CHANGED since {one.before}, beyond noise: {_beyond(one.candidate, one.n)}"
    for run, model in one.drifts:
        if model.beyond and model.shift is not None:
            found = _beyond(model, None) if model.flipped else _flips(model)
            yield f"BASELINE DRIFTED from {run}, beyond noise: score {_moved(model.shift, 100.0, '')} ({found})"
    for model in (one.candidate, one.baseline):
        if model.lost:
            what = f"{counted(model.lost, 'answer')} of {model.label}, scored then and failed now,"
            yield f"LOST since {one.before}: {what} {agreeing(model.lost, 'is', 'are')} in none of these figures"


def _recovery(one: Since) -> str:
    """Whether the recovery changed, in one whole sentence."""
    flips = f"{_flips(one.candidate)}; {_flips(one.baseline)}; {counted(one.n, 'sample')} in both runs"
    if not one.n:
        return f"since {one.before}: no sample was answered by both models in both runs, so nothing can be compared"
    if one.recovery is None:
        return f"since {one.before}: the baseline scored 0, so there is no recovery to compare ({flips})"
    moved = _moved(one.recovery, 1.0, "%")
    if one.recovery.beyond is None:
        return (
            f"whether the recovery changed since {one.before} by more than noise {_UNKNOWN}: it was {moved} ({flips})"
        )
    if one.recovery.beyond:
        return f"CHANGED since {one.before}: recovery {moved} ({flips})"
    return f"recovery not changed beyond noise since {one.before}: {moved} ({flips})"


def since_json(one: Since | None) -> dict[str, Json] | None:
    """The same for programs: scores from 0 to 1, recovery in percent."""
    if one is None:
        return None
    return {
        "before": one.before,
        "after": one.after,
        "question": stats.IntervalQuestion.REPEATED,
        "samples": one.n,
        "changed": one.changed,
        "baseline_drifted": one.drifted,
        "recovery": None if one.recovery is None else _shift_json(one.recovery),
        "models": {model.label: _model_json(model) for model in (one.baseline, one.candidate)},
        "baseline_beside": {run: _model_json(model) for run, model in one.drifts},
        "noise_from": one.noise_from,
    }


def _flips(one: ModelSince) -> str:
    if not one.afresh:
        return f"{one.label}: the same answers"
    return f"{one.label}: {one.worse:,} worse, {one.better:,} better"


def _beyond(one: ModelSince, n: int | None) -> str:
    """Flips beside those of chance."""
    of = "" if n is None else f" of {n:,}"
    return f"{_flips(one)}{of}; noise alone flips {one.within:,} at most"


def _moved(one: Shift, scale: float, unit: str) -> str:
    before, after = one.before * scale, one.after * scale
    told = f"{before:.2f} → {after:.2f}{' ' + unit if unit else ''}, {after - before:+.2f} points"
    return told if one.noise is None else f"{told}; noise alone stays within ±{one.noise * scale:.2f}"


def _model_json(one: ModelSince) -> dict[str, Json]:
    return {
        **_shift_json(one.shift),
        "asked_again": one.afresh,
        "worse": one.worse,
        "better": one.better,
        "noise_flips": one.within,
        "flips_beyond_noise": one.flipped,
        "lost": one.lost,
    }


def _shift_json(one: Shift | None) -> dict[str, Json]:
    if one is None:
        return {"before": None, "after": None, "noise": None, "beyond_noise": None}
    return {"before": one.before, "after": one.after, "noise": one.noise, "beyond_noise": one.beyond}


# --- how it is found --------------------------------------------------------------------------------


class _Side(NamedTuple):
    """One task of a run, and both models as they were asked it."""

    part: PlannedTask
    models: tuple[Contender, Contender]
    """The baseline, then the candidate."""


class _Told(NamedTuple):
    """What one model's stored answers to a task come to."""

    scores: Mapping[str, float]
    """Headline scores by id of what is paired."""
    answered: Collection[str]
    """Ids of the samples, each attempt singly, that are scored."""
    failed: frozenset[str]


class _Task(NamedTuple):
    """One task on two nights, on the samples that were answered in all four askings."""

    models: tuple[Occasions, Occasions]
    lost: tuple[int, int]


class _Past:
    """Runs and scores of one store; what several lines share is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[str, Plan | None] = {}
        self._told: dict[tuple[object, ...], _Told] = {}

    def since(self, line: RunLine) -> Since | None:
        keys = [point.run for point in line.points]
        nights = self._matched(keys[-2], keys[-1], line) if len(keys) > 1 else None
        if nights is None:
            return None
        noises = [self._noise(line, keys, new.part) for _, new in nights]
        sources = [source for source, _ in noises if source is not None]
        floors = [floor for _, floor in noises]
        tasks = [self._task(old, new, floor) for (old, new), floor in zip(nights, floors, strict=True)]
        base, cand = (_model(label, at, tasks) for at, label in enumerate((line.baseline, line.candidate)))
        n = sum(len(one.models[0].before) for one in tasks)
        both = [[one.models[at] for one in tasks] for at in range(2)]
        return Since(
            before=keys[-2],
            after=keys[-1],
            n=n,
            baseline=base,
            candidate=cand,
            recovery=None if base.shift is None else stats.recovery_shift(*both),
            drifts=tuple(self._drifts(line, keys, floors)),
            noise_from=", ".join(dict.fromkeys(sources)) if len(sources) == len(noises) else None,
        )

    def _task(self, old: _Side, new: _Side, floor: NightNoise | None) -> _Task:
        then, now = ([self._scored(one, side.part) for one in side.models] for side in (old, new))
        ids = sorted(set.intersection(*(set(one.scores) for one in (*then, *now))))
        base, cand = (
            Occasions(
                [then[at].scores[key] for key in ids],
                [now[at].scores[key] for key in ids],
                floor,
                afresh=_key(old.models[at]) != _key(new.models[at]),
            )
            for at in range(2)
        )
        lost = [len(now[at].failed.intersection(then[at].answered)) for at in range(2)]
        return _Task((base, cand), (lost[0], lost[1]))

    def _drifts(
        self, line: RunLine, keys: Sequence[str], floors: Sequence[NightNoise | None]
    ) -> Iterator[tuple[str, ModelSince]]:
        """The newest baseline beside the run before and beside the oldest: a slow drift shows on no single night."""
        for key in dict.fromkeys((keys[-2], keys[0])):
            nights = self._matched(key, keys[-1], line)
            if nights is None or all(_key(old.models[0]) == _key(new.models[0]) for old, new in nights):
                continue
            tasks = []
            for (old, new), floor in zip(nights, floors, strict=True):
                then, now = self._scored(old.models[0], old.part), self._scored(new.models[0], new.part)
                ids = sorted(then.scores.keys() & now.scores.keys())
                scores = Occasions([then.scores[one] for one in ids], [now.scores[one] for one in ids], floor)
                tasks.append(_Task((scores, scores), (len(now.failed.intersection(then.answered)), 0)))
            if all(one.models[0].before for one in tasks):
                yield key, _model(line.baseline, 0, tasks)

    def _plan(self, key: str) -> Plan | None:
        if key not in self._plans:
            row = self._store.run(key)
            self._plans[key] = None if row is None else saved_run.plan(row)
        return self._plans[key]

    def _sides(self, key: str, line: RunLine) -> dict[str, _Side]:
        """The line's task, or the tasks of its average, with both models of one run; empty where it has not both."""
        plan = self._plan(key)
        if plan is None:
            return {}
        models = {one.model.label: one for one in plan.contenders}
        base, cand = models.get(line.baseline), models.get(line.candidate)
        if base is None or cand is None:
            return {}
        averaged = line.task.startswith(AVERAGE)
        return {
            part.task.name: _Side(part, (base, cand))
            for part in plan.tasks
            if (part.task.category == line.category if averaged else part.task.name == line.task)
        }

    def _matched(self, old: str, new: str, line: RunLine) -> list[tuple[_Side, _Side]] | None:
        """The same tasks in two runs; None where they are not the same, or ask or score otherwise."""
        before, after = self._sides(old, line), self._sides(new, line)
        alike = before.keys() == after.keys() and all(_same(before[one].part, after[one].part) for one in after)
        return [(before[one], after[one]) for one in after] if after and alike else None

    def _scored(self, one: Contender, part: PlannedTask) -> _Told:
        """A model's headline scores by id of what is paired; those that several lines share are read once."""
        key = (_key(one), part.task.name, part.listing, part.checker)
        if key not in self._told:
            if len(self._told) == _HELD:
                del self._told[next(iter(self._told))]
            records = self._store.records(part.listing, one.fingerprint(), part.checker)
            asked = (record for record in records if record.outcome is not None)
            found = tally(part.task, one.model.label, asked, harnesses.harness(part.task))
            scores = {name: score.value for name, score in found.paired.items()}
            answered = scores.keys() if part.task.decoding.n == 1 else found.behaviour.keys()
            self._told[key] = _Told(scores, answered, frozenset(found.failures))
        return self._told[key]

    def _noise(self, line: RunLine, keys: Sequence[str], now: PlannedTask) -> tuple[str | None, NightNoise | None]:
        """The newest run that asked the baseline this task twice, and what chance did there."""
        name = now.task.name
        for key in reversed(keys):
            plan, side = self._plan(key), self._sides(key, line).get(name)
            if plan is None or plan.repeat is None or side is None or not _same(side.part, now):
                continue
            again = next((part for part in plan.repeated if part.task.name == name), None)
            first = self._scored(side.models[0], side.part).scores
            second = {} if again is None else self._scored(plan.repeat, again).scores
            changes = [second[one] - first[one] for one in sorted(first.keys() & second.keys())]
            if changes:
                return key, stats.noise(changes, side.part.task.decoding.n)
        return None, None


def _same(old: PlannedTask, new: PlannedTask) -> bool:
    """Whether a task asks and scores as it did; another number of its samples is no matter."""
    return (old.task, old.revision, old.checker) == (new.task, new.revision, new.checker)


def _key(one: Contender) -> tuple[str, int, int]:
    """What an answer is stored under, beside its request."""
    return one.identity, one.epoch, one.attempt


def _model(label: str, at: int, tasks: Sequence[_Task]) -> ModelSince:
    """One model (0 the baseline, 1 the candidate) on one task, or on all tasks of an average."""
    own = [one.models[at] for one in tasks]
    flips = [one.flips for one in own]
    return ModelSince(
        label,
        stats.score_shift(own) if all(one.before for one in own) else None,
        worse=sum(one.regressed for one in flips),
        better=sum(one.improved for one in flips),
        within=own[0].flips_of_noise if len(own) == 1 and own[0].before else None,
        lost=sum(one.lost[at] for one in tasks),
        afresh=any(one.afresh for one in own),
    )
