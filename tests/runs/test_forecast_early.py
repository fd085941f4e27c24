"""What a run that stops early is expected to ask, as `evalkit plan --stop-early` tells it."""

from dataclasses import replace

import numpy as np
import pytest

from evalkit.runs.forecast import CostTerms, Past, Sizes, forecast
from evalkit.runs.forecast_early import forecasts
from evalkit.stats import seen
from evalkit.tasks import registry

DOCVQA, MMMU, MMLU = (registry.tasks()[name] for name in ("docvqa", "mmmu", "mmlu"))


def foreseen(task, samples, changed=0.06, terms=None):
    """Of a task of which earlier runs have seen pairs."""
    right = np.arange(4000) < 3200
    moved = np.random.default_rng(1).random(4000) < changed
    population = seen(right.astype(float).tolist(), (right ^ moved).astype(float).tolist())
    past = Past("run", 4000, 2.0, 50.0, 10.0, 4000, changed, population, 0.8)
    chance = np.random.default_rng(2)
    return forecast(task, Sizes(samples, samples), terms or CostTerms(2, 64), chance, prompt_tokens=None, past=past)


def shares(one):
    return [share for _, share in one.expected]


def test_a_task_alone_takes_more_the_nearer_the_truth_is_to_its_threshold():
    (one,) = forecasts([foreseen(MMLU, 14_042)], CostTerms(2, 64, thresholds={"mmlu": 99.0}), stepwise=False)
    assert [truth for truth, _ in one.expected] == [100.0, 99.5, 99.0]
    assert 0.3 < shares(one)[0] < 0.6 < shares(one)[1] < shares(one)[2]
    assert 0.9 < shares(one)[2] < 1.0
    # 14,042 requests of two seconds, 64 at once.
    assert one.seconds == pytest.approx(14_042 * 2.0 / 64)
    # Four orders in five have decided by then: not many more than it takes on average.
    assert shares(one)[0] < one.first <= 0.75
    (beside,) = forecasts([foreseen(MMLU, 14_042)], CostTerms(2, 64, thresholds={"mmlu": 99.0}), stepwise=True)
    assert beside.first == 1 / 16
    assert one.text.startswith(f"{MMLU.title}, at 99 %: of 14,042 samples about ")
    assert " min)" in one.text
    (easy,) = forecasts([foreseen(MMLU, 14_042)], CostTerms(2, 64, thresholds={"mmlu": 96.0}), stepwise=False)
    assert shares(easy)[0] < shares(one)[0] / 3
    assert easy.first < one.first


def test_small_tasks_are_asked_whole_and_an_average_goes_as_far_as_its_largest():
    small, large = foreseen(MMMU, 900), foreseen(DOCVQA, 40_000)
    (alone,) = forecasts([small], CostTerms(2, 64, thresholds={"mmmu": 99.0}), stepwise=False)
    assert alone.first == 1.0
    assert (alone.looks, alone.expected, alone.text) == (0, (), f"{MMMU.title}: asked whole, 900 samples")
    large = replace(large, task=replace(large.task, category=small.task.category))
    terms = CostTerms(2, 64, thresholds={"mmmu": 99.0, "docvqa": 99.0}, averages={small.task.category: 99.0})
    (both,) = forecasts([small, large], terms, stepwise=False)
    assert (both.title, both.looks, both.samples) == (f"{small.task.category} average", 8, 40_900)
    assert 900 / 40_900 < shares(both)[0] < 0.2
