"""Totals of pairs: means, jackknife covariance, how many samples carry the variance."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import DataError
from evalkit.stats import Grouping, pair_totals
from evalkit.stats.totals import Unit, carriers, counted_totals, many_totals


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
    assert totals.largest_cluster == 3
    assert totals.sums == ((1.0, 1.0, 1), (1.0, 2.0, 1), (2.0, 1.0, 1))


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


def in_strata(x, y, strata, clusters=None):
    return pair_totals(x, y, Grouping(clusters, strata))


def test_the_stratified_covariance_is_the_textbook_one():
    x, y, strata = [1, 0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 1, 1, 0], list("aaabbbb")
    totals = in_strata(x, y, strata)
    expected = sum(
        (size / 7) ** 2 * variance([b - 0.5 * a for a, b, own in zip(x, y, strata, strict=True) if own == name]) / size
        for name, size in (("a", 3), ("b", 4))
    )
    assert totals.covariance.of_difference(0.5) == pytest.approx(expected)
    assert (totals.n, totals.clusters, totals.clustered, totals.strata) == (7, 7, False, 2)
    assert (totals.x, totals.y) == (pytest.approx(4 / 7), pytest.approx(4 / 7))


def test_what_differs_between_strata_is_no_chance():
    """Half of the subjects lose everything: that is what happened to these subjects, and no others are meant."""
    x = [1] * 40
    y = [0] * 20 + [1] * 20
    assert in_strata(x, y, ["a"] * 20 + ["b"] * 20).covariance.of_difference(0.5) == 0.0
    assert pair_totals(x, y).covariance.of_difference(0.5) == pytest.approx(0.25 / 39)


def test_strata_of_one_sample_are_taken_together_and_a_lone_one_with_the_smallest():
    x, y = [1, 0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 1, 1, 0]
    pairs_of_one = in_strata(x, y, list("aaabbcd"))
    assert pairs_of_one.strata == 3
    assert pairs_of_one == in_strata(x, y, list("aaabbcc"))
    one = in_strata(x, y, list("aaaabbc"))
    assert one.strata == 2
    assert one == in_strata(x, y, list("aaaabbb"))
    assert in_strata([1, 0], [1, 1], ["a", "b"]).covariance == pair_totals([1, 0], [1, 1]).covariance


def test_clusters_within_strata_and_clusters_across_them():
    x, y, clusters = [1, 0, 1, 1, 0, 1, 1, 0], [1, 0, 0, 1, 1, 1, 0, 0], list("aabbccdd")
    within = in_strata(x, y, list("ssssuuuu"), clusters)
    assert (within.clusters, within.strata) == (4, 2)
    # A picture whose questions are of two categories: the pictures count, the categories do not.
    assert in_strata(x, y, list("sssuuuuu"), clusters) == pair_totals(x, y, clusters)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=30))
def test_one_stratum_is_none_and_strata_never_exceed_their_samples(rows):
    x, y = (list(side) for side in zip(*rows, strict=True))
    assert in_strata(x, y, ["all"] * len(x)) == pair_totals(x, y)
    totals = in_strata(x, y, [str(at % 5) for at in range(len(x))])
    assert totals.covariance.x >= 0.0
    assert totals.covariance.y >= 0.0
    assert totals.clusters - totals.strata >= 1


@given(st.lists(st.lists(st.integers(0, 40), min_size=5, max_size=5).filter(any), min_size=1, max_size=4))
def test_many_data_sets_at_once_are_what_each_is_alone(rows):
    pairs = [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.25)]
    for row, found in zip(rows, many_totals(pairs, np.array(rows), attempts=3), strict=True):
        cells = +Counter(dict(zip(pairs, row, strict=True)))
        alone = counted_totals([Counter({Unit(1, *pair): n for pair, n in cells.items()})], cells, attempts=3)
        assert found.cells == alone.cells
        assert flat(found) == pytest.approx(flat(alone), rel=1e-9, abs=1e-12)


def flat(totals):
    """Its numbers but the cells."""
    numbers = asdict(totals)
    del numbers["cells"]
    return [*numbers.pop("covariance"), *numbers.pop("sums"), *numbers.values()]


@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 2, st.sampled_from("abc")), min_size=1, max_size=30))
def test_samples_that_stand_alone_are_clusters_of_one(rows):
    x, y, strata = (list(side) for side in zip(*rows, strict=True))
    names = [str(at) for at in range(len(x))]
    assert pair_totals(x, y) == pair_totals(x, y, names)
    assert in_strata(x, y, strata) == in_strata(x, y, strata, names)
