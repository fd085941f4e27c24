"""Runs of several nights, each with its folder and its answers in the store."""

import dataclasses

from evalkit.base import codec
from evalkit.base.types import Answer, Failure, FailureKind, Model, Sample, Text
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.run_record import KeptPlan
from evalkit.records.store import RunRow, Store
from support.pastruns import recovery, write_run
from support.reports import COMMIT, ENGINE, task

N, TWICE = 400, 200
IDS = [f"2026010{number}-000000-aaaaaa" for number in range(1, 5)]
TASK = task("pages", "Pages")
RIGHT = [number % 4 != 0 for number in range(N)]


def losing(count, right=RIGHT):
    """The same with the first right answers lost."""
    lost = {at for at, one in enumerate(right) if one and sum(right[: at + 1]) <= count}
    return [one and at not in lost for at, one in enumerate(right)]


def planned(store, size, part=TASK):
    rows = [(Sample(str(number), (Text(f"q{number}"),), ["right"]), f"{part.name} r{number}") for number in range(size)]
    listing, _ = store.write_listing(rows, note=f"{part.name} {size}")
    return PlannedTask(part, listing, size, N, COMMIT)


def night(output, run, scores, *, versions=("1", "1"), again=None, part=TASK, labels=("base", "cand")):
    """One run as it leaves its folder and its answers; ``scores`` are True, False or None, the baseline's first."""
    again = None if again is None else [(part, again)]
    several(output, run, [(part, scores)], versions=versions, again=again, labels=labels)


def several(output, run, scores, *, versions=("1", "1"), again=None, labels=("base", "cand")):
    """The same for several tasks and their average: each is given with its scores."""
    engines = [dataclasses.replace(ENGINE, version=version) for version in versions]
    models = [
        Contender(Model(label, label, f"digest of {label}"), engine)
        for label, engine in zip(labels, engines, strict=True)
    ]
    with Store(output) as store:
        whole = tuple(planned(store, N, part) for part, _ in scores)
        plan = Plan(models[0], tuple(models[1:]), whole)
        asked = [(one, part, found[at]) for part, found in scores for at, one in enumerate(models)]
        if again is not None:
            repeat = dataclasses.replace(models[0], attempt=1)
            plan = dataclasses.replace(
                plan, repeat=repeat, repeated=tuple(planned(store, TWICE, part) for part, _ in again)
            )
            asked += [(repeat, part, found) for part, found in again]
        for one, part, found in asked:
            for number, right in enumerate(found):
                answer = Answer("right" if right else "#####", "stop", 1, 3, 0.1)
                outcome = Failure(FailureKind.DEADLINE, "slow") if right is None else answer
                store.put(one.fingerprint()(f"{part.name} r{number}"), outcome, run)
        store.keep_run(RunRow(run, plan.key, finished=True, body={"plan": codec.written(KeptPlan.of(plan))}))
    names = [part.name for part, _ in scores]
    average = {"category": TASK.category, "baseline": 0.8, "recovery": {label: recovery(99.0) for label in labels[1:]}}
    write_run(
        output,
        run,
        lines={label: {name: [] for name in names} for label in labels},
        recoveries={name: recovery(99.0) for name in names},
        averages=[average] if len(names) > 1 else [],
    )
