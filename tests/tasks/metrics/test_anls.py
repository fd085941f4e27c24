import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.tasks.metrics import score

TEXT = st.text(alphabet="abcß İ.%\n", max_size=12)
PUBLISHED = ["neuralmagic", "mistral"]


def anls(answer, references, dialect="neuralmagic"):
    return score("anls", answer, references, dialect).value


@pytest.mark.parametrize("dialect", PUBLISHED)
def test_partial_credit_has_no_threshold(dialect):
    assert anls("abcdefghij", ["a"], dialect) == pytest.approx(0.1)


def test_the_official_threshold_keeps_exactly_one_half():
    assert anls("ab", ["ax"], "official") == 0.5
    assert anls("abc", ["axx"], "official") == 0.0


@given(TEXT, TEXT)
def test_answer_and_reference_may_change_places(one, other):
    assert anls(one, [other]) == anls(other, [one])
    assert anls(one, [other], "official") == anls(other, [one], "official")


@given(TEXT)
def test_a_text_equals_itself(text):
    assert anls(text, [text]) == 1.0


@given(TEXT, st.lists(TEXT, min_size=1, max_size=4))
def test_the_nearest_reference_counts(answer, references):
    assert anls(answer, references) == max(anls(answer, [reference]) for reference in references)


@given(TEXT, TEXT)
def test_the_official_score_is_nothing_or_at_least_one_half(answer, reference):
    found = anls(answer, [reference], "official")
    assert found == 0.0 or 0.5 <= found <= 1.0
