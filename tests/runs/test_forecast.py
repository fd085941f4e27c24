import numpy as np
import pytest

from evalkit.base.types import Dataset, Decoding, Task
from evalkit.runs import forecast, forecast_words
from evalkit.runs.forecast import CostTerms, Past, Sizes
from evalkit.stats import Grouping, seen


def task(n=1, name="mmmu"):
    return Task(
        name=name,
        benchmark="mmmu",
        dataset=Dataset("d", "test"),
        decoding=Decoding(100, n=n),
        metrics=("anls",),
        headline="anls",
        category="Vision",
        title=name.upper(),
    )


def foreseen(sizes=(900, 900), terms=None, past=None, n=1, prompt=50.0, name="mmmu"):
    terms, chance = terms or CostTerms(2, 64), np.random.default_rng(1)
    return forecast.forecast(task(n, name), Sizes(*sizes), terms, chance, prompt_tokens=prompt, past=past)


def earlier(pairs=400, changed=20, **more):
    """Pairs of a run, 60 % of them right, of which some change, half of them for the worse."""
    x = [1.0] * (pairs * 6 // 10) + [0.0] * (pairs - pairs * 6 // 10)
    y = [0.0] * (changed // 2) + x[changed // 2 : pairs - (changed - changed // 2)] + [1.0] * (changed - changed // 2)
    known = {"pairs": pairs, "discordance": changed / pairs, "population": seen(x, y), "baseline": 0.6, **more}
    return Past("run", 500, 2.0, 300.0, 20.0, **known)


PAST = earlier()


def test_without_earlier_answers_only_bounds_and_guesses_are_told():
    found = foreseen()
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (1800, 90_000, 180_000)
    assert (found.seconds, found.discordance, found.guessed) == (None, 0.1, True)
    # The root of 0.1 / 900, times 2.8016.
    assert found.drop == pytest.approx(0.02953, rel=0.05)
    assert "10 % of samples are expected to change (a guess" in forecast_words.bases([found])[0]
    (row,) = forecast_words.table([found])[1]
    assert row[:6] == ["MMMU", "900", "1,800", "~90k", "at most 180k", "unknown"]
    assert row[6] in {"~2.9 points", "~3 points"}


def test_earlier_answers_tell_tokens_time_and_discordance():
    found = foreseen(past=PAST)
    assert (found.prompt_tokens, found.completion_tokens) == (540_000, 36_000)
    assert found.seconds == pytest.approx(1800 * 2.0 / 64)
    # 20 of 400, and 2 of 20 by the guess.
    assert (found.discordance, found.guessed) == (pytest.approx(22 / 420), False)
    assert found.drop == pytest.approx(2.8016 * (22 / 420 / 900) ** 0.5, rel=0.06)
    changes, time = forecast_words.bases([found])
    assert changes.endswith("in the pairs of run run and 20 more by the guess of 10 %: MMMU 5.24 % (400 pairs).")
    assert time == "time and tokens as in run run: MMMU (500 answers, 2.00 s each)."
    assert forecast_words.table([found])[1][0][4:6] == ["~36k", "~56 s"]


def test_three_pairs_inform_a_guess_and_do_not_replace_it():
    none, all_of_them = foreseen(past=earlier(3, 0)), foreseen(past=earlier(3, 2))
    assert none.discordance == pytest.approx(2 / 23)
    assert all_of_them.discordance == pytest.approx(4 / 23)
    assert none.drop == pytest.approx(foreseen().drop, rel=0.15)
    assert 0.02 < none.drop < all_of_them.drop < 0.05


def test_no_change_among_many_pairs_is_few_changes_and_not_none():
    found = foreseen(past=earlier(4000, 0))
    assert found.discordance == pytest.approx(2 / 4020)
    assert 0.0 < found.drop < 0.015
    assert "MMMU 0.0498 % (4,000 pairs)" in forecast_words.bases([found])[0]


def test_the_user_s_guess_wins():
    found = foreseen(terms=CostTerms(2, 64, 0.2), past=PAST)
    assert (found.discordance, found.guessed) == (0.2, True)
    assert found.drop == pytest.approx(2.8016 * (0.2 / 900) ** 0.5, rel=0.06)


def test_pages_that_change_together_make_the_visible_drop_larger():
    x = [1.0] * 400
    y = [0.0] * 20 + x[20:]
    alone, together = seen(x, y), seen(x, y, Grouping([str(at // 4) for at in range(400)]))
    found, plain = (foreseen(past=earlier(population=one, baseline=1.0)) for one in (together, alone))
    assert found.drop == pytest.approx(2 * plain.drop, rel=0.2)


def test_what_the_past_does_not_tell_is_estimated_from_the_samples():
    found = foreseen(past=Past("run", 500, 2.0, None, None))
    assert (found.prompt_tokens, found.completion_tokens) == (90_000, 180_000)
    assert (found.discordance, found.guessed) == (0.1, True)


def test_attempts_are_requests_but_not_samples():
    found = foreseen(sizes=(1640, 8200), n=10)
    assert (found.problems, found.all_problems, found.requests) == (164, 820, 3280)
    # A tenth of the changes is of whole problems, the rest averages out: sqrt(0.1 (0.1 + 0.9 / 10)).
    assert found.drop == pytest.approx(2.8016 * (0.019 / 164) ** 0.5, rel=0.3)
    assert forecast_words.table([found])[1][0][1] == "1,640 of 8,200 (164 x 10)"


def test_a_small_task_does_not_fill_the_window():
    assert foreseen(sizes=(4, 4), past=PAST).seconds == pytest.approx(8 * 2.0 / 4)


def test_the_noise_floor_is_asked_too():
    assert foreseen(terms=CostTerms(2, 64, repeated=100)).requests == 1900
    assert foreseen(sizes=(40, 40), terms=CostTerms(2, 64, repeated=100)).requests == 120


@pytest.mark.parametrize("samples", [0, 3])
def test_a_task_with_next_to_no_samples_sees_nothing(samples):
    found = foreseen(sizes=(samples, samples))
    assert found.drop is None
    assert forecast_words.table([found])[1][0][-1] == "none"


def test_several_tasks_are_added_up_as_far_as_they_are_known():
    both = [foreseen(past=PAST), foreseen(past=PAST)]
    assert forecast_words.table(both)[1][-1] == ["All", "1,800", "3,600", "~1.08M", "~72k", "~2 min", ""]
    mixed = [foreseen(past=PAST), foreseen(prompt=None)]
    last = forecast_words.table(mixed)[1][-1]
    assert last == ["All", "1,800", "3,600", "unknown", "at most 216k", "unknown", ""]


def test_json_has_shares_and_seconds():
    found = forecast.forecast_json(foreseen(past=PAST))
    assert found["from_run"] == "run"
    assert found["smallest_visible_drop"] == pytest.approx(0.0214, rel=0.06)
    assert found["completion_tokens_known"]
    assert (found["min_recovery"], found["chance_recovered_at_100"], found["cannot_decide"]) == (None, None, False)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h 0 min"), (7900, "2 h 12 min")]
)
def test_durations(seconds, text):
    assert forecast_words.duration(seconds) == text


def test_fractional_scores_count_as_what_they_change():
    """164 problems whose averages of 50 attempts move by 0.055 each: 1.2 points, not the 16 of as many whole flips."""
    x = [0.5 + 0.002 * at for at in range(164)]
    y = [value + (0.055 if at % 2 else -0.055) for at, value in enumerate(x)]
    population = seen(x, y, attempts=50)
    past = Past("run", 8200, 2.0, None, None, 164, 1.0, population, 0.66)
    assert 0.012 < foreseen(sizes=(8200, 8200), n=50, past=past).drop < 0.016


AT_99 = CostTerms(2, 64, thresholds={"mmmu": 99.0, "other": 99.0}, averages={"Vision": 99.0})


def test_a_row_with_a_threshold_has_the_chances_of_both_verdicts():
    few = foreseen(terms=CostTerms(2, 64, thresholds={"mmmu": 99.0}), past=earlier(4000, 320))
    # 0.006 / (0.2828 / 30) = 0.636 standard errors, less 1.96.
    assert few.chances.recovered == pytest.approx(0.0928, abs=0.04)
    assert few.chances.cannot_decide
    head, line = forecast_words.bases([few])[-2:]
    assert head.startswith('chance of "recovered" if the true recovery is 100 %, and of "degraded" if it is one point')
    assert line.startswith("  MMMU at 99 %: ")
    assert line.endswith("; this task cannot decide at 99 %")
    many = foreseen((40_000, 40_000), CostTerms(2, 64, thresholds={"mmmu": 99.0}), earlier(4000, 320))
    assert many.chances.recovered > 0.97
    assert "cannot decide" not in forecast_words.bases([many])[-1]
    # A part of a task that could decide as a whole: only the chances tell.
    assert not foreseen((900, 40_000), CostTerms(2, 64, thresholds={"mmmu": 99.0})).chances.cannot_decide
    assert foreseen(past=PAST).chances is None


def test_an_average_with_a_threshold_has_them_too():
    parts = [foreseen(terms=AT_99), foreseen((2500, 2500), AT_99, name="other")]
    found = forecast.average("Vision", parts, AT_99, np.random.default_rng(1))
    assert parts[0].chances.recovered < found.chances.recovered
    *_, line = forecast_words.bases(parts, [found])
    assert line.startswith("  Vision average at 99 %: ")
    assert line.endswith("; this average cannot decide at 99 %")
    assert forecast.average_json(found)["chance_recovered_at_100"] == found.chances.recovered


def test_the_first_rows_alone_have_no_chance_of_a_verdict():
    first = foreseen((100, 2500, True), AT_99)
    assert (first.chances, first.first_rows) == (None, True)
    found = forecast.average("Vision", [first, foreseen(terms=AT_99, name="other")], AT_99, np.random.default_rng(1))
    assert found.chances is None
    assert not any("Vision average" in line for line in forecast_words.bases([first], [found]))


def test_what_the_store_has_takes_no_time():
    found = foreseen(terms=CostTerms(2, 64, stored={"mmmu": 900}), past=PAST)
    assert found.seconds == pytest.approx(900 * 2.0 / 64)
    assert "in the store and not in the time: MMMU 900 of 1,800." in forecast_words.bases([found])[-1]


def test_the_time_on_another_machine_is_no_time_on_this_one():
    found = foreseen(past=earlier(elsewhere="NVIDIA H100 x1", others=True))
    assert found.seconds is None
    assert found.drop == foreseen(past=PAST).drop
    changes, time = forecast_words.bases([found])
    assert "as in the pairs of run run (of other models) and 20 more" in changes
    assert (
        time
        == "tokens as in run run, which was on NVIDIA H100 x1 and tells no time of this machine: MMMU (500 answers)."
    )


def test_what_is_the_same_in_every_row_is_said_once():
    assert len(forecast_words.bases([foreseen(), foreseen(name="other")])) == 2
    other = foreseen(past=earlier(300, 30), name="other")
    changes, time = forecast_words.bases([foreseen(past=PAST), other])
    assert changes.endswith(": MMMU 5.24 % (400 pairs), OTHER 10 % (300 pairs).")
    assert time.endswith(": MMMU (500 answers, 2.00 s each), OTHER (500 answers, 2.00 s each).")
    mixed = forecast_words.bases([foreseen(), other])
    assert [text.count("MMMU") for text in mixed] == [1, 0, 1, 0]


def test_the_attempts_at_a_problem_take_the_time_of_one_request():
    # 40 problems of 50 attempts, two models: 80 requests of two seconds, 40 of them at once.
    assert foreseen(sizes=(2000, 2000), n=50, past=PAST).seconds == pytest.approx(4.0)
    assert foreseen(sizes=(2000, 2000), terms=CostTerms(2, 8), n=50, past=PAST).seconds == pytest.approx(20.0)


def test_a_second_asking_is_of_whole_problems():
    terms = CostTerms(2, 64, repeated=10)
    assert foreseen(sizes=(2000, 2000), terms=terms, n=50).requests == 4500
