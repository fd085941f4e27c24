"""Rows tested at once: a row's p belongs to its interval, and Holm's rule leaves what is beyond the chance of many."""

from __future__ import annotations

import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.stats import average_recovery, holm, p_of_loss, pair_totals, recovery_of

THRESHOLD = 99.0


def drawn(seed, n=900, groups=None):
    rng = random.Random(seed)
    base = [float(rng.random() < 0.7) for _ in range(n)]
    cand = [score if rng.random() > 0.05 else float(rng.random() < 0.4) for score in base]
    return pair_totals(base, cand, groups)


@given(
    counts=st.tuples(st.integers(1, 400), st.integers(0, 150), st.integers(0, 150), st.integers(0, 400)),
    size=st.sampled_from([1, 2, 5]),
)
def test_the_p_of_a_row_is_below_a_fortieth_when_its_interval_is_below_the_threshold(counts, size):
    both, down, up, neither = counts
    assume(both + down + up + neither > 2 * size)
    base = [1.0] * (both + down) + [0.0] * (up + neither)
    cand = [1.0] * both + [0.0] * down + [1.0] * up + [0.0] * neither
    clusters = [str(at // size) for at in range(len(base))]
    totals = pair_totals(base, cand, clusters)
    found = recovery_of(totals)
    assume(abs(found.high - THRESHOLD) > 1e-4)
    assert (p_of_loss((totals,), THRESHOLD) < 0.025) == (found.high < THRESHOLD)


def test_the_interval_of_confidence_one_less_twice_p_ends_at_the_threshold():
    for groups in (None, [str(at // 4) for at in range(900)]):
        totals = drawn(1, groups=groups)
        p = p_of_loss((totals,), 100.5)
        assert recovery_of(totals, 1 - 2 * p).high == pytest.approx(100.5, abs=1e-4)
    tasks = [drawn(seed) for seed in (2, 3, 4)]
    p = p_of_loss(tasks, 100.2)
    assert average_recovery(tasks, 1 - 2 * p).high == pytest.approx(100.2, abs=1e-4)


@pytest.mark.parametrize(
    ("found", "family", "stand"),
    [
        ([0.02], 1, [True]),
        ([0.02], 2, [False]),
        ([0.01, 0.02], 2, [True, True]),
        ([0.02, 0.01], 2, [True, True]),
        ([0.02, 0.02], 2, [False, False]),
        ([0.003, 0.02, 0.004], 7, [True, False, True]),
        ([0.004, 0.0001], 7, [True, True]),
        ([], 7, []),
    ],
)
def test_holm(found, family, stand):
    assert holm(found, family) == stand


def test_among_seven_rows_at_the_threshold_one_is_called_degraded_in_one_run_of_forty():
    """Each alone it is one run of six or seven; the numbers are the uniform p of rows that have lost nothing."""
    rng = random.Random(8)
    some = together = 0
    for _ in range(4000):
        found = [p for p in (rng.random() for _ in range(7)) if p < 0.025]
        some += bool(found)
        together += any(holm(found, 7))
    assert some / 4000 == pytest.approx(1 - 0.975**7, abs=0.02)
    assert together / 4000 == pytest.approx(0.025, abs=0.008)
