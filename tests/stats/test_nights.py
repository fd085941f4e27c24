"""Between two nights on the same samples: what noise does is no finding, what is more than noise is one."""

import random

import pytest

from evalkit import stats
from evalkit.errors import DataError
from evalkit.stats import Occasions

N, TWICE, NIGHTS = 2_000, 500, 400


def wavering(rng, right, f):
    """One asking: of the share 2f of unsettled samples half come out otherwise than at another asking."""
    return [float(rng.random() < 0.5) if number < 2 * f * len(right) else one for number, one in enumerate(right)]


def nights(seed, f, lost=0.0):
    """Shifts of the recovery and of the candidate's score, each with the noise of its own noise floor."""
    rng = random.Random(seed)
    right = [float(rng.random() < 0.7) for _ in range(N)]
    worse = [0.0 if number >= N - lost * N else one for number, one in enumerate(right)]
    for _ in range(NIGHTS):
        base, cand = (Occasions(wavering(rng, right, f), wavering(rng, then, f)) for then in (right, worse))
        again = [(one - two) for one, two in zip(*(wavering(rng, right, f) for _ in range(2)), strict=True)]
        noise = stats.noise(rng.sample(again, TWICE))
        yield stats.recovery_shift(base, cand, noise), stats.score_shift(base, noise)


@pytest.mark.parametrize("f", [0.0, 0.003, 0.01, 0.03])
def test_nights_on_which_nothing_changed_are_found_changed_in_five_of_a_hundred_at_most(f):
    found = list(nights(7, f))
    for shifts in zip(*found, strict=True):
        assert sum(one.beyond for one in shifts) <= 0.05 * NIGHTS + 2 * (0.05 * 0.95 * NIGHTS) ** 0.5


def test_a_candidate_that_lost_three_points_is_found_changed_and_its_baseline_is_not():
    recoveries, baselines = zip(*nights(8, 0.01, lost=0.03), strict=True)
    assert sum(one.beyond for one in recoveries) > 0.95 * NIGHTS
    assert sum(one.beyond for one in baselines) < 0.09 * NIGHTS


def test_the_noise_of_a_recovery_is_that_of_two_nights_over_the_baseline():
    half = [1.0] * 50 + [0.0] * 50
    other = [1.0] * 40 + [0.0] * 60
    f = stats.noise([1.0, -1.0, *[0.0] * 98])
    assert f == pytest.approx(0.04)
    found = stats.recovery_shift(Occasions(half, half), Occasions(half, other), f)
    # Two nights differ by sqrt(2) as much as one wavers: 1.96 sqrt(2 (f + f) / (2 * 100)) / 0.5.
    assert found.noise == pytest.approx(100 * 1.959964 * (2 * 0.08 / 200) ** 0.5 / 0.5, rel=1e-6)
    assert (found.before, found.after, found.beyond) == (100.0, 80.0, True)


def test_answers_that_were_reused_have_no_chance_of_their_own():
    scores = [1.0, 0.0] * 50
    same, again = Occasions(scores, scores, afresh=False), Occasions(scores, scores)
    assert stats.score_shift(same, 0.02).noise == 0.0
    assert stats.score_shift(same, 0.02).beyond is False
    both, one = (stats.recovery_shift(base, again, 0.02).noise for base in (again, same))
    assert both == pytest.approx(2**0.5 * one)


def test_without_a_noise_floor_there_is_no_finding():
    model = Occasions([1.0, 1.0], [0.0, 0.0])
    assert stats.score_shift(model, None).beyond is None
    assert stats.recovery_shift(model, model, None) is None
    assert (model.flips.regressed, model.flips.improved) == (2, 0)
    with pytest.raises(DataError, match="asked twice"):
        stats.noise([])


def test_two_changes_seen_are_added_as_single_attempts_where_a_score_averages_several():
    assert stats.noise([0.0] * 100) == pytest.approx(2 / 100)
    assert stats.noise([0.1, *[0.0] * 99], attempts=50) == pytest.approx((0.01 + 2 / 50) / 100)


def test_nothing_asked_on_both_occasions_is_told():
    with pytest.raises(DataError, match="both occasions"):
        stats.score_shift(Occasions([], []), 0.1)
    with pytest.raises(DataError, match="cannot be paired"):
        stats.score_shift(Occasions([1.0], []), 0.1)
