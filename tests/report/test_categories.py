"""Groups of samples: many small ones differ by chance, and a loss is named where it is beyond that."""

from dataclasses import replace

import pytest

from evalkit import report
from evalkit.base.types import Answer, Sample, Text
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness
from evalkit.records.plan import Plan, PlannedTask
from evalkit.report import categories
from support import reports
from support.groups import compared, with_groups
from support.rich_report import LABELS, rich, templates

SUBJECTS = 57


@pytest.fixture(scope="module")
def built():
    return rich(20, labels=LABELS[:2])[0]


def test_a_loss_that_one_of_many_groups_has_by_chance_is_not_named(built):
    # Six of forty lost: below 100 % by its own interval, and no more than one of 57 may look like by chance.
    alone = with_groups(built, [6])
    assert "subject 0 (" in categories.largest_loss(categories.tables(alone), LABELS[1])
    many = with_groups(built, [6] + [0] * (SUBJECTS - 1))
    assert categories.largest_loss(categories.tables(many), LABELS[1]) == ""
    (table,) = categories.tables(many)
    assert not any(row.lost for row in table.rows)
    assert (
        f"of {SUBJECTS} groups with an interval 1.4 at most would be expected to have all of it below" in table.sentence
    )
    assert "100 %, and 1 has." in table.sentence
    assert "no group of" in table.sentence
    page = report.html(many, templates())
    assert "Largest loss" not in page
    assert table.sentence in page


def test_the_largest_loss_beyond_chance_stands_on_the_first_screen(built):
    lost = with_groups(built, [20, 26] + [0] * (SUBJECTS - 2))
    told = categories.largest_loss(categories.tables(lost), LABELS[1])
    assert told.startswith("Largest loss in a group: subject 1 (")
    assert f"one of {SUBJECTS} groups (Holm)" in told
    (table,) = categories.tables(lost)
    assert [row.name for row in table.rows if row.lost] == ["subject 0", "subject 1"]
    assert "a loss is shown of subject 0, subject 1" in table.sentence
    page = report.html(lost, templates())
    assert page.index(told) < page.index('<table class="accuracy')
    # Whoever does not see colours reads it.
    assert page.count("</span> lost</span>") == 2


def test_groups_without_an_interval_are_shown_and_not_tested(built):
    few = with_groups(built, [0, 1], n=1)
    (table,) = categories.tables(few)
    assert len(table.rows) == 2
    assert categories.largest_loss(categories.tables(few), LABELS[1]) == ""


def test_a_question_of_two_kinds_counts_in_both_groups_and_once_in_the_task(built):
    row = next(row for row in built.rows if row.part.task.name == "docvqa")
    groups = row.groups[LABELS[1]]
    # Twenty rows: every third is a form that was filled in by hand.
    assert {name: one.n for name, one in groups.items()} == {"form": 13, "table/list": 7, "handwritten": 6}
    assert row.judgements[LABELS[1]].comparison.n == 20
    titles = [table.task for table in categories.tables(built)]
    assert titles.count(row.part.task.title) == 1


def test_the_worst_kind_of_question_is_on_top_wherever_its_rows_name_it():
    """Handwritten is always named second: no kind is a part of another."""
    part = reports.task()
    kinds = [("form", "handwritten")] * 20 + [("form",)] * 10 + [("table",)] * 10
    right = {"base": range(40), "cand": range(15, 40)}
    tallies = {}
    for label, known in right.items():
        tallies[label, part.name] = Tally(part, label, harness(part))
        for at, names in enumerate(kinds):
            said = Answer("right" if at in known else "#####", "stop", 1, 3, 0.1)
            tallies[label, part.name].add(Sample(str(at), (Text("q"),), ["right"], kinds=names), said)
    planned = PlannedTask(part, "listing", 40, 40, reports.COMMIT)
    plan = Plan(reports.contender("base"), (reports.contender("cand"),), (planned,))
    (row,) = report.build(plan, tallies, harness, None).rows
    found = [(name, one.n, one.recovery.percent) for name, one in row.groups["cand"].items()]
    assert found == [("handwritten", 20, 25.0), ("form", 30, 50.0), ("table", 10, 100.0)]


def test_groups_of_two_tasks_with_one_title_are_told_apart(built):
    """As MMLU's subjects are, asked in two ways by one run."""
    *others, row = (replace(row, groups={}) for row in built.rows)
    kept, lost = ({"astronomy": compared("astronomy", 40, lost)} for lost in (0, 26))
    other = replace(row, part=replace(row.part, task=replace(row.part.task, name="other")), groups={LABELS[1]: lost})
    both = replace(built, rows=(*others, replace(row, groups={LABELS[1]: kept}), other))
    first, second = categories.tables(both)
    assert first.task == second.task
    assert [one.lost for table in (first, second) for one in table.rows] == [False, True]
