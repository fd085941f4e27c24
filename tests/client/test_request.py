"""Policies that could never send anything are refused."""

import pytest

from evalkit.base.errors import UsageError
from evalkit.client import SendingPolicy


@pytest.mark.parametrize(
    "field",
    [
        {"window": 0},
        {"tries": 0},
        {"response_bytes": 0},
        {"lost_windows": 0},
        {"deadline_s": 0},
        {"deadline_s": float("nan")},
        {"connect_s": -1},
        {"first_wait_s": -0.1},
        {"longest_wait_s": float("nan")},
    ],
)
def test_a_field_that_is_too_small_is_named(field):
    (name,) = field
    with pytest.raises(UsageError, match=f"^{name} = "):
        SendingPolicy(**field)


def test_waits_of_nothing_are_allowed():
    assert SendingPolicy(window=1, tries=1, first_wait_s=0, longest_wait_s=0).first_wait_s == 0
