"""The one line that a run comes to, and the exit code that goes with it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import report
from evalkit.base.errors import ExitCode
from evalkit.base.scores import SampleScore
from evalkit.base.verdicts import Kind, Verdict
from evalkit.comparison import verdict
from evalkit.comparison.averages import average
from evalkit.comparison.outcome import exit_code, outcome, without_report
from evalkit.comparison.pairs import Side, compare
from evalkit.config.policy import Policy, Rule
from evalkit.records.terms import Terms
from support.reports import HOSTILE, built, judged, task

tiers = st.sampled_from(["critical", "supporting", "advisory"])


def side(values, **more):
    return Side("m", {str(at): SampleScore(str(at), float(value)) for at, value in enumerate(values)}, **more)


def compared(name, n, right, regressed=0, improved=0, **more):
    base = [1] * right + [0] * (n - right)
    cand = [0] * regressed + base[regressed:right] + [1] * improved + base[right + improved :]
    return compare(name, side(base, **more), side(cand))


def row(comparison, threshold=99.0, tier="critical"):
    return verdict.judge(comparison, Rule(threshold, tier))


def alone(*rows):
    (finding,) = outcome({"cand": verdict.together(rows)}).findings
    return finding


def of_kind(found, tier="critical", threshold=99.0):
    return verdict.Judgement(compared("t", 10, 5), Rule(threshold, tier), found, ("a reason",))


def test_degraded_names_the_row_its_interval_the_threshold_and_the_flips():
    found = alone(row(compared("ChartQA", 2500, 2000, 131, 29), 98.0), row(compared("DocVQA", 5000, 4500, 3, 2)))
    assert found.sentence == (
        "DEGRADED (exit 1): ChartQA 94.9 % [93.7, 96.1] is below 98 % (131 answers lost, 29 gained)."
    )


def test_undecided_names_the_rows_that_have_too_few_samples():
    rows = [row(compared("HumanEval", 164, 120, 3, 2)), row(compared("MMLU", 456, 300, 3, 1))]
    assert alone(*rows, row(compared("DocVQA", 5000, 4500, 3, 2))).sentence == (
        "UNDECIDED (exit 3): nothing degraded; HumanEval and MMLU have too few samples to show 99 %."
    )


def test_a_row_without_a_flip_says_so_before_it_says_that_it_cannot_decide():
    same = row(compared("HumanEval", 164, 120))
    assert alone(same).sentence == (
        "UNDECIDED (exit 3): nothing degraded; HumanEval: no score changed, but too few samples to show 99 %."
    )
    assert verdict.sentence(same).startswith("no score changed: RECOVERY 100.0 % [")


def test_no_answer_changed_is_said_only_where_every_text_is_the_same():
    def told(base, cand):
        sides = [
            Side("m", {str(at): SampleScore(str(at), 1.0, said=text) for at, text in enumerate(texts)})
            for texts in (base, cand)
        ]
        one = compare("A", *sides)
        means = average("Vision", [one, compared("B", 20, 20)])
        assert verdict.sentence(row(means)).startswith("no score changed: ")
        return verdict.sentence(row(one)).partition(":")[0]

    same = ["a", "b"] * 20
    assert told(same, same) == "no answer changed"
    assert told(same, ["a", "c"] * 20) == "no score changed"
    assert told(same, [*same[:-1], None]) == told([None] * 40, [None] * 40) == "no score changed"
    sides = [Side("m", {str(at): SampleScore(str(at), 1.0, said="a") for at in range(40)})] * 2
    assert verdict.sentence(row(average("V", [compare("A", *sides)] * 2))).startswith("no answer changed: ")


def test_recovered_names_what_was_shown_and_what_was_not():
    parts = [compared("A", 3000, 2500, 3, 3), compared("B", 300, 250, 5, 5)]
    rows = [row(average("Vision", parts), 98.0), *(row(one, 98.0, "supporting") for one in parts)]
    found = alone(*rows)
    assert found.kind is Kind.RECOVERED
    assert found.sentence.startswith("RECOVERED (exit 0): Vision average 100.0 % [")
    assert "(8 answers lost, 8 gained) is shown to keep 98 %" in found.sentence
    assert found.sentence.endswith("; undecided and only supporting: B.")


def test_not_comparable_says_what_differs_and_how_it_is_accepted():
    one = compare("DocVQA", side([1] * 50, settings={"dtype": "a"}), side([1] * 50, settings={"dtype": "b"}))
    found = alone(row(one), row(average("Vision", [one])))
    assert found.sentence == (
        "NOT COMPARABLE (exit 4): DocVQA: dtype: m has a, m has b (if that is intended: --accept-difference dtype)."
    )


def test_incomplete_says_how_much_is_lost():
    one = compare("DocVQA", side([1] * 50), side([1] * 40))
    assert alone(row(one)).sentence.startswith(
        "INCOMPLETE (exit 4): DocVQA: 10 of 50 planned samples have no pair (20 %"
    )


def test_without_a_threshold_what_was_found_is_told_without_a_verdict():
    found = alone(row(compared("DocVQA", 5000, 4500, 30, 2), None))
    assert found.kind is Kind.NOT_JUDGED
    assert found.sentence.startswith("NOT JUDGED (exit 0): no minimum recovery was asked for; DocVQA 99.4 % [")
    assert "(30 answers lost, 2 gained)" in found.sentence


def test_an_advisory_loss_is_told_and_does_not_count():
    rows = [row(compared("A", 5000, 4500, 3, 2)), row(compared("B", 2500, 2000, 300, 2), 99.0, "advisory")]
    found = alone(*rows)
    assert found.exit_code is ExitCode.FINE
    assert "; advisory only: B 85.1 % [" in found.sentence
    only = alone(rows[1])
    assert only.kind is Kind.PASSED
    assert "nothing degraded" not in only.sentence


def test_a_smoke_run_says_so_and_a_part_that_was_drawn_as_well():
    told = "UNDECIDED (exit 3): nothing degraded; A: a smoke run asks the first samples in stored order"
    for changed in (300, 60, 3):
        assert alone(row(compared("A", 5000, 4500, changed, 2, smoke=True))).sentence.startswith(told)
    unjudged = alone(row(compared("A", 5000, 4500, 300, 2, smoke=True), None))
    assert unjudged.kind is Kind.NOT_JUDGED
    assert unjudged.sentence.endswith("; a smoke run, of the first questions in stored order.")
    drawn = alone(row(compared("A", 5000, 4500, 300, 2, drawn=True)))
    assert drawn.sentence.startswith("DEGRADED (exit 1): A 93.4 % [")
    assert drawn.sentence.endswith("; on a part of the questions, drawn at random.")


def test_what_limits_a_row_is_told_whatever_the_other_rows_are():
    lost = row(compared("A", 5000, 4500, 300, 2, drawn=True))
    smoke = row(compared("B", 5000, 4500, 3, 2, smoke=True))
    open_one = row(compared("C", 456, 300, 3, 1, drawn=True))
    whole = row(compared("D", 456, 300, 2, 2))
    tail = "; 1 of 4 tasks: a smoke run, of the first questions in stored order; 2 of 4 tasks on a part of the "
    found = alone(lost, smoke, open_one, whole).sentence
    assert found.startswith("DEGRADED (exit 1): A (drawn at random) 93.4 % [")
    assert found.endswith(f"{tail}questions, drawn at random.")
    found = alone(row(compared("A", 5000, 4500, 0, 0, drawn=True)), smoke, open_one, whole).sentence
    assert found.startswith("UNDECIDED (exit 3): nothing degraded; B (smoke run): a smoke run asks the first samples")
    assert "; C (drawn at random) and D have too few samples to show 99 %; 1 of 4" in found
    assert found.endswith(f"{tail}questions, drawn at random.")
    drawn = [compared(name, 5000, 4500, 3, 2, drawn=name == "A") for name in "AB"]
    mean = row(average("Vision", drawn), 98.0)
    assert "Vision average (in part drawn at random) 100.0 %" in alone(mean, *(row(one) for one in drawn)).sentence


limits = st.sampled_from([{}, {"smoke": True}, {"drawn": True}])
rules = st.tuples(st.sampled_from([99.0, None]), tiers)


@given(st.lists(st.tuples(limits, rules, st.sampled_from([0, 2, 40])), min_size=1, max_size=5))
def test_no_limit_of_any_row_is_lost(given_rows):
    rows = [
        row(compared(f"t{at}", 200, 180, lost, 2, **limit), *rule) for at, (limit, rule, lost) in enumerate(given_rows)
    ]
    line = alone(*rows).sentence
    for word, name in (("smoke run", "smoke"), ("drawn at random", "drawn")):
        limited = [one.comparison.task for one in rows if getattr(one.comparison, name)]
        assert (word in line) == bool(limited)
        if 0 < len(limited) < len(rows):
            assert f"{len(limited)} of {len(rows)} tasks" in line
            assert all(f"{task} ({word})" in line for task in limited if task in line)


def test_several_candidates_have_a_line_each_and_the_first_has_the_exit_code_of_the_run():
    good, bad = row(compared("A", 5000, 4500, 3, 2)), row(compared("A", 5000, 4500, 300, 2))
    found = outcome({"good": [good], "bad": [bad]})
    assert [line.partition(":")[0] for line in found.lines] == ["bad", "good"]
    assert (found.exit_code, found.of("good").exit_code) == (ExitCode.GATE_FAILED, ExitCode.FINE)


def test_a_model_that_could_not_be_served_goes_before_every_verdict():
    bad = row(compared("A", 5000, 4500, 300, 2))
    found = outcome({"one": [bad], "two": [bad]}, missing={"one": ["missing: one: its server died 4 times."]})
    assert found.lines[0].startswith("one: NOT SERVED (exit 5): missing: one: its server died 4 times; what was")
    assert found.exit_code is ExitCode.INFRASTRUCTURE
    assert without_report("no room", ExitCode.INFRASTRUCTURE) == "NO REPORT (exit 5): no room."


def test_a_critical_row_decides():
    codes = [alone(of_kind(found)).exit_code for found in Verdict]
    assert codes == [0, 1, 3, 4, 4]


def test_a_supporting_row_blocks_unless_it_is_merely_undecided():
    assert [alone(of_kind(found, "supporting")).exit_code for found in Verdict] == [0, 1, 0, 4, 4]


@pytest.mark.parametrize("found", Verdict)
def test_an_advisory_row_or_one_without_a_threshold_never_blocks(found):
    assert alone(of_kind(found, "advisory")).exit_code is ExitCode.FINE
    assert alone(of_kind(found, threshold=None), of_kind(Verdict.RECOVERED)).exit_code is ExitCode.FINE


def test_a_failed_gate_goes_before_what_is_open():
    rows = [of_kind(found) for found in (Verdict.UNDECIDED, Verdict.DEGRADED, Verdict.INCOMPLETE, Verdict.RECOVERED)]
    assert alone(*rows).exit_code is ExitCode.GATE_FAILED
    assert alone(rows[0], rows[2]).exit_code is ExitCode.INCOMPLETE


@given(st.lists(st.tuples(st.sampled_from(Verdict), tiers, st.sampled_from([99.0, None])), min_size=1, max_size=5))
def test_the_worst_row_is_the_outcome(given_rows):
    rows = [of_kind(*one[:2], one[2]) for one in given_rows]
    if any(one.rule.min_recovery is not None for one in rows):
        rank = [0, 3, 4, 1]
        assert alone(*rows).exit_code == max((exit_code(one) for one in rows), key=rank.index)


def test_every_format_opens_with_the_same_line():
    long = [True] * 400
    bad = [False] * 100 + [True] * 300
    one = built({"base": [long], "a": [long], "b": [bad]}, terms=judged(99.0))
    first, second = one.outcome.lines
    assert first.startswith("b: DEGRADED (exit 1): DocVQA (val) 75.0 % [")
    assert second.startswith("a: RECOVERED (exit 0): DocVQA (val): no answer changed, 100.0 % [99.0, 101.0] is shown")
    assert report.markdown(one).splitlines()[2] == f"**{first}**"
    assert report.summary(one).splitlines()[2] == f"**{first}**"
    assert f'<testsuites name="evalkit: {first} | {second}"' in report.junit(one)
    found = report.results_text(one)
    assert found.startswith('{\n  "outcome": {')
    assert json.loads(found)["outcome"]["lines"] == [first, second]
    assert json.loads(found)["outcome"]["exit_code"] == one.outcome.exit_code == 1


def test_lost_answers_without_a_threshold_are_incomplete():
    one = built({"base": [[True, None]]})
    assert one.outcome.lines == ("INCOMPLETE (exit 4): DocVQA (val), base: 1 of 2 samples has no answer.",)


def test_without_a_threshold_a_candidate_does_not_answer_for_what_another_lost():
    right = [True] * 100
    found = built({"base": [right], "whole": [right], "lossy": [[None] * 50 + right[:50]]}).outcome
    assert [(one.label, one.kind) for one in found.findings] == [("lossy", Kind.INCOMPLETE), ("whole", Kind.NOT_JUDGED)]
    # What the baseline lost, both lack.
    found = built({"base": [[None] * 50 + right[:50]], "a": [right], "b": [right]}).outcome
    assert {one.kind for one in found.findings} == {Kind.INCOMPLETE}


def test_a_hostile_name_stays_in_one_line():
    name = f"{HOSTILE}\n\n# heading"
    one = built(
        {"base": [[True] * 9], name: [[True] * 9], "b": [[True] * 9]}, tasks=(task(title=name),), terms=judged()
    )
    assert all(line.isprintable() for line in one.outcome.lines)


def test_a_row_of_the_gate_that_is_not_judged_is_no_reason():
    terms = Terms(policy=Policy(None, 0.01, {"docvqa": Rule(50.0, "critical")}))
    two = (task(), task("chartqa", "ChartQA"))
    lost = [True] * 300 + [None] * 100
    one = built({"base": [[True] * 400] * 2, "a": [[True] * 400, lost]}, tasks=two, terms=terms)
    assert one.outcome.kind is Kind.RECOVERED
