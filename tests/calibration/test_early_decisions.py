"""The committed table of early decisions: what it promises, and that the study looks as the package does."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from calibration.early import CHARTS, PAGE, PAGES, ROWS, TABLE, looks, made, page, seen, wanted
from evalkit.stats import Grouping, pair_totals
from evalkit.stats.early import part_of_benchmark

STUDY = json.loads(TABLE.read_text(encoding="utf-8"))
SIMULATED = [row for row in STUDY["rows"] if row["replicates"]]
AT = [row for row in SIMULATED if row["on_threshold"]]


def margin(share, replicates):
    """Two standard errors of a share in percent."""
    return 200 * math.sqrt(share / 100 * (1 - share / 100) / replicates)


def test_the_table_has_every_row_of_the_study():
    assert [row["row"] for row in STUDY["rows"]] == [name for name, _ in wanted()]
    assert {row["row"] for row in AT} == ROWS.keys() - {"MMMU"}
    assert all(row["replicates"] >= 10_000 for row in AT)


def test_at_a_truth_on_the_threshold_the_looks_err_in_at_most_5_percent_and_peeking_in_many():
    for row in AT:
        assert row["recovered"] + row["degraded"] <= 5 + margin(5, row["replicates"]), row
        assert row["peeked"] > 12, row


def test_the_repeated_interval_holds_the_truth():
    for row in SIMULATED:
        assert row["missed"] <= 5 + margin(5, row["replicates"]), row


def test_clear_cases_stop_early_on_the_right_side():
    found = {(row["row"], round(2 * row["recovery"]) / 2): row for row in SIMULATED if not row["on_threshold"]}
    for row in (row for row in SIMULATED if not row["on_threshold"]):
        wrong = row["degraded"] if row["recovery"] > 99 else row["recovered"]
        assert wrong <= 2.5 + margin(2.5, row["replicates"]), row
    assert found["VQAv2", 100]["asked"] < 15
    assert found["VQAv2", 96]["asked"] < 2
    assert found["vision average", 100]["asked"] < 10
    assert found["MMLU", 100]["asked"] < 65
    assert found["MMLU", 96]["asked"] < 20


def test_the_page_is_made_from_the_numbers():
    text = PAGE.read_text(encoding="utf-8")
    assert page(STUDY, text) == text


@pytest.mark.parametrize("shape", [CHARTS, PAGES])
def test_the_study_computes_what_the_package_does(shape):
    """One order, look by look: the distance from a threshold and its variance, of single questions and of pages."""
    whole, ((counts,), _) = made(shape, 0.99), looks((shape,))
    # A page's questions are told apart again: what counts is what they add up to.
    found = seen(whole, counts, 0.97, np.random.default_rng(5))
    order = np.random.default_rng(5).permutation(shape.units)
    for at, count in enumerate(counts):
        x, y, clusters = [], [], []
        for unit in order[:count].tolist():
            size = int(whole.size[unit])
            x += [whole.x[unit] / size] * size
            y += [whole.y[unit] / size] * size
            clusters += [str(unit)] * size
        part = part_of_benchmark(pair_totals(x, y, Grouping(clusters=clusters)), shape.units)
        assert part.y - 0.97 * part.x == pytest.approx(found.away[at], abs=1e-12)
        # With clusters of unequal size the package's is the jackknife, which is wider by about one cluster in n.
        assert part.covariance.of_difference(0.97) == pytest.approx(found.variance[at], rel=0.06)
        assert part.covariance.of_difference(0.97) >= found.variance[at] * (1 - 1e-9)
