"""Totals of pairs: means, jackknife covariance, how many samples carry the variance."""

from __future__ import annotations

from statistics import fmean, variance

import pytest

from evalkit.errors import DataError
from evalkit.stats import pair_totals
from evalkit.stats.totals import carriers


def test_without_clusters_the_covariance_is_the_textbook_one():
    x, y = [0.2, 0.5, 0.9, 1.0], [0.1, 0.5, 1.0, 0.4]
    totals = pair_totals(x, y)
    assert (totals.n, totals.clusters, totals.clustered) == (4, 4, False)
    assert (totals.x, totals.y) == (pytest.approx(fmean(x)), pytest.approx(fmean(y)))
    assert totals.covariance.x == pytest.approx(variance(x) / 4)
    assert totals.covariance.y == pytest.approx(variance(y) / 4)
    assert totals.covariance.xy == pytest.approx(
        (variance([a + b for a, b in zip(x, y, strict=True)]) - variance(x) - variance(y)) / 8
    )


def test_clustered_covariance_is_what_leaving_out_each_cluster_in_turn_gives():
    x, y = [1, 0, 1, 1, 0, 1], [1, 0, 0, 1, 1, 1]
    clusters = ["a", "a", "a", "b", "b", "c"]
    left_out = [
        fmean(b - 0.5 * a for a, b, own in zip(x, y, clusters, strict=True) if own != cluster)
        for cluster in ("a", "b", "c")
    ]
    whole = fmean(b - 0.5 * a for a, b in zip(x, y, strict=True))
    expected = 2 / 3 * sum((part - whole) ** 2 for part in left_out)
    totals = pair_totals(x, y, clusters)
    assert totals.clusters == 3
    assert totals.covariance.of_difference(0.5) == pytest.approx(expected)
    assert totals.cluster_size == pytest.approx((9 + 4 + 1) / 6)


def test_a_sample_without_a_cluster_stands_alone():
    totals = pair_totals([1, 0, 1], [1, 1, 0], ["a", None, None])
    assert totals.clusters == 3
    assert not totals.clustered


def test_carriers_are_about_the_samples_that_changed():
    baseline = [1.0] * 500 + [0.0] * 500
    candidate = [0.0] * 12 + [1.0] * 488 + [1.0] * 12 + [0.0] * 488
    assert pair_totals(baseline, candidate).carriers == pytest.approx(24)
    assert pair_totals(baseline, baseline).carriers == 0


def test_one_large_deviation_among_small_ones_carries_almost_alone():
    assert carriers([(1.0, 1), (0.01, 50)]) == pytest.approx(1.0, abs=0.02)
    assert carriers([(0.3, 7)]) == pytest.approx(7)


def test_cells_are_the_distinct_pairs():
    assert pair_totals([1, 0, 1, 1], [1, 0, 0, 1]).cells == ((0, 0, 1), (1, 0, 1), (1, 1, 2))


@pytest.mark.parametrize(
    ("x", "y", "clusters", "words"),
    [
        ([1, 1], [1], None, "2 baseline scores cannot be paired with 1 candidate scores"),
        ([1, 1], [1, 0], ["a"], "1 clusters were given for 2 samples"),
    ],
)
def test_lengths_must_agree(x, y, clusters, words):
    with pytest.raises(DataError, match=words) as caught:
        pair_totals(x, y, clusters)
    assert caught.value.fix
