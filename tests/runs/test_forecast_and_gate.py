"""The chances that a plan tells are how often the gate comes out so: simulated runs, judged as runs are."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from evalkit.base.scores import SampleScore
from evalkit.base.types import Dataset, Decoding, Task
from evalkit.base.verdicts import Verdict
from evalkit.comparison import averages, pairs, verdict
from evalkit.comparison.pairs import Side
from evalkit.config.policy import Rule
from evalkit.runs import forecast
from evalkit.runs.forecast import CostTerms, Past, Sizes
from evalkit.stats import Grouping, seen

RUNS = 200
NEAR = 0.11
"""Three standard errors of 200 runs and of the chance itself."""
sample = cache(SampleScore)
"""The same samples come again in run after run."""


def task(attempts=1, name="mmmu"):
    return Task(name, "mmmu", Dataset("d", "test"), Decoding(100, n=attempts), ("anls",), "anls", "Vision", name)


def foreseen(n, threshold, past=None, attempts=1, name="mmmu", more=()):
    thresholds = {name: threshold, **dict.fromkeys(more, threshold)}
    terms = CostTerms(2, 64, thresholds=thresholds, averages={"Vision": threshold} if len(more) == 1 else {})
    sizes = Sizes(n * attempts, n * attempts)
    chance = np.random.default_rng(3)
    return forecast.forecast(task(attempts, name), sizes, terms, chance, prompt_tokens=None, past=past), terms


def side(label, scores):
    return Side(label, {one.id: one for one in scores})


def compared(population, n, chance, strata=(), attempts=1):
    """A run's comparison: clusters drawn one by one until there are enough samples."""
    kinds, weights = zip(*population.shares.items(), strict=True)
    base, cand = [], []
    size = sum(len(kind) * weight for kind, weight in zip(kinds, weights, strict=True))
    for at, kind in enumerate(chance.choices(kinds, weights, k=round(n / size))):
        for place, values in enumerate(kind):
            key = f"{at}-{place}"
            cluster = str(at) if len(kind) > 1 else None
            stratum = chance.choices(strata)[0] if strata else None
            one, two = (sample(key, value, cluster, stratum, attempts) for value in values)
            base.append(one)
            cand.append(two)
    return pairs.compare("t", side("base", base), side("cand", cand))


def others(rule, count):
    """Rows in which nothing changed."""
    same = side("m", [SampleScore(str(at), 1.0) for at in range(1000)])
    return [verdict.judge(pairs.compare("o", same, same), rule)] * count


def shares(population, n, threshold, truth, *, tested=1, **shape):
    """How often the gate says recovered and degraded at a true recovery."""
    chance, moved = random.Random(7), population.at(truth / 100)
    rule = Rule(threshold, "critical")
    beside = others(rule, tested - 1)
    found = [
        verdict.together([verdict.judge(compared(moved, n, chance, **shape), rule), *beside])[0].verdict
        for _ in range(RUNS)
    ]
    return found.count(Verdict.RECOVERED) / RUNS, found.count(Verdict.DEGRADED) / RUNS


def earlier(kind, n=300):
    """Pairs of an earlier run: population, share of changes, baseline."""
    chance = random.Random(5)
    x = [float(chance.random() < 0.8) for _ in range(n)]
    y = [1 - value if chance.random() < 0.04 else value for value in x]
    grouping = None
    if kind == "fractional":
        x = [round(chance.random() ** 0.3, 2) for _ in range(n)]
        y = [min(1.0, value + 0.2) if chance.random() < 0.05 else value for value in x]
    if kind == "clustered":
        grouping = Grouping([str(at // 5) for at in range(n)])
        y = [1 - value if at // 5 % 12 == 0 else value for at, value in enumerate(x)]
    if kind == "strata":
        grouping = Grouping(None, [str(at % 3) for at in range(n)])
    if kind == "attempts":
        x = [chance.randint(0, 20) / 20 for _ in range(n)]
        y = [min(1.0, max(0.0, value + chance.choice([-0.1, 0.0, 0.0, 0.1]))) for value in x]
    changed = sum(a != b for a, b in zip(x, y, strict=True)) / n
    attempts = 20 if kind == "attempts" else 1
    population = seen(x, y, grouping, attempts=attempts)
    return Past("r", n * attempts, 1.0, None, None, n, changed, population, sum(x) / n)


@pytest.mark.parametrize(
    ("n", "threshold"), [(12, 90.0), (40, 80.0), (164, 94.0), (164, 99.0), (600, 96.0), (900, 97.0)]
)
def test_of_a_guess(n, threshold):
    found, _ = foreseen(n, threshold)
    recovered, _ = shares(found.population, n, threshold, 100.0)
    assert found.chances.recovered == pytest.approx(recovered, abs=NEAR)
    _, degraded = shares(found.population, n, threshold, threshold - 1)
    assert found.chances.degraded == pytest.approx(degraded, abs=NEAR)


@pytest.mark.parametrize(
    ("kind", "n", "threshold"),
    [
        ("binary", 400, 97.0),
        ("fractional", 250, 97.5),
        ("fractional", 600, 98.5),
        ("clustered", 400, 92.0),
        ("clustered", 700, 94.5),
        ("strata", 300, 96.0),
        ("attempts", 60, 89.0),
        ("attempts", 150, 98.5),
    ],
)
def test_of_what_earlier_pairs_are(kind, n, threshold):
    shape = {"strata": ["0", "1", "2"]} if kind == "strata" else {"attempts": 20} if kind == "attempts" else {}
    found, _ = foreseen(n, threshold, earlier(kind), attempts=shape.get("attempts", 1))
    recovered, _ = shares(found.population, n, threshold, 100.0, **shape)
    assert 0.05 < recovered < 0.99
    assert found.chances.recovered == pytest.approx(recovered, abs=NEAR)
    _, degraded = shares(found.population, n, threshold, threshold - 1, **shape)
    assert found.chances.degraded == pytest.approx(degraded, abs=NEAR)


def test_where_the_gate_cannot_decide_no_plan_says_that_it_does():
    """Forty samples of which none changed before: their normal limit has no width at all."""
    right = [1.0] * 40
    past = Past("r", 40, 1.0, None, None, 40, 0.0, seen(right, right), 1.0)
    found, _ = foreseen(40, 99.0, past)
    assert found.chances.recovered < 0.02
    assert found.chances.cannot_decide
    assert shares(found.population, 40, 99.0, 100.0)[0] < 0.02


def test_of_one_of_several_rows():
    """Seven rows are tested together, so one that alone is below has to be farther below."""
    alone, _ = foreseen(900, 98.0, earlier("binary"))
    found, _ = foreseen(900, 98.0, earlier("binary"), more=list("abcdef"))
    truth = found.population
    _, degraded = shares(truth, 900, 98.0, 97.0, tested=7)
    assert found.chances.degraded == pytest.approx(degraded, abs=NEAR)
    assert found.chances.degraded < alone.chances.degraded


def test_of_an_average():
    first, terms = foreseen(400, 97.0, earlier("binary"), more=["other"])
    second, _ = foreseen(250, 97.0, earlier("fractional"), name="other", more=["mmmu"])
    found = forecast.average("Vision", [first, second], terms, np.random.default_rng(3)).chances
    rule, chance = Rule(97.0, "critical"), random.Random(9)
    for truth, wanted, told in ((100.0, Verdict.RECOVERED, found.recovered), (96.0, Verdict.DEGRADED, found.degraded)):
        moved = [(one.population.at(truth / 100), one.problems) for one in (first, second)]
        seen_so, beside = 0, others(rule, 2)
        for _ in range(RUNS):
            parts = [compared(population, n, chance) for population, n in moved]
            row = verdict.judge(averages.average("Vision", parts), rule)
            seen_so += verdict.together([row, *beside])[0].verdict is wanted
        assert told == pytest.approx(seen_so / RUNS, abs=NEAR)
