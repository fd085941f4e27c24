"""What a run remembers of itself comes back from JSON as it was."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import report
from evalkit.base.types import Dataset, Decoding, Engine, Model, PublishedPrompt, Task
from evalkit.config.policy import Policy, Rule
from evalkit.harnesses import harness
from evalkit.records import run_record
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.terms import Terms
from support.reports import COMMIT, contender, everything, task, terms_with_everything

text = st.text(max_size=6)
number = st.floats(allow_nan=False, allow_infinity=False)
count = st.integers(0, 10**9)
json_value = st.recursive(
    st.none() | st.booleans() | count | number | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
facts = st.dictionaries(text, json_value, max_size=2)
tasks = st.builds(
    Task,
    name=text,
    benchmark=text,
    dataset=st.builds(Dataset, text, text, st.none() | text, text, st.lists(text, max_size=2).map(tuple)),
    decoding=st.builds(Decoding, count, number, st.none() | number, count, st.lists(text, max_size=2).map(tuple)),
    metrics=st.lists(text, max_size=2).map(tuple),
    headline=text,
    category=text,
    title=text,
    prompt=text | st.builds(PublishedPrompt, text, text, text, text, text),
    dialect=st.sampled_from(["neuralmagic", "mistral", "official"]),
    images=st.sampled_from(["reencode", "original"]),
    settings=facts,
    source=text,
)
parts = st.lists(st.builds(PlannedTask, tasks, text, count, count, text, text), max_size=2).map(tuple)
contenders = st.builds(
    Contender,
    st.builds(Model, text, text, text, st.none() | text),
    st.builds(Engine, text, text, text, facts),
    count,
    count,
)
plans = st.builds(
    Plan,
    contenders,
    st.lists(contenders, max_size=2).map(tuple),
    parts,
    st.booleans(),
    st.none() | contenders,
    parts,
)
rules = st.builds(Rule, st.none() | number, st.none() | st.sampled_from(["critical", "supporting", "advisory"]))
terms = st.builds(
    Terms,
    policy=st.builds(
        Policy,
        st.none() | number,
        number,
        st.dictionaries(text, rules, max_size=2),
        st.dictionaries(text, rules, max_size=2),
    ),
    accepted=st.lists(text, max_size=2).map(tuple),
    averaged=st.none() | st.lists(text, max_size=2).map(tuple),
    published=st.sampled_from([(), terms_with_everything().published]),
    checkpoints=st.dictionaries(
        text,
        st.builds(
            Checkpoint,
            text,
            st.booleans(),
            st.none() | count,
            st.dictionaries(text, count, max_size=2),
            st.dictionaries(text, count, max_size=2),
            st.lists(text, max_size=2).map(tuple),
            st.none() | text,
            st.dictionaries(text, st.none() | text, max_size=2),
        ),
        max_size=2,
    ),
    exams=st.dictionaries(text, st.dictionaries(text, facts, max_size=2), max_size=2),
    checks=st.dictionaries(text, facts, max_size=2),
)


def through_json(value):
    return json.loads(json.dumps(value, sort_keys=True))


@settings(max_examples=80)
@given(plans)
def test_every_plan_comes_back(plan):
    again = run_record.plan_from(through_json(run_record.plan_json(plan)))
    assert again == plan
    assert again.key == plan.key
    assert [one.identity for one in again.contenders] == [one.identity for one in plan.contenders]


@settings(max_examples=80)
@given(terms)
def test_all_terms_come_back(one):
    body = {"terms": run_record.terms_json(one), "exams": one.exams, "checks": one.checks}
    assert run_record.terms_from(through_json(body)) == one


def test_a_report_from_what_came_back_is_equal_to_the_last_byte():
    plan, tallies, terms, notices, provenance = everything()
    first = report.build(plan, tallies, harness, terms, notices=notices, provenance=provenance)
    # As the store writes it: the order of keys is part of what is kept.
    body = json.loads(json.dumps({"terms": run_record.terms_json(terms), "exams": terms.exams, "checks": terms.checks}))
    again = report.build(
        run_record.plan_from(through_json(run_record.plan_json(plan))),
        tallies,
        harness,
        run_record.terms_from(body),
        notices=through_json(notices),
        provenance=through_json(provenance),
    )
    for render in (report.results_text, report.markdown, report.junit, report.summary):
        assert render(again) == render(first)
    assert report.model_card(again, "b") == report.model_card(first, "b")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("models"),
        lambda body: body["models"].clear(),
        lambda body: body["models"][0]["model"].pop("digest"),
        lambda body: body["tasks"][0].update(planned="many"),
        lambda body: body.update(tasks=None),
    ],
)
def test_a_damaged_plan_is_one_error(change):
    body = run_record.plan_json(Plan(contender("base"), (), (PlannedTask(task(), "l", 1, 1, COMMIT),)))
    change(body)
    with pytest.raises(ValueError, match="not "):
        run_record.plan_from(body)


def test_terms_that_are_not_there_are_one_error():
    with pytest.raises(ValueError, match="no terms of a report"):
        run_record.terms_from({})


def test_what_a_newer_evalkit_adds_is_passed_over():
    body = through_json(run_record.plan_json(Plan(contender("base"), (), (PlannedTask(task(), "l", 1, 1, COMMIT),))))
    body["tasks"][0]["task"]["colour"] = "red"
    assert run_record.plan_from(body).tasks[0].task == task()
