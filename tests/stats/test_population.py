"""What is expected of a task: the recovery asked for, what was seen kept, and data sets as samples one by one give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import Grouping, guessed, informed, pair_totals, seen


def fixed():
    return np.random.default_rng(11)


def means(population):
    """Size, sums and changed samples of a mean cluster."""
    return [
        math.fsum(share * of(one) for one, share in population.shares.items())
        for of in (
            len,
            lambda one: sum(x for x, _ in one),
            lambda one: sum(y for _, y in one),
            lambda one: sum(x != y for x, y in one),
        )
    ]


SCORES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@given(
    st.lists(st.tuples(SCORES, SCORES, st.integers(0, 5)), min_size=1, max_size=40).filter(
        lambda rows: any(x + y for x, y, _ in rows)
    ),
    st.floats(0.0, 1.05),
    st.booleans(),
)
def test_the_true_recovery_is_the_one_asked_for(rows, recovery, clustered):
    x, y, groups = zip(*rows, strict=True)
    grouping = Grouping([str(group) for group in groups]) if clustered else None
    found = seen(x, y, grouping).at(recovery)
    assert sum(found.shares.values()) == pytest.approx(1.0)
    assert min(found.shares.values()) >= -1e-12
    _, base, cand, _ = means(found)
    assert cand == pytest.approx(recovery * base, abs=1e-9)


@pytest.mark.parametrize("attempts", [1, 10, 50])
@pytest.mark.parametrize(("baseline", "discordance"), [(0.7, 0.1), (0.2, 0.02), (0.5, 0.9)])
def test_a_guess_has_the_score_and_the_changes_that_it_names(baseline, discordance, attempts):
    found = guessed(baseline, discordance, attempts)
    size, base, cand, _ = means(found)
    assert (size, base) == (1.0, pytest.approx(cand))
    assert base == pytest.approx(baseline, abs=0.05 * discordance if attempts > 1 else 1e-9)
    variance = discordance * (0.1 + 0.9 / attempts)
    assert found.standard_error(1) ** 2 == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(("baseline", "discordance"), [(-0.1, 0.1), (0.5, 1.1)])
def test_a_guess_that_is_no_share_is_refused(baseline, discordance):
    with pytest.raises(DataError):
        guessed(baseline, discordance)


def test_a_baseline_of_zero_has_no_recovery():
    with pytest.raises(DataError):
        seen([0.0], [0.0]).at(0.9)


def test_three_pairs_hardly_move_a_guess_and_thousands_replace_it():
    guess = guessed(0.7, 0.1)

    def changed(n, flips):
        x = [1.0] * n
        return means(informed(guess, seen(x, [0.0] * flips + x[flips:]), n))[3]

    assert changed(3, 0) == pytest.approx(0.1 * 20 / 23)
    assert changed(3, 3) == pytest.approx((3 + 2) / 23)
    assert changed(4000, 0) == pytest.approx(2 / 4020)
    assert changed(4000, 200) == pytest.approx(202 / 4020)


def test_another_share_of_changes_keeps_how_samples_change():
    found = seen([1.0, 1.0, 0.0, 1.0], [0.5, 1.0, 0.0, 1.0], Grouping(["a", "a", "b", "c"]))
    size, _, _, changed = means(found.changing(0.4))
    assert changed / size == pytest.approx(0.4)
    assert set(found.changing(0.4).shares) == set(found.shares)
    # Where all that can change does, more cannot.
    size, _, _, changed = means(found.changing(0.9))
    assert changed / size == pytest.approx(0.5)


def test_many_fractional_scores_that_do_not_change_are_few_kinds():
    chance = fixed()
    x = chance.random(4000).tolist()
    assert len(seen(x, x).shares) <= 11
    assert seen(x, x).baseline == pytest.approx(sum(x) / 4000)


@pytest.mark.parametrize("attempts", [1, 20])
def test_data_sets_are_those_of_samples_one_by_one(attempts):
    """Drawn sample by sample below 200 expected carriers, from the normal limit above: the same totals on average."""
    population = guessed(0.6, 0.1, attempts).at(0.97)
    kinds, shares = zip(*population.shares.items(), strict=True)
    chance = fixed()
    for n in (150, 4000):
        drawn = list(population.draw(n, 300, chance))
        single = []
        for _ in range(60):
            rows = [kinds[at][0] for at in chance.choice(len(kinds), size=n, p=shares)]
            single.append(pair_totals([x for x, _ in rows], [y for _, y in rows], attempts=attempts))
        for of in (
            lambda one: one.x,
            lambda one: one.y,
            lambda one: one.covariance.of_difference(0.97),
            lambda one: one.carriers,
        ):
            mine, theirs = ([of(one) for one in rows] for rows in (drawn, single))
            error = math.hypot(np.std(mine) / math.sqrt(300), np.std(theirs) / math.sqrt(60))
            assert np.mean(mine) == pytest.approx(np.mean(theirs), abs=4.5 * error + 0.02 * abs(np.mean(theirs)))
        assert {one.n for one in drawn} == {n}
        assert {one.attempts for one in drawn} == {attempts}


def test_strata_are_drawn_in_their_shares():
    found = seen([1.0] * 10, [1.0] * 9 + [0.0], Grouping(None, ["a"] * 5 + ["b"] * 3 + ["c"] * 2))
    assert found.strata == (0.2, 0.3, 0.5)
    (one,) = found.draw(100, 1, fixed())
    assert (one.n, one.strata) == (100, 3)


def test_clusters_are_drawn_whole():
    x, y = [1.0] * 40, [0.0] * 4 + [1.0] * 36
    found = seen(x, y, Grouping([str(at // 4) for at in range(40)]))
    for one in found.draw(80, 20, fixed()):
        assert (one.n, one.clusters, one.largest_cluster) == (80, 20, 4)
        assert (80 * one.y) % 4 == pytest.approx(0.0)
