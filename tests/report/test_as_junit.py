"""junit.xml: what CI systems read of the gate, in step with the exit code."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree

from evalkit import report
from evalkit.base.errors import ExitCode
from evalkit.base.printable import printable
from evalkit.config.policy import Policy, Rule
from evalkit.records.terms import Terms
from support.reports import HOSTILE, MIXED, RIGHT, built, judged, task, whole

XSD = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))
MANY, HALF = [True] * 400, [True] * 200 + [False] * 200
CLOSE = [True] * 396 + [False] * 4
TWO = (task(), task("chartqa", "ChartQA (test, CoT)"))


def read(text):
    """The document as CI systems see it, after the schema has had its say."""
    XSD.assertValid(etree.fromstring(text.encode()))
    return JUnitXml.fromstring(text.encode())


def cases(one):
    """(suite, class name, name) to its result; None for a passed case."""
    document = read(report.junit(one))
    return {
        (suite.name, case.classname, case.name): case.result[0] if case.result else None
        for suite in document
        for case in suite
    }


def only(one):
    (found,) = cases(one).values()
    return found


def test_a_row_that_recovered_passes():
    assert only(built({"base": [MANY], "cand": [MANY]}, terms=judged(98.0))) is None


def test_a_degraded_row_is_a_failure_with_its_reason():
    found = only(built({"base": [MANY], "cand": [HALF]}, terms=judged()))
    assert isinstance(found, Failure)
    assert found.type == "degraded"
    assert "below 99 %" in found.message
    assert found.text.startswith("RECOVERY 50.0 %")
    assert found.text.endswith('; 95 % interval "for questions like these"')


def test_an_undecided_critical_row_is_a_failure_because_it_blocks():
    found = only(built({"base": [MANY], "cand": [CLOSE]}, terms=judged()))
    assert isinstance(found, Failure)
    assert found.type == "undecided"


def test_an_undecided_supporting_row_passes_as_it_does_not_block():
    policy = Policy(99.0, tasks={"docvqa": Rule(tier="supporting")})
    assert only(built({"base": [MANY], "cand": [CLOSE]}, terms=Terms(policy=policy))) is None


@pytest.mark.parametrize("candidate", [MANY, HALF, [None] * 400])
def test_an_advisory_row_is_skipped_whatever_it_found(candidate):
    policy = Policy(99.0, tasks={"docvqa": Rule(tier="advisory")})
    found = only(built({"base": [MANY], "cand": [candidate]}, terms=Terms(policy=policy)))
    assert isinstance(found, Skipped)
    assert found.message.startswith("advisory")


def test_an_incomplete_row_is_an_error():
    found = only(built({"base": [MANY], "cand": [[None] * 40 + [True] * 360]}, terms=judged()))
    assert isinstance(found, Error)
    assert found.type == "incomplete"
    assert "40 of 400" in found.message


def test_a_sentence_without_an_interval_names_no_question():
    assert "for questions" not in report.junit(built({"base": [[False] * 4], "cand": [MIXED]}))


def test_without_a_threshold_nothing_is_judged_but_what_is_lost_is_an_error():
    assert isinstance(only(built({"base": [MANY], "cand": [HALF]})), Skipped)
    assert isinstance(only(built({"base": [MANY], "cand": [[None] * 400]})), Error)
    assert isinstance(only(built({"base": [MANY]})), Skipped)
    assert isinstance(only(built({"base": [[None] * 400]})), Error)


def test_rows_and_averages_of_every_candidate_have_a_case():
    one = built({"base": [RIGHT, RIGHT], "a.b": [RIGHT, RIGHT], "c": [MIXED, RIGHT]}, tasks=TWO, terms=judged())
    names = [("Vision", name) for name in ("DocVQA (val)", "ChartQA (test, CoT)", "Average Score")]
    assert list(cases(one)) == [
        (label, f"evalkit.{label.replace('.', '_')}.{group}", name) for label in ("a.b", "c") for group, name in names
    ]
    document = read(report.junit(one))
    assert (document.tests, len(list(document))) == (6, 2)
    assert sum(suite.tests for suite in document) == 6
    assert document.failures == sum(suite.failures for suite in document)


def test_a_report_with_everything_is_valid():
    assert len(cases(whole())) == 8


def test_a_run_that_ended_early_is_an_error_in_every_row():
    plan = built({"base": [RIGHT, RIGHT], "cand": [RIGHT, RIGHT]}, tasks=TWO).plan
    document = read(report.junit_stopped(plan, "the server of base died 4 times"))
    found = [case.result[0] for suite in document for case in suite]
    assert [(type(one), one.type, one.message) for one in found] == [
        (Error, "infrastructure", "the server of base died 4 times")
    ] * 3
    assert document.errors == 3
    assert document.name == "evalkit: NO REPORT (exit 5): the server of base died 4 times."


@given(st.text(st.characters(codec=None), min_size=1, max_size=30))
def test_any_text_is_written_as_xml_can_hold_it(text):
    one = built({"base": [RIGHT], text + "x": [MIXED]}, tasks=(task(title=text, category=text),), terms=judged())
    ((_, _, name),) = cases(one)
    assert name
    assert not set(name) & set("\n\r\t")
    assert name.isprintable() or any(character in text for character in name)


def test_hostile_names_stay_text():
    one = built({"base": [RIGHT], HOSTILE: [MIXED]}, tasks=(task(title=HOSTILE),))
    ((suite, _, name),) = cases(one)
    assert suite == name
    assert name == printable(HOSTILE)
    assert "<script>" in name


row = st.sampled_from([MANY, HALF, CLOSE, [None] * 40 + [True] * 360, [None] * 400, [False] * 400])
rule = st.builds(
    Rule, st.none() | st.sampled_from([90.0, 99.0]), st.sampled_from([None, "critical", "supporting", "advisory"])
)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(row, row), max_size=2),
    row,
    row,
    st.none() | st.just(99.0),
    st.fixed_dictionaries({"docvqa": rule, "chartqa": rule}),
    rule,
)
def test_something_fails_exactly_when_the_exit_code_is_not_fine(candidates, first, second, percent, tasks, average):
    outcomes = {"base": [first, second], **{f"c{at}": list(found) for at, found in enumerate(candidates)}}
    terms = Terms(policy=Policy(percent, 0.01, tasks, {"Vision": average}))
    one = built(outcomes, tasks=TWO, terms=terms)
    blocked = any(isinstance(found, Failure | Error) for found in cases(one).values())
    assert blocked == (one.outcome.exit_code is not ExitCode.FINE)
