"""The likeliest option, as lm-eval's ``acc`` counts it."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.tasks.metrics import score

LIKELIHOODS = st.lists(st.sampled_from([-9.5, -2.25, -1.0, -0.5, 0.0]), min_size=1, max_size=6)


def answer(values):
    return json.dumps({"loglikelihoods": values, "greedy": [False] * len(values), "method": "fast"})


@given(LIKELIHOODS, st.integers(0, 5))
def test_the_first_of_the_likeliest_options_counts_as_numpy_s_argmax_does(values, gold):
    found = score("acc", answer(values), {"gold": gold})
    likeliest = int(np.argmax(values))
    assert found.value == float(likeliest == gold)
    assert found.parsed == "ABCDEF"[likeliest]


@pytest.mark.parametrize(
    "said",
    [
        *("", "B", "[]", "{}", '{"loglikelihoods": []}', '{"loglikelihoods": [null]}'),
        *(answer([float("nan")] * 4), answer([-1.0, float("nan")])),
    ],
)
def test_an_answer_without_likelihoods_is_wrong_and_says_why(said):
    found = score("acc", said, {"gold": 0})
    assert (found.value, found.parsed, found.note) == (0.0, None, "no log-probabilities")


@pytest.mark.parametrize("references", [None, [], "A", {"choices": []}, {"gold": "A"}])
def test_without_a_right_option_nothing_can_be_right(references):
    found = score("acc", answer([-1.0, -2.0]), references)
    assert (found.value, found.note) == (0.0, "no references")
