"""Why an answer got its score: the line says what was read, beside what, and never the contrary of the score."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Score
from evalkit.tasks.metrics import DIALECTS, METRICS, score
from evalkit.tasks.metrics.why import why

PEOPLE = [{"answer": "yes"}] * 2 + [{"answer": "no"}] * 8


@pytest.mark.parametrize(
    ("metric", "answer", "references", "said"),
    [
        ("anls", "paris.", ["London", "Paris"], "anls: 'paris' beside 'Paris' is 1.00 by edit distance"),
        ("anls@official", "pxrzz", ["Paris"],
         "anls@official: 'pxrzz' beside 'Paris' is 0.00 by edit distance (below 0.5 counts 0)"),
        ("vqa_match", "Yes", PEOPLE, "vqa_match: 2 of 10 people said 'yes': a third for each, 1 at most"),
        ("vqa_match", "blue", PEOPLE, "vqa_match: 0 of 10 people said 'blue'; most said 'no'"),
        ("relaxed_correctness", "12.1", ["12"], "relaxed_correctness: '12.1' is within 5 % of '12' (0.833 % off)"),
        ("relaxed_correctness", "13", ["12"], "relaxed_correctness: '13' is not within 5 % of '12' (8.33 % off)"),
        ("relaxed_correctness", "45%", ["0.44"], "relaxed_correctness: '45%' is within 5 % of '0.44' (2.27 % off)"),
        ("explicit_prompt_relaxed_correctness", "12", ["12"],
         "explicit_prompt_relaxed_correctness: nothing could be read of the answer"),
        ("anywhere_in_answer_relaxed_correctness", "it is 12", ["12"],
         "anywhere_in_answer_relaxed_correctness: no text after 'answer:', but '12' stands in the answer"),
        ("acc", '{"loglikelihoods": [-1, -3, -0.2]}', {"gold": 1}, "acc: C is the likeliest option, and B is right"),
        ("exact_match", "Foo", ["foo"], "exact_match: read 'Foo': right, the reference is 'foo'"),
        ("exact_match", "e", ["a", "b", "c", "d"],
         "exact_match: read 'e': wrong, the reference is 'a' or 'b' or 'c' or one of 1 more"),
        ("contains", "no", ["yes"], "contains: 'yes' does not stand in the answer"),
        ("exact_match", None, ["a"], "exact_match: no content"),
    ],
)  # fmt: skip
def test_the_line_says_what_was_read_and_what_it_was_held_against(metric, answer, references, said):
    name, _, own = metric.partition("@")
    dialect = own or "neuralmagic"
    assert why(metric, score(name, answer, references, dialect), references, dialect) == said


def test_a_checker_is_quoted_and_a_metric_of_ones_own_told_in_general_words():
    judged = {"base": "pass", "plus": "fail", "details": [1, 2]}
    assert (
        why("pass@1", Score(0.0, "code"), {}, "official", judged) == "pass@1: the checker says base: pass, plus: fail"
    )
    assert why("own", Score(0.5, "x"), ["y"], "official") == "own: read 'x', which counts 0.50"


@given(st.sampled_from(sorted(METRICS)), st.sampled_from(DIALECTS), st.text(), st.lists(st.text(), max_size=4))
def test_any_answer_has_one_short_line_that_does_not_contradict_its_score(metric, dialect, answer, references):
    found = score(metric, answer, references, dialect)
    line = why(metric, found, references, dialect)
    assert line.startswith(f"{metric}: ")
    assert "\n" not in line
    assert len(line) < 400
    if found.value == 1.0:
        assert "not within" not in line
        assert "wrong" not in line.partition("'")[0]
    if "is within 5 %" in line.partition("'")[2].partition("'")[2]:
        assert found.value == 1.0
