"""Runs of several nights, each with its folder and its answers in the store."""

import dataclasses

from pastruns import recovery, write_run

from evalkit import runfile
from evalkit.plan import Contender, Plan, PlannedTask
from evalkit.store import RunRow, Store
from evalkit.types import Answer, Failure, FailureKind, Model, Sample, Text
from reports import COMMIT, ENGINE, task

N, TWICE = 400, 200
IDS = [f"2026010{number}-000000-aaaaaa" for number in range(1, 5)]
TASK = task("pages", "Pages")
RIGHT = [number % 4 != 0 for number in range(N)]


def losing(count, right=RIGHT):
    """The same with the first right answers lost."""
    lost = {at for at, one in enumerate(right) if one and sum(right[: at + 1]) <= count}
    return [one and at not in lost for at, one in enumerate(right)]


def planned(store, size, part=TASK):
    rows = [(Sample(str(number), (Text(f"q{number}"),), ["right"]), f"r{number}") for number in range(size)]
    listing, _ = store.write_listing(rows, note=f"{part.name} {size}")
    return PlannedTask(part, listing, size, N, COMMIT)


def night(output, run, scores, *, versions=("1", "1"), again=None, part=TASK, labels=("base", "cand")):
    """One run as it leaves its folder and its answers; ``scores`` are True, False or None, the baseline's first."""
    engines = [dataclasses.replace(ENGINE, version=version) for version in versions]
    models = [
        Contender(Model(label, label, f"digest of {label}"), engine)
        for label, engine in zip(labels, engines, strict=True)
    ]
    with Store(output) as store:
        whole, twice = planned(store, N, part), planned(store, TWICE, part)
        asked = [(one, found) for one, found in zip(models, scores, strict=True)]
        plan = Plan(models[0], tuple(models[1:]), (whole,))
        if again is not None:
            repeat = dataclasses.replace(models[0], attempt=1)
            plan = dataclasses.replace(plan, repeat=repeat, repeated=(twice,))
            asked.append((repeat, again))
        for one, found in asked:
            for number, right in enumerate(found):
                answer = Answer("right" if right else "#####", "stop", 1, 3, 0.1)
                outcome = Failure(FailureKind.DEADLINE, "slow") if right is None else answer
                store.put(one.fingerprint()(f"r{number}"), outcome, run)
        store.keep_run(RunRow(run, plan.key, finished=True, body={"plan": runfile.plan_json(plan)}))
    write_run(output, run, lines={label: {"pages": []} for label in labels}, recoveries={"pages": recovery(99.0)})
