"""Attempts averaged within a sample, and pass@k against enumeration."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.stats import pass_at_k, within_sample


def test_ragged_attempts_are_averaged_within_a_sample_first():
    attempts = [("b", 1.0), ("a", 1.0), ("a", 0.0), ("a", 0.0), ("a", 0.0)]
    assert within_sample(attempts) == {"b": 1.0, "a": 0.25}
    assert list(within_sample(attempts)) == ["b", "a"]
    assert within_sample([]) == {}


@given(data=st.data(), n=st.integers(1, 7))
def test_pass_at_k_is_the_share_of_choices_with_a_pass(data, n):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    choices = list(combinations([True] * c + [False] * (n - c), k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, choices)) / len(choices))


def test_pass_at_k_of_many_attempts_neither_overflows_nor_cancels():
    assert pass_at_k(200, 10, 1) == pytest.approx(0.05)
    assert pass_at_k(200, 0, 100) == 0.0
    assert pass_at_k(10_000, 1, 1) == pytest.approx(1e-4)
    assert pass_at_k(100_000, 50_000, 100) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(DataError):
        pass_at_k(n, c, k)
