"""choice, one_of, regex and relaxed_correctness: what each reads of an answer."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.tasks.metrics import score
from evalkit.tasks.metrics.pattern import PatternError, check, last

ASKED = {"answers": ["Rome"], "options": ["Paris", "Rome", "New York", "York"], "right": [1]}


@pytest.mark.parametrize(
    ("answer", "parsed"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("**B.**", "B"),
        ("B. Rome", "B"),
        ("B) because it is old", "B"),
        ("The answer is B", "B"),
        ("I first thought the answer is A. No: the answer is **B**.", "B"),
        ("Answer: (B)", "B"),
        (r"so \boxed{B}", "B"),
        (r"so $\boxed{\text{B}}$.", "B"),
        ("rome.", "B"),
        ("Both are old.\nB. Rome", "B"),
        ("The correct option is A", "A"),
        ("Answer a question with a question", None),
        ("E", None),
        ("A good question", None),
        ("It could be A or B", None),
        ("", None),
    ],
)
def test_the_letter_that_is_chosen(answer, parsed):
    found = score("choice", answer, [ASKED])
    assert (found.parsed, found.value) == (parsed, float(parsed == "B"))


@pytest.mark.parametrize(
    ("answer", "right", "value"),
    [
        ("It is rome.", 1, 1.0),
        ("Rome or Paris", 1, 0.0),
        ("in new york!", 2, 1.0),
        ("in new york!", 3, 0.0),
        ("New York, and York", 3, 0.0),
        ("Romeo", 1, 0.0),
        ("none", 1, 0.0),
    ],
)
def test_the_one_option_that_is_named(answer, right, value):
    assert score("one_of", answer, [{**ASKED, "right": [right]}]).value == value


@pytest.mark.parametrize("metric", ["choice", "one_of"])
@pytest.mark.parametrize(
    "references", [[], [{"options": []}], ["B"], [{"options": ["a"], "right": ["a"]}], [ASKED, ASKED]]
)
def test_without_options_nothing_is_compared(metric, references):
    assert (score(metric, "B", references).note, score(metric, "B", references).left_out) == ("no options", True)


@pytest.mark.parametrize(
    ("answer", "patterns", "value"),
    [
        ("order 66-a", [r"\d{2}-[ab]"], 1.0),
        ("order", [r"^ord", "x"], 1.0),
        ("an order", [r"^ord"], 0.0),
        ("ORDER", ["order"], 0.0),
        ("ORDER", ["(?i)order"], 1.0),
        ("a\nb", ["(?m)^b$"], 1.0),
    ],
)
def test_a_pattern_is_found_or_not(answer, patterns, value):
    assert score("regex", answer, patterns).value == value


@pytest.mark.parametrize("pattern", ["(", "(?=x)", r"\1", 7, None])
def test_what_is_no_pattern_is_left_out(pattern):
    found = score("regex", "x", [pattern])
    assert (found.note, found.left_out) == ("reference is no regular expression", True)


def test_a_pattern_made_to_take_for_ever_does_not():
    began = time.process_time()
    assert score("regex", "a" * 50_000 + "!", ["(a+)+$"]).value == 0.0
    assert time.process_time() - began < 10


def test_the_last_find_counts_by_its_first_group():
    assert last(r"x=(\d)|y=(\d)", "x=1 y=2") == "2"
    assert last(r"\d", "a1b2") == "2"
    assert last(r"\d", "none") is None
    with pytest.raises(PatternError, match="missing"):
        check("(")


@given(st.text(), st.text())
def test_any_pattern_and_any_answer_have_a_score(answer, pattern):
    assert score("regex", answer, [pattern]).value in {0.0, 1.0}


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [("104", "100", 1.0), ("106", "100", 0.0), ("Blue", "blue", 1.0), ("10%", "0.1", 1.0), ("10 percent", "0.1", 0.0)],
)
def test_the_whole_answer_within_five_per_cent(answer, reference, value):
    assert score("relaxed_correctness", answer, [reference]).value == value
