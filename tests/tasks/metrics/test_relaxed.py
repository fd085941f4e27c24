import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.tasks.metrics import score

EXPLICIT = "explicit_prompt_relaxed_correctness"
ANYWHERE = "anywhere_in_answer_relaxed_correctness"
NUMBERS = st.integers(min_value=-(10**6), max_value=10**6).filter(bool)


def stated(answer, reference):
    return score(EXPLICIT, f"Final Answer: {answer}", [reference]).value


@given(NUMBERS)
def test_a_number_equals_itself_with_and_without_separators(number):
    assert stated(f"{number:,}", str(number)) == 1.0
    assert stated(f"${number}.", str(number)) == 1.0


@given(NUMBERS, st.integers(min_value=-200, max_value=200))
def test_five_percent_is_the_tolerance(number, thousandths):
    assume(abs(thousandths) != 50)  # on the edge, floating point decides
    answer = number * (1 + thousandths / 1000)
    assert stated(f"{answer:.9f}", str(number)) == float(abs(thousandths) < 50)


@given(st.sampled_from("ABCDEFGHI"), st.sampled_from("ABCDEFGHI"))
@pytest.mark.parametrize("form", ["{}", "({})", "{}.", "{})", "**{}**", "{}: 12 km", "{}. Paris"])
def test_forms_of_a_lettered_answer(form, letter, reference):
    assert stated(form.format(letter), reference) == float(letter == reference)


@pytest.mark.parametrize("form", ["Option {}", "$\\boxed{{{}}}$", "The answer is {}", "`{}`", "<{}>"])
def test_forms_that_are_not_read_as_a_letter(form):
    assert stated(form.format("B"), "B") == 0.0


@given(st.text(max_size=60), st.sampled_from(["17", "A", "yes", "0.5"]))
def test_anywhere_is_explicit_where_an_answer_is_stated(text, reference):
    explicit = score(EXPLICIT, text, [reference])
    anywhere = score(ANYWHERE, text, [reference])
    assert anywhere.parsed == explicit.parsed
    if explicit.parsed:
        assert anywhere == explicit
    else:
        assert explicit.value == 0.0


@given(st.integers(min_value=0), st.text(alphabet="abc ", max_size=5), st.text(alphabet="abc ", max_size=5))
def test_a_whole_number_is_found_anywhere(number, before, after):
    assume(number < 10**15)
    assert score(ANYWHERE, f"{before}{number:,}{after}", [str(number)]).value == 1.0
    assert score(ANYWHERE, f"{before}{number}{after}", [str(number)]).value == 1.0


def test_a_whole_number_too_large_for_a_float_counts_as_infinite():
    assert score(ANYWHERE, "endless", [10**400]).note == "reference is infinite"
