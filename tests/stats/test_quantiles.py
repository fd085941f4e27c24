"""Quantiles against printed tables and against the definition; the sign test against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.quantiles import normal_below, normal_quantile, sign_test, t_below, t_quantile, two_sided

# Two-sided 95 % points of Student's t, as every printed table has them.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 10: 2.228, 29: 2.045, 30: 2.042, 60: 2.000, 120: 1.980}


@pytest.mark.parametrize(("degrees", "printed"), TABLE.items())
def test_t_quantile_is_the_printed_one(degrees, printed):
    assert t_quantile(0.975, degrees) == pytest.approx(printed, abs=5e-4)


@pytest.mark.parametrize("degrees", [1, 2, 7, 56, 100, 101, 250])
@pytest.mark.parametrize("probability", [0.6, 0.95, 0.995])
def test_t_quantile_encloses_its_probability(degrees, probability):
    scale = math.gamma((degrees + 1) / 2) / math.gamma(degrees / 2) / math.sqrt(degrees * math.pi)
    steps = 4000
    end = t_quantile(probability, degrees)
    heights = [(1 + (end * i / steps) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(steps + 1)]
    area = (heights[0] + heights[-1] + 4 * sum(heights[1::2]) + 2 * sum(heights[2:-1:2])) * end / steps / 3
    assert 0.5 + scale * area == pytest.approx(probability, abs=1e-8)


def test_t_quantile_is_odd_and_tends_to_the_normal_one():
    assert t_quantile(0.025, 12) == -t_quantile(0.975, 12)
    assert t_quantile(0.975, 10**9) == pytest.approx(normal_quantile(0.975), abs=1e-8)


def test_two_sided():
    assert two_sided(0.95) == pytest.approx(1.959963984540054)


@given(first=st.integers(0, 60), second=st.integers(0, 60))
def test_sign_test_is_twice_the_exact_tail(first, second):
    events = first + second
    tail = sum(Fraction(math.comb(events, k), 2**events) for k in range(min(first, second) + 1))
    assert sign_test(first, second) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-10)


def test_sign_test_of_many_events():
    # 21,000 against 20,000: 4.938 standard errors, with the continuity correction 4.934.
    assert sign_test(20_000, 21_000) == pytest.approx(math.erfc(999 / math.sqrt(41_000) / math.sqrt(2)), rel=0.01)
    assert sign_test(0, 100_000) == 0.0


@pytest.mark.parametrize("degrees", [1, 4, 57, 300])
@pytest.mark.parametrize("probability", [0.001, 0.025, 0.4, 0.5, 0.9999])
def test_t_below_is_the_inverse_of_its_quantile(degrees, probability):
    assert t_below(t_quantile(probability, degrees), degrees) == pytest.approx(probability, rel=1e-6)


def test_probabilities_at_the_ends():
    assert (t_below(math.inf, 3), t_below(-math.inf, 3)) == (1.0, 0.0)
    assert normal_below(normal_quantile(0.025)) == pytest.approx(0.025)
    assert normal_below(-9.0) == pytest.approx(1.1286e-19, rel=1e-3)
