"""summary.md: the answer for the page of a CI job, within the size that the page takes."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import report
from evalkit.report.as_summary import MOST_BYTES
from support.reports import HOSTILE, MIXED, RIGHT, built, judged, task, whole


def size(text):
    return len(text.encode("utf-8"))


def test_the_answer_comes_first_then_the_table_then_what_limits_it():
    text = report.summary(built({"base": [RIGHT], "cand": [[True, True, True, None]]}, terms=judged()))
    lines = text.splitlines()
    assert lines[0] == "## Recovery of cand beside base"
    assert lines[2].startswith("**INCOMPLETE (exit 4): DocVQA (val): 1 of 4 planned samples has no pair")
    assert lines[4].startswith("- no answer changed: RECOVERY")
    table = lines.index("| Category | Metric | base | cand | Recovery (%) | Verdict |")
    assert lines[table + 2].startswith("| Vision | DocVQA (val) anls |")
    assert any("1 of 4 samples has no answer" in line for line in lines[table:])
    assert "Cut to the size" not in text


def test_a_baseline_alone_is_told_by_its_scores():
    lines = report.summary(built({"base": [MIXED]})).splitlines()
    assert lines[2].startswith("**NOT JUDGED (exit 0): there is no candidate to judge")
    assert lines[4] == "| Category | Metric | base |"
    assert any(line.startswith("| Vision | DocVQA (val) anls | 75.00 |") for line in lines)


def test_the_limit_is_githubs():
    assert MOST_BYTES == 1024 * 1024


def test_too_many_rows_are_cut_at_a_row_and_counted():
    tasks = [task(f"t{number}", f"Task {number}") for number in range(300)]
    outcomes = {"base": [RIGHT] * 300, "cand": [MIXED] * 300}
    one = built(outcomes, tasks=tasks)
    most = size(report.summary(one)) - 10_000
    text = report.summary(one, most)
    assert size(text) <= most
    rows = [line for line in text.splitlines() if line.startswith("| Vision |")]
    sentences = [line for line in text.splitlines() if line.startswith("- RECOVERY")]
    assert rows
    assert all(line.endswith(" |") and line.count(" | ") == rows[0].count(" | ") for line in rows)
    assert f"rows of the table ({301 - len(rows)})" in text
    assert len(sentences) == 301
    assert "report.md has all" in text.splitlines()[-1]


def test_one_enormous_name_does_not_push_the_rest_out():
    huge = "x" * 2_000_000
    text = report.summary(built({"base": [RIGHT], huge: [MIXED]}))
    assert size(text) <= MOST_BYTES
    assert "| Vision | DocVQA (val) anls | 100.00 | 75.00 |" in text
    assert "(2,000,000 characters)" in text


@settings(max_examples=40)
@given(st.integers(1_000, 20_000), st.text(min_size=1, max_size=400), st.integers(0, 30))
def test_it_is_never_larger_than_allowed(most, name, notices):
    one = built({"base": [RIGHT], f"c{name}": [MIXED]}, notices=[f"{number} {name}" for number in range(notices)])
    assert size(report.summary(one, most)) <= most
    assert size(report.summary_stopped(one.plan, name * 9, most)) <= most


def test_hostile_names_do_nothing():
    one = built({"base": [RIGHT], HOSTILE: [MIXED]}, tasks=(task(title=HOSTILE + "\n\n# heading"),))
    for text in (report.summary(one), report.summary_stopped(one.plan, HOSTILE + "\n# heading")):
        assert not re.search(r"(?<!\\)<", text)
        assert not re.search(r"(?<!\\)\]\(", text)
        assert not [line for line in text.splitlines() if line.startswith("# ")]
        assert "\u202e" not in text


def test_a_report_with_everything_has_all_its_warnings():
    text = report.summary(whole())
    assert "Smoke run" in text
    assert "not smaller than the baseline" in text


def test_a_run_that_ended_early_says_why():
    plan = built({"base": [RIGHT], "cand": [MIXED]}).plan
    text = report.summary_stopped(plan, "the server of base died 4 times")
    assert text.startswith("## No report")
    assert "**NO REPORT (exit 5): the server of base died 4 times.**" in text
    assert "base, cand" in text
