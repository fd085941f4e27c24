"""Every metric in every dialect, on our own cases and, where they lie beside the checkout, on those of the protocol."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.base.errors import UsageError
from evalkit.base.types import Score
from evalkit.tasks.metrics import DIALECTS, METRICS, score

GENERIC = {"choice", "contains", "exact_match", "number", "one_of", "regex", "relaxed_correctness"}
OF_TEXT = sorted(set(METRICS) - {"acc", "acc_by_subject"} - GENERIC)
"""The metrics that read a response's words; ``acc`` reads likelihoods."""
OURS = Path(__file__).with_name("cases.json")
PROTOCOL = Path(__file__).resolve().parents[4] / "shared" / "metric_cases.json"


def our_figures():
    for case in json.loads(OURS.read_text(encoding="utf-8")):
        for dialect in DIALECTS:
            # What may differ by dialect is one value, or a mapping from dialects.
            told = {
                key: case[key].get(dialect) if isinstance(case[key], dict) else case[key]
                for key in ("values", "note", "parsed")
                if key in case
            }
            told.setdefault("note", None)
            yield pytest.param(case, case["references"], dialect, told, id=f"{case['metric']}-{case['id']}-{dialect}")


def protocol_figures():
    """The figures of the protocol's file: ``score`` is for mistral, and for the others where they have none."""
    cases = json.loads(PROTOCOL.read_text(encoding="utf-8"))["cases"] if PROTOCOL.exists() else []
    for case in cases:
        told = {"mistral": {"values": case["score"]}}
        if "error" in case:
            told["mistral"] = {"values": 0.0, "noted": True}
        told["neuralmagic"] = {"values": case["score_nm_fork"]} if "score_nm_fork" in case else told["mistral"]
        if "score_vqa_official" in case:
            told["official"] = {"values": case["score_vqa_official"]}
        for dialect, figures in told.items():
            yield pytest.param(case, case["reference"], dialect, figures, id=f"protocol-{case['id']}-{dialect}")


@pytest.mark.parametrize(("case", "references", "dialect", "told"), [*our_figures(), *protocol_figures()])
def test_scores(case, references, dialect, told):
    found = score(case["metric"], case["answer"], references, dialect)
    assert found.value == pytest.approx(told["values"], abs=1e-12)
    if "note" in told:
        assert found.note == told["note"]
    if "noted" in told:
        assert found.note
    if "parsed" in told:
        assert found.parsed == told["parsed"]


def test_our_cases_reach_every_metric_dialect_and_note():
    cases = json.loads(OURS.read_text(encoding="utf-8"))
    assert {case["metric"] for case in cases} == set(OF_TEXT)
    notes = {note for case in cases for note in [score(case["metric"], case["answer"], case["references"]).note]}
    assert notes == {None, "no content", "no references", "reference is not text", "reference is infinite"}


def test_the_default_dialect_is_that_of_the_published_table():
    assert score("vqa_match", "Blue", ["blue"] * 10) == score("vqa_match", "Blue", ["blue"] * 10, "neuralmagic")
    assert score("vqa_match", "Blue", ["blue"] * 10).value == 1.0


def test_an_unknown_metric_names_the_near_miss():
    with pytest.raises(UsageError) as caught:
        score("vqa_mach", "a", ["a"])
    assert "vqa_mach" in caught.value.message
    assert caught.value.fix == "did you mean 'vqa_match'?"


def test_an_unknown_dialect_names_the_near_miss():
    with pytest.raises(UsageError) as caught:
        score("anls", "a", ["a"], "oficial")
    assert caught.value.fix == "did you mean 'official'?"


WORDS = st.sampled_from(
    [
        "answer:",
        "Answer**:",
        "\n",
        "is ",
        " ",
        "A",
        "yes",
        "the",
        "17",
        "1,000",
        "5%",
        "%",
        "$",
        "(",
        '"',
        "İ",
        "nan",
        "inf",
    ]
)
TEXT = st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=8).map("".join))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | st.just("answer"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.sampled_from(sorted(METRICS)), st.sampled_from(DIALECTS), TEXT | st.none(), ANY_JSON)
@example("anywhere_in_answer_relaxed_correctness", "mistral", "17", [10**400])
@example("explicit_prompt_relaxed_correctness", "mistral", "answer: 1e308", ["-1e308"])
@example("anls", "official", "\ud800", ["\udfff"])
def test_any_answer_and_any_references_have_a_score(metric, dialect, answer, references):
    found = score(metric, answer, references, dialect)
    assert 0.0 <= found.value <= 1.0
    assert isinstance(found, Score)
    assert found.parsed is None or found.parsed
    if found.note:
        assert found.value == 0.0


@given(st.sampled_from(OF_TEXT), st.sampled_from(DIALECTS), TEXT, st.lists(TEXT, min_size=1, max_size=5))
def test_references_of_text_never_need_a_note_but_for_infinity(metric, dialect, answer, references):
    assert score(metric, answer, references, dialect).note in {None, "reference is infinite"}


@given(st.sampled_from(sorted(METRICS)), st.sampled_from(DIALECTS), TEXT, TEXT)
def test_one_text_stands_for_a_list_of_one(metric, dialect, answer, reference):
    assert score(metric, answer, reference, dialect) == score(metric, answer, [reference], dialect)


@given(
    st.sampled_from(["explicit_prompt_relaxed_correctness", "anywhere_in_answer_relaxed_correctness"]), TEXT, ANY_JSON
)
def test_the_relaxed_metrics_are_the_same_in_every_dialect(metric, answer, references):
    first, *others = [score(metric, answer, references, dialect) for dialect in DIALECTS]
    assert others == [first] * len(others)


EXPLICIT, ANYWHERE = "explicit_prompt_relaxed_correctness", "anywhere_in_answer_relaxed_correctness"


@pytest.mark.parametrize("fault", [None, 7, {"x": 1}, {"answer": None}, ["seven"]])
@pytest.mark.parametrize("metric", ["vqa_match", "anls", EXPLICIT, ANYWHERE])
def test_what_the_fork_passes_over_is_left_out(metric, fault):
    assert score(metric, "Final Answer: seven", ["seven", fault]).left_out
    assert not score(metric, "Final Answer: seven", ["seven", "7"]).left_out
    assert not score(metric, None, ["seven", fault]).left_out


def test_what_the_fork_counts_as_zero_is_counted():
    assert not score("anls", "seven", []).left_out
    assert not score("vqa_match", "seven", []).left_out
    # Nothing was found in the answer, so nothing is compared.
    assert not score(EXPLICIT, "seven", [None]).left_out
    assert not score(ANYWHERE, "seven", [7, 7.5]).left_out
    assert score(EXPLICIT, "Final Answer: seven", []).left_out
    assert score(ANYWHERE, "seven", ["inf"]).left_out
