import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stats
from evalkit.base.scores import SampleScore
from evalkit.comparison import averages, pairs
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side


def side(values, label="m", clusters=None, **more):
    """Ids 0, 1, ...; None is a failed sample."""
    clusters = clusters or [None] * len(values)
    return Side(
        label,
        {
            str(at): SampleScore(str(at), float(value), clusters[at])
            for at, value in enumerate(values)
            if value is not None
        },
        failed=frozenset(str(at) for at, value in enumerate(values) if value is None),
        **more,
    )


def test_scores_recovery_flips_and_interval_are_those_of_the_pairs():
    base, cand = [1, 1, 1, 1, 0, 0, 1, 1, 1, 0], [1, 1, 0, 1, 1, 0, 1, 0, 1, 0]
    found = pairs.compare("t", side(base), side(cand))
    assert (found.n, found.planned, found.failed, found.missing) == (10, 10, 0, 0)
    assert (found.baseline, found.candidate) == (0.7, 0.6)
    whole = stats.recovery(base, cand)
    assert (found.recovery.low, found.recovery.high, found.recovery.method) == (whole.low, whole.high, whole.method)
    assert found.recovery.percent == pytest.approx(600 / 7)
    assert (found.flips.regressed, found.flips.improved) == (2, 1)
    assert found.bounds is None


def test_clusters_reach_the_interval():
    base, cand = [1, 1, 1, 1, 0, 0] * 20, [1, 1, 0, 0, 0, 0] * 20
    clusters = [str(at // 2) for at in range(120)]
    plain = pairs.compare("t", side(base), side(cand)).recovery
    clustered = pairs.compare("t", side(base, clusters=clusters), side(cand)).recovery
    assert (plain.clusters, clustered.clusters) == (120, 60)
    assert clustered.high - clustered.low > plain.high - plain.low


def test_failures_are_outside_the_estimate_and_inside_the_bounds():
    found = pairs.compare("t", side([1, 1, 0, 1]), side([1, 1, 0, None]))
    assert (found.n, found.failed, found.missing, found.lost) == (3, 1, 0, 0.25)
    assert found.recovery.percent == 100.0
    assert found.bounds == (pytest.approx(200 / 3), pytest.approx(100.0))


def test_what_one_side_does_not_mention_is_missing():
    found = pairs.compare("t", side([1, 1, 0, None]), side([1, 1]))
    assert (found.n, found.planned, found.failed, found.missing) == (2, 4, 0, 2)


def test_planned_is_what_the_task_has_when_that_is_known():
    found = pairs.compare("t", side([1, 0], planned=10), side([1, 0]))
    assert (found.n, found.planned, found.missing, found.lost) == (2, 10, 8, 0.8)


def test_a_baseline_that_may_have_scored_nothing_has_no_best_case():
    found = pairs.compare("t", side([0, 0, None]), side([1, 0, 1]))
    assert found.recovery.percent is None
    assert found.bounds[1] == math.inf


def test_nothing_in_common_is_a_difference_that_cannot_be_accepted():
    one, other = side([1, 0]), Side("c", {"x": SampleScore("x", 1.0)})
    found = pairs.compare("t", one, other, accepted=[pairs.SAMPLES])
    assert [difference.key for difference in found.differences] == [pairs.SAMPLES]
    assert found.recovery.percent is None
    assert found.flips is None


def test_a_side_without_any_sample_is_incomplete_not_different():
    found = pairs.compare("t", side([1, 0]), Side("c", {}))
    assert (found.n, found.planned, found.missing, found.differences) == (0, 2, 2, ())


def test_equal_ids_with_other_questions_are_named():
    content = {str(at): {"question": f"q{at}"} for at in range(6)}
    other = {key: {"question": "another"} if int(key) < 4 else value for key, value in content.items()}
    found = pairs.compare("t", side([1] * 6, content=content), side([1] * 6, content=other))
    assert found.differences == (
        pairs.Difference("question", "the question of 4 samples with the same id differs: 0, 1, 2, ..."),
    )
    assert (found.baseline, found.candidate, found.recovery.percent) == (1.0, 1.0, None)


def test_content_that_only_one_side_tells_is_no_difference():
    found = pairs.compare("t", side([1, 0], content={"0": {"question": "a"}}), side([1, 0]))
    assert found.differences == ()
    assert any("by id alone" in text for text in found.cautions)


def test_another_cluster_is_another_sample():
    found = pairs.compare("t", side([1, 0], clusters=["a", "b"]), side([1, 0], clusters=["a", "c"]))
    assert [one.key for one in found.differences] == ["cluster"]


def test_settings_must_be_equal_where_both_sides_know_them():
    one = side([1, 0], "base", settings={"metric": "anls", "revision": "1"})
    other = side([1, 0], "cand", settings={"metric": "vqa_match"})
    found = pairs.compare("t", one, other)
    assert found.differences == (pairs.Difference("metric", "metric: base has anls, cand has vqa_match"),)


def test_an_accepted_difference_is_compared_and_repeated():
    one, other = side([1, 0], settings={"engine version": "1"}), side([1, 0], settings={"engine version": "2"})
    found = pairs.compare("t", one, other, accepted=["engine version"])
    assert found.differences == ()
    assert found.recovery.percent == 100.0
    assert any("accepted difference: engine version" in text for text in found.cautions)


def test_scores_that_do_not_go_together_are_noticed():
    base = [1, 0, 1, 1, 0] * 40
    shuffled = base[:]
    random.Random(5).shuffle(shuffled)
    assert any("do not go together" in text for text in pairs.compare("t", side(base), side(shuffled)).cautions)
    alike = [1 - value if at % 20 == 0 else value for at, value in enumerate(base)]
    assert not any("do not go together" in text for text in pairs.compare("t", side(base), side(alike)).cautions)


scores = st.sampled_from([None, 0, 1, 0.25, 1 / 3])


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_order_changes_nothing_at_all(values, chance):
    one, other = (side([pair[at] for pair in values]) for at in (0, 1))
    items = list(other.scores.items())
    chance.shuffle(items)
    shuffled = Side("m", dict(items), other.failed)
    assert pairs.compare("t", one, shuffled) == pairs.compare("t", one, other)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=30))
def test_every_planned_sample_is_paired_failed_or_missing(values):
    one, other = (side([pair[at] for pair in values]) for at in (0, 1))
    found = pairs.compare("t", one, other)
    assert found.n + found.failed + found.missing == found.planned == len(values)


def test_the_average_is_of_task_scores():
    parts = [
        pairs.compare("a", side([1] * 8 + [0] * 2), side([1] * 8 + [0] * 2)),
        pairs.compare("b", side([1] * 20 + [0] * 80), side([1] * 10 + [0] * 90)),
    ]
    found = averages.average("Vision", parts)
    assert (found.baseline, found.candidate) == (pytest.approx(0.5), pytest.approx(0.45))
    assert found.recovery.percent == pytest.approx(90.0)
    assert found.recovery.low < 90.0 < found.recovery.high
    assert (found.n, found.flips.regressed, found.flips.mcnemar_p) == (110, 10, None)
    assert found.parts == ("a", "b")


def test_an_average_loses_what_its_worst_task_loses():
    full = pairs.compare("big", side([1, 0] * 500), side([1, 0] * 500))
    short = pairs.compare("small", side([1, 0] * 5), side([1, 0] * 4 + [None] * 2))
    found = averages.average("average", [full, short])
    assert found.lost == pytest.approx(0.2)
    assert found.bounds == (pytest.approx(100 * (0.5 + 0.4) / 1.0), pytest.approx(100 * (0.5 + 0.6) / 1.0))


def test_an_average_with_an_incomparable_task_is_undefined_and_names_it():
    good = pairs.compare("a", side([1, 0]), side([1, 0]))
    bad = pairs.compare("b", side([1], settings={"metric": "x"}), side([1], settings={"metric": "y"}))
    found = averages.average("average", [good, bad])
    assert found.recovery.percent is None
    assert found.differences[0].what.startswith("b: metric")


def test_the_ratio_is_that_of_the_shown_means():
    found = pairs.compare("t", side([0.8, 0.5]), side([0.6, 0.5]))
    assert found.recovery.percent == 0.55 / 0.65 * 100


@given(st.lists(st.sampled_from([0, 1, 0.1, 1 / 3]), min_size=1, max_size=30))
def test_equal_scores_recover_exactly_everything(values):
    found = pairs.compare("t", side(values), side(values))
    assert found.recovery.percent == (100.0 if any(values) else None)
    assert averages.average("a", [found, found]).recovery.percent == (100.0 if any(values) else None)


def test_equal_listings_say_that_equal_ids_are_equal_questions():
    settings = {pairs.SAMPLES: "listing"}
    base, shuffled = [1] * 50 + [0] * 50, [1, 0] * 50
    found = pairs.compare("t", side(base, settings=settings), side(shuffled[::-1], settings=settings))
    assert found.cautions == ()
    other = pairs.compare("t", side(base, settings=settings), side(base, settings={pairs.SAMPLES: "other"}))
    assert [one.key for one in other.differences] == [pairs.SAMPLES]
    # Other questions stay other questions, whatever the user says.
    accepted = pairs.compare(
        "t", side(base, settings=settings), side(base, settings={pairs.SAMPLES: "other"}), [pairs.SAMPLES]
    )
    assert accepted.recovery.percent is None


def test_the_side_that_lost_more_attempts_is_named():
    found = pairs.compare("t", side([1, 0], attempts=Attempts("b", 1, 20)), side([1, 0], attempts=Attempts("c", 3, 20)))
    assert found.attempts == Attempts("c", 3, 20)
    assert found.attempts.share == 0.15
    average = averages.average("all", [pairs.compare("u", side([1]), side([1])), found])
    assert average.attempts == Attempts("c", 3, 20)


@pytest.mark.parametrize(
    ("sizes", "room"), [([(10, 10), (20, 20)], 30), ([(10, 100), (20, 40)], 60), ([(10, 100), (20, None)], None)]
)
def test_an_average_can_grow_as_far_as_its_smallest_task(sizes, room):
    parts = [pairs.compare("t", side([1] * n, available=available), side([1] * n)) for n, available in sizes]
    assert averages.average("all", parts).available == room


def in_subjects(values):
    """Ids 0, 1, ... in six subjects in turn."""
    return Side(
        "m", {str(at): SampleScore(str(at), float(value), stratum=str(at % 6)) for at, value in enumerate(values)}
    )


def test_strata_reach_the_interval_and_are_no_clusters():
    """Three subjects lose half of their answers, the others none: between subjects there is no chance."""
    base, cand = [1] * 600, [int(at % 2 or at % 4 > 0) for at in range(600)]
    found = pairs.compare("t", in_subjects(base), in_subjects(cand))
    assert (found.recovery.clusters, found.totals.strata) == (600, 6)
    plain = pairs.compare("t", side(base), side(cand)).recovery
    assert found.recovery.method == plain.method == "fieller"
    narrower = (found.recovery.high - found.recovery.low) / (plain.high - plain.low)
    assert narrower == pytest.approx(math.sqrt(0.125 / 0.1875), rel=0.02)
    other = in_subjects(cand)
    other.scores["0"] = SampleScore("0", 0.0, stratum="elsewhere")
    assert [one.key for one in pairs.compare("t", in_subjects(base), other).differences] == ["stratum"]
