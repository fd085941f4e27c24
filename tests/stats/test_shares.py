"""Shares with the rounding errors of other programs' arithmetic."""

import math

import pytest

from evalkit.stats import share


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0000000000000002, 1.0), (1.0000001192092896, 1.0), (-1e-17, 0.0), (-3e-8, 0.0), (0.25, 0.25), (True, 1.0)],
)
def test_a_rounding_error_is_taken_off(value, expected):
    assert share(value) == expected


@pytest.mark.parametrize("value", [1.001, -0.001, 70.5, math.nan, math.inf, -math.inf])
def test_what_is_no_share(value):
    assert share(value) is None
