"""Between two nights on the same samples: what noise does is no finding, what is more than noise is one."""

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats
from evalkit.base.errors import DataError
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
        again = [(one - two) for one, two in zip(*(wavering(rng, right, f) for _ in range(2)), strict=True)]
        noise = stats.noise(rng.sample(again, TWICE))
        base, cand = (Occasions(wavering(rng, right, f), wavering(rng, then, f), noise) for then in (right, worse))
        yield stats.recovery_shift([base], [cand]).beyond, stats.score_shift([base]).beyond, base.flipped


def often(share):
    """As many of the nights as a share of them gives, with two standard errors of the study."""
    return share * NIGHTS + 2 * (share * (1 - share) * NIGHTS) ** 0.5


@pytest.mark.parametrize("f", [0.0, 0.003, 0.01, 0.03])
def test_nights_on_which_nothing_changed_are_found_changed_in_five_of_a_hundred_at_most(f):
    recoveries, baselines, flipped = map(sum, zip(*nights(7, f), strict=True))
    assert max(recoveries, baselines) <= often(0.05)
    assert flipped <= often(0.025)


def test_a_candidate_that_lost_three_points_is_found_changed_and_its_baseline_is_not():
    recoveries, baselines, _ = map(sum, zip(*nights(8, 0.01, lost=0.03), strict=True))
    assert recoveries > 0.95 * NIGHTS
    assert baselines < 0.09 * NIGHTS


def test_as_many_answers_worse_as_better_are_found_although_the_mean_stays():
    before = [1.0, 0.0] * 200
    after = [0.0, 1.0] * 40 + [1.0, 0.0] * 160
    few = Occasions(before, after, stats.noise([1.0, -1.0, *[0.0] * 198]))
    assert stats.score_shift([few]).beyond is False
    assert (few.flips.regressed, few.flips.improved, few.flipped) == (40, 40, True)
    # A noise floor with as large a share of flips: 40 of 200 beside 80 of 400.
    assert Occasions(before, after, stats.noise([1.0, -1.0] * 20 + [0.0] * 160)).flipped is False


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_the_flips_of_noise_are_the_most_that_fishers_exact_test_does_not_reject(n, asked, data):
    seen = data.draw(st.integers(0, asked))
    noise = stats.noise([1.0] * seen + [0.0] * (asked - seen))
    within = Occasions([0.0] * n, [0.0] * n, noise).flips_of_noise

    def p(flips):
        """One-sided: as few flips in the noise floor or fewer, of all that flipped."""
        all_of_them, whole = flips + seen, math.comb(n + asked, asked)
        ways = sum(math.comb(all_of_them, k) * math.comb(n + asked - all_of_them, asked - k) for k in range(seen + 1))
        return Fraction(ways, whole)

    assert p(within) > Fraction(25, 1000) or within == 0
    assert within == n or p(within + 1) <= Fraction(25, 1000)


def test_the_noise_of_a_recovery_is_that_of_two_nights_over_the_baseline():
    half = [1.0] * 50 + [0.0] * 50
    other = [1.0] * 40 + [0.0] * 60
    noise = stats.noise([1.0, -1.0, *[0.0] * 98])
    assert (noise.f, noise.changed, noise.asked) == (pytest.approx(0.04), 2, 100)
    found = stats.recovery_shift([Occasions(half, half, noise)], [Occasions(half, other, noise)])
    # Two nights differ by sqrt(2) as much as one wavers: 1.96 sqrt(2 (f + f) / (2 * 100)) / 0.5.
    assert found.noise == pytest.approx(100 * 1.959964 * (2 * 0.08 / 200) ** 0.5 / 0.5, rel=1e-6)
    assert (found.before, found.after, found.beyond) == (100.0, 80.0, True)


def test_the_noise_of_an_average_is_that_of_the_mean_of_its_tasks():
    right, some, half = [1.0] * 100, [1.0] * 80 + [0.0] * 20, [1.0] * 50 + [0.0] * 50
    noises = [stats.noise([1.0] * flips + [0.0] * 98) for flips in (2, 5)]
    base = [Occasions(one, one, noise) for one, noise in zip((right, half), noises, strict=True)]
    cand = [Occasions(one, two, noise) for (one, two), noise in zip(((right, some), (half, half)), noises, strict=True)]
    found = stats.recovery_shift(base, cand)
    assert (found.before, found.after) == (100.0, pytest.approx(100 * 0.65 / 0.75))
    variance = sum(2 * noise.f / 100 for noise in noises) / 2**2
    assert found.noise == pytest.approx(100 * 1.959964 * variance**0.5 / 0.75, rel=1e-6)
    assert stats.score_shift(cand).noise == pytest.approx(1.959964 * (variance / 2) ** 0.5, rel=1e-6)
    unknown = [cand[0], Occasions(half, half)]
    assert stats.score_shift(unknown).noise is None
    assert stats.recovery_shift(base, unknown).beyond is None


def test_answers_that_were_reused_have_no_chance_of_their_own():
    scores, noise = [1.0, 0.0] * 50, stats.noise([1.0, *[0.0] * 99])
    same, again = Occasions(scores, scores, noise, afresh=False), Occasions(scores, scores, noise)
    assert stats.score_shift([same]).noise == 0.0
    assert (stats.score_shift([same]).beyond, same.flips_of_noise, same.flipped) == (False, 0, False)
    both, one = (stats.recovery_shift([base], [again]).noise for base in (again, same))
    assert both == pytest.approx(2**0.5 * one)


def test_without_a_noise_floor_there_is_no_finding():
    model = Occasions([1.0, 1.0], [0.0, 0.0])
    assert stats.score_shift([model]).beyond is None
    assert (model.flips_of_noise, model.flipped) == (None, None)
    assert stats.recovery_shift([model], [model]) is None
    assert (model.flips.regressed, model.flips.improved) == (2, 0)
    with pytest.raises(DataError, match="asked twice"):
        stats.noise([])


def test_two_changes_seen_are_added_as_single_attempts_where_a_score_averages_several():
    assert stats.noise([0.0] * 100).f == pytest.approx(2 / 100)
    assert stats.noise([0.1, *[0.0] * 99], attempts=50).f == pytest.approx((0.01 + 2 / 50) / 100)


def test_nothing_asked_on_both_occasions_is_told():
    for nothing in ([], [Occasions([], [])]):
        with pytest.raises(DataError, match="both occasions"):
            stats.score_shift(nothing)
    with pytest.raises(DataError, match="cannot be paired"):
        stats.score_shift([Occasions([1.0], [])])
