"""Every interval of a report names the question that it answers, or the report says why there is none."""

import dataclasses
import json

import pytest

from evalkit import report
from evalkit.harnesses import harness
from evalkit.records.plan import Plan, PlannedTask
from support.reports import MIXED, RIGHT, built, contender, tally, task, whole

TASK = task("docvqa", "DocVQA (val)")


def test_each_kind_of_interval_in_a_report_is_explained_in_one_sentence():
    told = "\n".join(report.completeness(built({"base": [MIXED * 9], "cand": [RIGHT * 9]})))
    assert 'Intervals beside a recovery, a score or a difference are "for questions like these"' in told
    assert "where all samples of a task were asked and answered, its recovery is the number itself" in told
    assert f'No interval "if repeated" of {TASK.title}: every sample was asked once' in told


def drawn_part(**more):
    """A report on 36 samples of a task that has 72."""
    part = PlannedTask(TASK, "listing", 36, 72, "rev", **more)
    base, cand = contender("base"), contender("cand")
    asked = ((base, MIXED * 9), (cand, RIGHT * 9))
    tallies = {(one.model.label, TASK.name): tally(part, one.model.label, rows) for one, rows in asked}
    return report.build(Plan(base, (cand,), (part,)), tallies, harness)


def test_of_a_part_drawn_at_random_the_interval_on_this_benchmark_is_told_beside_the_other():
    found = drawn_part(drawn=True)
    row = report.results_json(found)["tasks"][0]["recovery"]["cand"]
    low, high = row["on_benchmark"]["interval"]
    assert row["on_benchmark"]["interval_method"] == "finite population"
    assert (row["percent"] - low) / (row["percent"] - row["interval"][0]) == pytest.approx(0.5**0.5)
    told = "\n".join(report.completeness(found))
    assert f"at their worst and best: {TASK.title}, cand [{low:.1f}, {high:.1f}]." in told


def test_lost_answers_move_the_ends_on_this_benchmark_by_the_worst_and_the_best_that_they_can_do():
    found = built({"base": [RIGHT * 9], "cand": [[*RIGHT * 8, True, True, None, None]]})
    row = report.results_json(found)["tasks"][0]["recovery"]["cand"]
    assert row["on_benchmark"]["interval"] == pytest.approx(row["bounds"])
    assert row["on_benchmark"]["interval_method"] == "bounds"
    assert row["bounds"] == pytest.approx([100 * 34 / 36, 100.0])


def test_the_first_rows_of_a_task_say_nothing_of_the_whole_benchmark():
    found = drawn_part()
    row = report.results_json(found)["tasks"][0]["recovery"]["cand"]["on_benchmark"]
    why = "the first samples in stored order stand for no others"
    assert row == {"question": "on this benchmark", "interval": None, "interval_method": None, "reason": why}
    assert f'No interval "on this benchmark" of {TASK.title}: {why}.' in report.completeness(found)


def test_an_average_of_tasks_asked_whole_is_the_number_itself_on_this_benchmark():
    several = [task("docvqa"), task("chartqa", "ChartQA (test, CoT)")]
    found = report.results_json(built({"base": [MIXED * 9, RIGHT * 9], "cand": [RIGHT * 9, MIXED * 9]}, tasks=several))
    row = found["averages"][0]["recovery"]["cand"]
    assert row["on_benchmark"] == {
        "question": "on this benchmark",
        "interval": [row["percent"]] * 2,
        "interval_method": "all asked",
        "reason": None,
    }


def asked_twice(again):
    """A report on two tasks of 36 samples and their average, of which the baseline was asked some twice."""
    tasks = [task("docvqa"), task("chartqa", "ChartQA (test, CoT)")]
    parts = tuple(PlannedTask(one, f"listing {one.name}", 36, 36, "rev") for one in tasks)
    base, cand, repeat = contender("base"), contender("cand"), contender("base (again)")
    short = tuple(dataclasses.replace(part, planned=36) for part in parts)
    plan = Plan(base, (cand,), parts, repeat=repeat, repeated=short)
    tallies = {}
    for part, found in zip(parts, again, strict=True):
        tallies["base", part.task.name] = tally(part, "base", MIXED * 9)
        tallies["cand", part.task.name] = tally(part, "cand", RIGHT * 9)
        tallies["base (again)", part.task.name] = tally(part, "base (again)", found)
    return report.build(plan, tallies, harness)


def test_an_average_has_its_interval_if_repeated_from_the_noise_of_its_tasks():
    found = asked_twice([MIXED * 9, RIGHT * 9])
    value = report.results_json(found)
    rows = [one["recovery"]["cand"]["if_repeated"] for one in (*value["tasks"], *value["averages"])]
    assert [one["interval_method"] for one in rows] == ["noise floor", "noise floor", "combined"]
    widths = [one["interval"][1] - one["interval"][0] for one in rows]
    # Nine flips of 36 on the second task; the mean of two tasks wavers by half of what both do together.
    assert widths[2] == pytest.approx((widths[0] ** 2 + widths[1] ** 2) ** 0.5 / 2, rel=0.01)
    told = "\n".join(report.completeness(found))
    assert "Vision average, cand: if repeated: the same questions of all tasks asked again would give [" in told
    assert "No interval" not in told


def test_a_task_whose_second_asking_has_no_answer_leaves_its_average_without_an_interval_and_says_so():
    found = asked_twice([MIXED * 9, [None] * 36])
    value = report.results_json(found)["averages"][0]["recovery"]["cand"]["if_repeated"]
    why = "no sample has an answer from both askings of the baseline"
    assert (value["interval"], value["reason"]) == (None, f"ChartQA (test, CoT): {why}")
    assert f'No interval "if repeated" of ChartQA (test, CoT): {why}.' in report.completeness(found)


def test_every_interval_of_a_report_names_its_question():
    def unnamed(value, place=""):
        if isinstance(value, dict):
            if "interval" in value and "question" not in value:
                yield place
            for key, item in value.items():
                yield from unnamed(item, f"{place}/{key}")
        elif isinstance(value, list):
            for item in value:
                yield from unnamed(item, place)

    value = json.loads(report.results_text(whole()))
    assert list(unnamed(value)) == []
    assert value["tasks"][0]["drift"]["b"]["tokens"]["question"] == "for questions like these"
