"""What a run remembers of itself comes back from JSON as it was."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import report
from evalkit.base import codec
from evalkit.base.task_parts import PublishedPrompt
from evalkit.base.types import Dataset, Decoding, Engine, Model, Task
from evalkit.config.policy import Policy, Rule
from evalkit.harnesses import harness
from evalkit.records import run_record
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.provenance import Provenance
from evalkit.records.run_record import KeptPlan, RunRecord
from evalkit.records.terms import KeptTerms, Terms
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


def plan_from(kept):
    return codec.kept(KeptPlan, kept).plan()


def plan_json(plan):
    return codec.written(KeptPlan.of(plan))


def kept_with(one):
    """What a run keeps of these terms."""
    own = {key.field: getattr(one, key.field) for key in codec.declared(KeptTerms)}
    return codec.written(RunRecord(terms=KeptTerms(**own), exams=one.exams, checks=one.checks))


@settings(max_examples=80)
@given(plans)
def test_every_plan_comes_back(plan):
    again = plan_from(through_json(plan_json(plan)))
    assert again == plan
    assert again.key == plan.key
    assert [one.identity for one in again.contenders] == [one.identity for one in plan.contenders]


@settings(max_examples=80)
@given(terms)
def test_all_terms_come_back(one):
    assert run_record.read(through_json(kept_with(one))).judged_by() == one


def test_a_report_from_what_came_back_is_equal_to_the_last_byte():
    plan, tallies, terms, notices, provenance = everything()
    first = report.build(plan, tallies, harness, terms, notices=notices, provenance=provenance)
    # As the store writes it: the order of keys is part of what is kept.
    body = json.loads(json.dumps(kept_with(terms)))
    again = report.build(
        plan_from(through_json(plan_json(plan))),
        tallies,
        harness,
        run_record.read(body).judged_by(),
        notices=through_json(notices),
        provenance=codec.kept(Provenance, through_json(codec.written(provenance))),
    )
    for render in (report.results_text, report.markdown, report.junit, report.summary):
        assert render(again) == render(first)
    assert report.model_card(again, "b") == report.model_card(first, "b")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("models"), "models: missing; must be a list, each a table"),
        (lambda body: body["models"].clear(), "plan.models: is empty; must begin with the baseline"),
        (lambda body: body["models"][0]["model"].pop("digest"), "models[0].model.digest: missing; must be text"),
        (
            lambda body: body["tasks"][0].update(planned="many", listing=7),
            'tasks[0].listing: is 7 (a whole number); must be text | tasks[0].planned: is "many" (text); must be a',
        ),
        (lambda body: body.update(tasks=None), "tasks: is null (nothing); must be a list, each a table"),
    ],
)
def test_a_damaged_plan_tells_all_that_is_wrong_and_where(change, said):
    body = plan_json(Plan(contender("base"), (), (PlannedTask(task(), "l", 1, 1, COMMIT),)))
    change(body)
    with pytest.raises(codec.MisfitError) as caught:
        plan_from(body)
    assert str(caught.value).startswith(said)


def test_terms_that_are_not_there_are_one_error():
    with pytest.raises(codec.MisfitError, match="terms: missing"):
        run_record.read({}).judged_by()
    with pytest.raises(codec.MisfitError, match="plan: missing"):
        run_record.read({}).planned()


def test_what_a_newer_evalkit_adds_is_passed_over_and_kept_where_the_run_is_written_again():
    body = through_json(plan_json(Plan(contender("base"), (), (PlannedTask(task(), "l", 1, 1, COMMIT),))))
    body["tasks"][0]["task"]["colour"] = "red"
    assert plan_from(body).tasks[0].task == task()
    found = run_record.read({"began": "2026", "colour": "red", "provenance": {"machine": "x", "evalkit": 7}})
    again = codec.written(run_record.file_of(found, run="r", finished=True, evalkit="1"))
    assert (again["colour"], again["provenance"]) == ("red", {"machine": "x", "evalkit": 7})
    assert (again["run"], again["finished"], again["schema_version"]) == ("r", True, 1)
