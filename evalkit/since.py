"""What came out otherwise since the run before, on the same samples, and whether chance alone does as much.

A finding of its own, apart from a run's verdict: the verdict asks what other questions like these would show, this one
asks whether the same questions were answered alike. It is made from the store: folders keep no single scores.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit import reopen, stats
from evalkit.errors import EvalkitError
from evalkit.score import tally
from evalkit.stats import Occasions, Shift
from evalkit.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.history import Line
    from evalkit.plan import Contender, Plan, PlannedTask
    from evalkit.types import Json

    Scores = Mapping[str, float]

UNKNOWN = "noise is not known, so nothing is found: no run of this baseline asked it twice (--noise-floor 500)"
_HELD = 16
"""Lists of scores that are in memory at once; a line reads seven at most."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model on the samples that both models answered in both runs."""

    label: str
    shift: Shift
    """Of its mean score, 0-1."""
    worse: int
    better: int
    afresh: bool
    """Whether it was asked again between the two runs; otherwise the stored answers were reused."""


@dataclass(frozen=True, slots=True)
class Since:
    """The newest run of a line beside the one before it."""

    before: str
    after: str
    n: int
    """Samples that both models answered in both runs."""
    baseline: Model
    candidate: Model
    recovery: Shift | None
    """In percent; None where the baseline scored 0."""
    drifts: tuple[tuple[str, Model], ...]
    """An earlier run, and the baseline on the samples that it answered both then and now: the run before, and the
    oldest of the line; runs whose answers are the same ones are left out."""
    noise_from: str | None
    """The run whose noise floor says what chance does; None where none has one."""

    @property
    def changed(self) -> bool | None:
        """Whether the recovery changed by more than chance; None where that cannot be told."""
        return None if self.recovery is None else self.recovery.beyond

    @property
    def drifted(self) -> bool | None:
        """Whether the baseline is beyond chance not what it was in one of ``drifts``; None where noise is not known."""
        if self.noise_from is None:
            return None
        return any(model.shift.beyond for _, model in self.drifts)

    @property
    def asked(self) -> bool:
        """Whether any model was asked again."""
        return self.baseline.afresh or self.candidate.afresh


def findings(lines: Sequence[Line], output: Path) -> dict[tuple[str, str, str], Since]:
    """What changed on each line, by (task, baseline, candidate), from the store in ``output``.

    A line has none when it is an average, has one run, when its task is not what it was, or when the store lacks a run.
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


def sentences(one: Since) -> Iterator[str]:
    """What to say of it: first whether it changed, then whether the baseline drifted."""
    flips = f"{_flips(one.candidate)}; {_flips(one.baseline)}; {one.n:,} samples in both runs"
    if not one.asked:
        yield f"since {one.before}: no model was asked again, the same answers were reused"
    elif one.recovery is None:
        yield f"since {one.before}: the baseline scored 0, so there is no recovery to compare ({flips})"
    else:
        said = {True: "CHANGED", False: "not changed beyond noise", None: "what changed"}[one.changed]
        yield f"{said} since {one.before}: recovery {_moved(one.recovery, 1.0, '%')} ({flips})"
    for run, model in one.drifts:
        if model.shift.beyond:
            moved = _moved(model.shift, 100.0, "")
            yield f"BASELINE DRIFTED from {run}, beyond noise: score {moved} ({_flips(model)})"
    if one.asked and one.noise_from is None:
        yield UNKNOWN


def since_json(one: Since | None) -> dict[str, Json] | None:
    """The same for programs: scores from 0 to 1, recovery in percent."""
    if one is None:
        return None
    return {
        "before": one.before,
        "after": one.after,
        "question": stats.Question.REPEATED,
        "samples": one.n,
        "changed": one.changed,
        "baseline_drifted": one.drifted,
        "recovery": None if one.recovery is None else _shift_json(one.recovery),
        "models": {model.label: _model_json(model) for model in (one.baseline, one.candidate)},
        "baseline_beside": {run: _model_json(model) for run, model in one.drifts},
        "noise_from": one.noise_from,
    }


class _Past:
    """Runs and scores of one store; what several lines share is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: dict[str, Plan | None] = {}
        self._scores: dict[tuple[object, ...], Scores] = {}

    def since(self, line: Line) -> Since | None:
        keys = [point.run for point in line.points]
        if len(keys) < 2:
            return None
        sides = [self._side(key, line) for key in keys[-2:]]
        if sides[0] is None or sides[1] is None or not _same(sides[0][0], sides[1][0]):
            return None
        (old, *before), (new, *after) = sides[0], sides[1]
        scored = [[self._scored(one, part) for one in both] for part, both in ((old, before), (new, after))]
        ids = sorted(set.intersection(*(set(found) for both in scored for found in both)))
        if not ids:
            return None
        base, cand = (
            Occasions(
                [scored[0][at][key] for key in ids],
                [scored[1][at][key] for key in ids],
                afresh=_key(before[at]) != _key(after[at]),
            )
            for at in range(2)
        )
        source, f = self._noise(line, keys, new)
        return Since(
            before=keys[-2],
            after=keys[-1],
            n=len(ids),
            baseline=_model(line.baseline, base, f),
            candidate=_model(line.candidate, cand, f),
            recovery=stats.recovery_shift(base, cand, f),
            drifts=tuple(self._drifts(line, keys, f)),
            noise_from=source,
        )

    def _drifts(self, line: Line, keys: Sequence[str], f: float | None) -> Iterator[tuple[str, Model]]:
        """The newest baseline beside the run before and beside the oldest: a slow drift shows on no single night."""
        newest = self._side(keys[-1], line)
        for key in dict.fromkeys((keys[-2], keys[0])):
            side = self._side(key, line)
            if side is None or newest is None or not _same(side[0], newest[0]) or _key(side[1]) == _key(newest[1]):
                continue
            old, new = self._scored(side[1], side[0]), self._scored(newest[1], newest[0])
            ids = sorted(old.keys() & new.keys())
            if ids:
                scores = Occasions([old[one] for one in ids], [new[one] for one in ids])
                yield key, _model(line.baseline, scores, f)

    def _plan(self, key: str) -> Plan | None:
        if key not in self._plans:
            row = self._store.run(key)
            self._plans[key] = None if row is None else reopen.plan(row)
        return self._plans[key]

    def _side(self, key: str, line: Line) -> tuple[PlannedTask, Contender, Contender] | None:
        """The task and both models of one run."""
        plan = self._plan(key)
        part = None if plan is None else next((one for one in plan.tasks if one.task.name == line.task), None)
        if plan is None or part is None:
            return None
        models = {one.model.label: one for one in plan.contenders}
        base, cand = models.get(line.baseline), models.get(line.candidate)
        return None if base is None or cand is None else (part, base, cand)

    def _scored(self, one: Contender, part: PlannedTask) -> Scores:
        """A model's headline scores by id of what is paired; those that several lines share are read once."""
        key = (_key(one), part.task.name, part.listing, part.checker)
        if key not in self._scores:
            if len(self._scores) == _HELD:
                del self._scores[next(iter(self._scores))]
            records = self._store.records(part.listing, one.fingerprint(), part.checker)
            found = tally(part.task, one.model.label, (record for record in records if record.outcome is not None))
            self._scores[key] = {name: score.value for name, score in found.paired.items()}
        return self._scores[key]

    def _noise(self, line: Line, keys: Sequence[str], now: PlannedTask) -> tuple[str | None, float | None]:
        """The newest run that asked the baseline twice, and f."""
        for key in reversed(keys):
            plan = self._plan(key)
            side = self._side(key, line)
            if plan is None or plan.repeat is None or side is None or not _same(side[0], now):
                continue
            again = next((part for part in plan.repeated if part.task.name == line.task), None)
            first, second = self._scored(side[1], side[0]), {} if again is None else self._scored(plan.repeat, again)
            changes = [second[one] - first[one] for one in sorted(first.keys() & second.keys())]
            if changes:
                return key, stats.noise(changes, side[0].task.decoding.n)
        return None, None


def _same(old: PlannedTask, new: PlannedTask) -> bool:
    """Whether a task asks and scores as it did; another number of its samples is no matter."""
    return (old.task, old.revision, old.checker) == (new.task, new.revision, new.checker)


def _key(one: Contender) -> tuple[str, int, int]:
    """What an answer is stored under, beside its request."""
    return one.identity, one.epoch, one.attempt


def _model(label: str, scores: Occasions, f: float | None) -> Model:
    found = scores.flips
    return Model(label, stats.score_shift(scores, f), found.regressed, found.improved, scores.afresh)


def _flips(one: Model) -> str:
    if not one.afresh:
        return f"{one.label}: the same answers"
    return f"{one.label}: {one.worse:,} worse, {one.better:,} better"


def _moved(one: Shift, scale: float, unit: str) -> str:
    before, after = one.before * scale, one.after * scale
    told = f"{before:.2f} → {after:.2f}{' ' + unit if unit else ''}, {after - before:+.2f} points"
    return told if one.noise is None else f"{told}; noise alone stays within ±{one.noise * scale:.2f}"


def _model_json(one: Model) -> dict[str, Json]:
    return {**_shift_json(one.shift), "asked_again": one.afresh, "worse": one.worse, "better": one.better}


def _shift_json(one: Shift) -> dict[str, Json]:
    return {"before": one.before, "after": one.after, "noise": one.noise, "beyond_noise": one.beyond}
