"""annotations.txt: what GitHub shows beside a job."""

import re

from evalkit import report
from evalkit.base.errors import ExitCode
from evalkit.config.policy import Rule
from support.reports import HOSTILE, built, judged, task

LINE = re.compile(r"::(error|warning) title=([^:,]*)::(.*)")
RIGHT, WRONG, SOME = [True] * 200, [False] * 200, [True] * 199 + [False]


def told(rows, terms, **more):
    """Kind, title and message of each line of a report on tasks a, b and so on."""
    tasks = [task(name, f"Task {name}", "Vision" if name == "a" else name) for name in "abcdefghijklmnop"[: len(rows)]]
    found = report.job_annotations(built({"base": [RIGHT] * len(rows), "cand": rows}, tasks=tasks, terms=terms, **more))
    return [LINE.fullmatch(line).groups() for line in found.splitlines()]


def test_rows_that_keep_the_exit_code_from_being_0_are_errors_and_the_worst_come_first():
    rule = {"b": Rule(min_recovery=99.0, tier="advisory")}
    found = told([SOME, WRONG, WRONG, RIGHT], judged(99.9, tasks=rule))
    assert [(kind, title) for kind, title, _ in found] == [
        ("error", "evalkit%3A degraded"),
        ("error", "evalkit%3A undecided"),
        ("error", "evalkit%3A undecided"),
        ("warning", "evalkit%3A degraded%2C advisory"),
    ]
    assert "Task c" in found[0][2]
    assert "0.0 %" in found[0][2].replace("%25", "%")


def test_what_kept_its_threshold_and_what_was_not_judged_is_not_annotated():
    assert told([RIGHT], judged(90.0)) == []
    assert told([WRONG], None) == []


def test_more_than_github_shows_are_counted():
    found = told([WRONG] * 14, judged(99.0))
    assert len(found) == 10
    assert found[-1] == ("error", "evalkit", "5 more rows; the summary has all")


def test_no_label_and_no_title_can_end_a_command():
    rows = {HOSTILE: [RIGHT], f"c\n::set-env name=x::{HOSTILE}": [WRONG]}
    text = report.job_annotations(built(rows, tasks=[task("a", f"T\r\n::error::{HOSTILE}")], terms=judged(99.0)))
    (line,) = text.splitlines()
    assert LINE.fullmatch(line)[1] == "error"


def test_a_run_that_ended_early_is_one_error():
    (line,) = report.job_annotations_stopped("the server\ndied at 100 %", ExitCode.INFRASTRUCTURE).splitlines()
    assert LINE.fullmatch(line).groups()[:2] == ("error", "evalkit%3A no report")
    assert line.endswith("100 %25") or "100 %25" in line
