import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Answer, Dataset, Decoding, Elsewhere, Failure, FailureKind, Sample, Task, Text
from evalkit.comparison import drift
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness


def task(n=1, max_tokens=10):
    return Task(
        name="t",
        benchmark="docvqa",
        dataset=Dataset("d", "test"),
        decoding=Decoding(max_tokens, n=n),
        metrics=("anls",),
        headline="anls",
        category="Vision",
        title="T",
    )


def tally(answers, n=1, clusters=None, max_tokens=10):
    """``answers`` are (text, finish reason, tokens), or None for a failure."""
    total = Tally(task(n, max_tokens), "m", harness(task(n, max_tokens)))
    for at, one in enumerate(answers):
        name = str(at) if n == 1 else f"{at // n}#{at % n}"
        sample = Sample(name, (Text("q"),), ["right"], clusters[at] if clusters else None)
        total.add(
            sample, Failure(FailureKind.DEADLINE, "slow") if one is None else Answer(one[0], one[1], 1, one[2], 0.1)
        )
    return total


FINE, CUT, EMPTY = ("right", "stop", 10), ("right", "length", 10), ("", "stop", 10)


def by_trait(*tallies):
    return {one.trait: one for one in drift.changes(*tallies)}


def test_equal_answers_do_not_drift():
    found = by_trait(tally([FINE] * 50), tally([FINE] * 50))
    assert set(found) == {"unparsed", "truncated", "empty", "tokens"}
    assert not any(one.flagged or one.difference.value for one in found.values())


def test_a_change_is_paired_with_its_interval():
    found = by_trait(tally([FINE] * 100), tally([CUT] * 20 + [FINE] * 80))["truncated"]
    assert (found.baseline, found.candidate, found.difference.value) == (0.0, 0.2, 0.2)
    assert found.difference.low > 0.1
    assert found.flagged


def test_one_answer_of_many_is_not_a_drift():
    found = by_trait(tally([FINE] * 1000), tally([EMPTY] + [FINE] * 999))
    assert not found["empty"].flagged


def test_a_certain_change_too_small_to_matter_is_not_flagged():
    found = by_trait(tally([("right", "stop", 100)] * 400), tally([("right", "stop", 101)] * 400))["tokens"]
    assert found.difference.low > 0
    assert not found.flagged


def test_what_only_one_model_answered_is_left_out():
    found = by_trait(tally([FINE, None, FINE]), tally([None, CUT, FINE]))
    assert found["truncated"].difference.n == 1
    assert drift.changes(tally([None]), tally([FINE])) == ()


def test_servers_that_tell_no_tokens_have_no_length():
    assert "tokens" not in by_trait(tally([("right", "stop", None)]), tally([FINE]))


@pytest.mark.parametrize("clusters", [None, ["page"] * 5 + ["leaf"] * 5])
def test_attempts_and_clusters_do_not_count_as_independent(clusters):
    several = 5 if clusters is None else 1
    base, cand = [FINE] * 10, [CUT] * 5 + [FINE] * 5
    found = by_trait(tally(base, several, clusters), tally(cand, several, clusters))
    assert found["truncated"].difference.clusters == 2


@given(st.lists(st.sampled_from([FINE, CUT, EMPTY, None]), min_size=1, max_size=30))
def test_a_model_beside_itself_never_drifts(answers):
    assert not any(one.flagged for one in drift.changes(tally(answers), tally(answers)))


def test_text_in_another_field_drifts_by_a_name_of_its_own():
    silent = Tally(task(), "m", harness(task()))
    for at in range(50):
        answer = Answer(None, "length", 1, 10, 0.1, elsewhere=Elsewhere("reasoning", "so right"))
        silent.add(Sample(str(at), (Text("q"),), ["right"]), answer)
    found = by_trait(tally([FINE] * 50), silent)["elsewhere"]
    assert (found.baseline, found.candidate, found.flagged) == (0.0, 1.0, True)
    assert silent.task_score().elsewhere == {"reasoning": 50}
    assert silent.task_score().score == 0


def test_twice_as_long_answers_are_twice_as_dear_with_an_interval():
    lengths = [10, 14, 8, 12, 30, 22, 9, 17] * 4
    base = tally([("right", "stop", tokens) for tokens in lengths])
    cand = tally([("right", "stop", 2 * tokens + at % 3 - 1) for at, tokens in enumerate(lengths)])
    found = by_trait(base, cand)["tokens"]
    assert found.ratio.value == pytest.approx(2, abs=0.05)
    assert found.ratio.low < 2 < found.ratio.high
    # Paired: far narrower than what lengths differ among themselves.
    assert found.ratio.high - found.ratio.low < 0.1
    assert by_trait(base, base)["tokens"].ratio.value == 1
    assert by_trait(base, base)["truncated"].ratio is None


def test_what_a_likelihood_took_is_no_length_of_an_answer():
    sides = [tally([("A", "stop", tokens)] * 50, max_tokens=1) for tokens in (1, 4)]
    assert "tokens" not in by_trait(*sides)
