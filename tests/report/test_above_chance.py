"""The second Open LLM Leaderboard's average: as its publishers' page defines it, in every rendering of a report."""

from dataclasses import replace
from functools import cache

import pytest

from evalkit import report
from evalkit.base.errors import ConfigError
from evalkit.base.task_parts import NormalisedAverage, NormalisedTask
from evalkit.base.types import Answer, Failure, FailureKind, Sample, Text
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness
from evalkit.records.plan import Plan, PlannedTask
from evalkit.records.terms import Terms
from evalkit.report import above_chance
from evalkit.tasks import registry, task_file
from evalkit.tasks.lm_eval import files
from support.reports import contender
from support.rich_report import templates

SUITE = registry.suites()["leaderboard"]
ONE = registry.normalised((), "leaderboard")
ROWS = 200
RATES = {"musr_murder_mysteries": 0.7, "musr_object_placements": 0.4, "musr_team_allocation": 0.6, "mmlu_pro": 0.5}
"""Shares of right answers; the first three are those of the page's example."""


@cache
def tasks():
    return registry.find(SUITE.tasks)


def leaves(task):
    own = task.settings["task"]
    return next((list(one.part_choices) for one in ONE.tasks if one.task == task.name and one.part_choices), [own])


def rate(leaf, lost):
    return RATES.get(leaf.removeprefix("leaderboard_"), 0.8) - lost


def answers(task, lost):
    """For each leaf so many right answers; of IFEval two instructions a prompt, of which the second is always met."""
    for leaf in leaves(task):
        right = round(rate(leaf, lost) * ROWS)
        for at in range(ROWS):
            hit = float(at < right)
            metrics = {"prompt_level_strict_acc": hit, "inst_level_strict_acc": [hit, 1.0]}
            metrics |= {name: hit for name in task.metrics if name not in metrics}
            cluster = leaf if len(leaves(task)) > 1 else None
            yield Sample(f"{leaf}/{at}", (Text("q"),), {}, cluster), {"metrics": metrics, "read": {}}


def built(lost=0.05, failing=()):
    tallies, parts = {}, []
    for task in tasks():
        for label, drop in (("base", 0.0), ("cand", lost)):
            tally = tallies[label, task.name] = Tally(task, label, harness(task))
            for sample, judgement in answers(task, drop):
                broken = label == "cand" and task.name in failing
                answer = Answer("a", "stop", 1, 1, 0.1, judgement=judgement)
                tally.add(sample, Failure(FailureKind.DEADLINE, "late") if broken else answer)
        count = ROWS * len(leaves(task))
        parts.append(PlannedTask(task, "listing", count, count, "r"))
    plan = Plan(contender("base"), (contender("cand"),), tuple(parts))
    return report.build(plan, tallies, harness, Terms(averaged=(), normalised=ONE))


def published(lost):
    """The leaderboard's arithmetic, by hand, in percent: each of the six, and their mean."""

    def above(leaf, options):
        value = round(rate(leaf, lost) * ROWS) / ROWS
        return max(0.0, (value - 1 / options) / (1 - 1 / options)) * 100

    bbh = next(one for one in ONE.tasks if one.task.endswith("bbh")).part_choices
    musr = {"murder_mysteries": 2, "object_placements": 5, "team_allocation": 3}
    prompt = round(rate("ifeval", lost) * ROWS) / ROWS
    six = [
        (prompt + (prompt + 1) / 2) / 2 * 100,
        sum(above(leaf, options) for leaf, options in bbh.items()) / 24,
        rate("math", lost) * 100,
        above("gpqa", 4),
        sum(above(f"leaderboard_musr_{name}", options) for name, options in musr.items()) / 3,
        above("leaderboard_mmlu_pro", 10),
    ]
    return six, sum(six) / 6


@pytest.mark.parametrize("lost", [0.05, 0.2])
def test_the_average_is_the_publishers(lost):
    one = built(lost).normalised.candidates["cand"]
    for side, (drop, mean) in enumerate([(0.0, one.baseline), (lost, one.candidate)]):
        six, average = published(drop)
        assert [100 * above[side] for _, above in one.tasks.values()] == pytest.approx(six)
        assert 100 * mean == pytest.approx(average)
    # Raw scores stand beside: what lm-eval gives.
    musr = next(raw for title, (raw, _) in one.tasks.items() if title.startswith("leaderboard_musr"))
    assert musr[0] == pytest.approx((0.7 + 0.4 + 0.6) / 3)
    assert one.recovery.percent == pytest.approx(100 * published(lost)[1] / published(0.0)[1])


def test_it_has_an_interval_unless_a_score_may_be_clipped():
    clear, low = built(0.05).normalised, built(0.2).normalised
    found = clear.candidates["cand"].recovery
    assert found.low < found.percent < found.high < 100
    found = low.candidates["cand"].recovery
    # 0.5 of two options and 0.2 of five are chance.
    assert (found.low, found.high) == (None, None)
    assert "leaderboard_musr_murder_mysteries, leaderboard_musr_object_placements" in found.reason


def test_every_rendering_has_it():
    made = built()
    percent = f"{made.normalised.candidates['cand'].recovery.percent:.2f}%"
    for text in (report.markdown(made), report.summary(made), report.html(made, templates())):
        assert "Open LLM Leaderboard average" in text
        assert percent in text
        assert ONE.source.removeprefix("https://") in text
    kept = report.results_json(made)["normalised"]
    assert kept["candidates"]["cand"]["interval"][0] < 100
    assert kept["candidates"]["cand"]["tasks"].keys() == made.normalised.candidates["cand"].tasks.keys()
    assert above_chance.table(made)[1][-1][-1].startswith(percent)


def test_a_task_without_pairs_leaves_no_average_and_is_named():
    made = built(failing=("lm-eval.leaderboard_gpqa",))
    assert made.normalised.candidates == {}
    assert made.normalised.missing == {"cand": "nothing of leaderboard_gpqa is paired"}
    assert "nothing of leaderboard_gpqa is paired" in report.markdown(made)


def test_questions_about_one_page_hang_together():
    task = registry.find(["docvqa"])[0]
    widths = []
    for size in (1, 10):
        tallies = {(label, task.name): Tally(task, label, harness(task)) for label in ("base", "cand")}
        for at in range(400):
            sample = Sample(str(at), (Text("q"),), ["yes"], f"page {at // size}")
            page = at // 10
            tallies["base", task.name].add(sample, said("yes" if page % 4 else "no"))
            tallies["cand", task.name].add(sample, said("yes" if page % 5 else "no"))
        plan = Plan(contender("base"), (contender("cand"),), (PlannedTask(task, "listing", 400, 400, "r"),))
        one = NormalisedAverage("Average", "here", (NormalisedTask(task.name),))
        made = report.build(plan, tallies, harness, Terms(averaged=(), normalised=one))
        found = made.normalised.candidates["cand"].recovery
        assert found.percent == pytest.approx(made.rows[0].judgements["cand"].comparison.recovery.percent)
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


def said(text):
    return Answer(text, "stop", 1, 1, 0.1)


def test_options_are_as_many_as_lm_evals_files_list():
    listed = {}
    for one in ONE.tasks:
        for leaf, options in one.part_choices.items():
            choices = files.find(leaf).config.get("doc_to_choice")
            if isinstance(choices, list):
                listed[leaf] = (options, len(choices))
    assert len(listed) == 24
    assert all(options == count for options, count in listed.values())
    assert len(files.find("leaderboard_gpqa_main").config["doc_to_choice"]) == 4


def test_a_suite_with_a_wrong_average_is_one_line_a_fault():
    said = {"title": "t", "source": "s", "tasks": [{"task": "mmlv"}, {"task": "mmlu", "choices": 1}]}
    with pytest.raises(ConfigError) as caught:
        task_file.suite({"name": "s", "title": "S", "tasks": ["mmlu"], "normalised": said}, "s.toml")
    assert "normalised.tasks[0].task: 'mmlv' is no task of the suite" in caught.value.message
    assert "normalised.tasks[1].choices" in caught.value.message


def test_a_run_without_all_of_the_tasks_has_no_such_average():
    made = built()
    assert above_chance.average(replace(made.plan, tasks=()), {}, Terms(normalised=ONE), made.rows[1:]) is None
