"""exact_match, contains and number: what each forgives, and what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import UsageError
from evalkit.tasks.metrics import MEANT, METRICS, score

WORDS = st.text("abc xyz.0-9,", max_size=12)


@pytest.mark.parametrize(
    ("metric", "answer", "references", "value"),
    [
        ("exact_match", " Blue  sky\n", ["blue sky"], 1.0),
        ("exact_match", "42.", ["42"], 0.0),
        ("exact_match", "42", [42], 1.0),
        ("exact_match", "b", ["a", "b"], 1.0),
        ("contains", "It is the Blue Sky.", ["blue sky"], 1.0),
        ("contains", "I know", ["no"], 0.0),
        ("contains", "answer: 7", [17], 0.0),
        ("contains", "C++!", ["c++"], 1.0),
        ("number", "2 + 40 makes 42.", ["42"], 1.0),
        ("number", "$1,234.50", ["1234.5"], 1.0),
        ("number", "about \u22123 degrees", [-3], 1.0),
        ("number", "7 %", [0.07], 0.0),
        ("number", "1e3", ["1000"], 1.0),
        ("number", "A4", [4], 0.0),
        ("number", "the last of 1 and 2", [1], 0.0),
    ],
)
def test_what_counts(metric, answer, references, value):
    assert score(metric, answer, references).value == value


@pytest.mark.parametrize("metric", ["exact_match", "contains", "number"])
@pytest.mark.parametrize("references", [[], None, [None], [True], [{"answer": "a"}]])
def test_references_at_fault_are_left_out(metric, references):
    assert score(metric, "a", references).left_out
    assert score(metric, None, references).note == "no content"


def test_a_reference_without_a_number_is_left_out():
    assert score("number", "4", ["four"]).note == "reference is no number"
    assert score("number", "four", ["4"]).parsed is None


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_what_matches_exactly_is_contained(answer, references):
    if score("exact_match", answer, references).value and answer.strip():
        assert score("contains", answer, references).value == 1.0


@given(st.integers(-(10**9), 10**9), st.sampled_from(["", "It is ", "12 and "]), st.sampled_from(["", ".", " kg", "%"]))
def test_a_number_is_found_however_it_is_written(value, before, after):
    assert score("number", f"{before}{value:,}{after}", [value]).value == 1.0
    assert score("number", f"{before}{value}{after}", [str(value + 1)]).value == 0.0


def test_names_of_other_tools_are_understood_by_meaning():
    def fix(name):
        with pytest.raises(UsageError) as caught:
            score(name, "a", ["a"])
        return caught.value.fix

    assert fix("includes") == "did you mean 'contains'?"
    assert fix("accuracy") == "did you mean 'exact_match'?"
    assert fix("exactt_match") == "did you mean 'exact_match'?"
    # Most of its letters are those of another metric, and its meaning is not.
    assert fix("fuzzy_match").startswith("known: acc")
    assert set(MEANT.values()) <= set(METRICS)
