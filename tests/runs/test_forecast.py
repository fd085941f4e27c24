import pytest

from evalkit.base.types import Dataset, Decoding, Task
from evalkit.runs import forecast
from evalkit.runs.forecast import CostTerms, Past


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


def foreseen(sizes=(900, 900), terms=None, past=None, n=1, prompt=50.0):
    return forecast.forecast(task(n), sizes, terms or CostTerms(2, 64), prompt_tokens=prompt, past=past)


PAST = Past("run", 500, 2.0, 300.0, 20.0, pairs=400, discordance=0.05)


def test_without_earlier_answers_only_bounds_and_guesses_are_told():
    found = foreseen()
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (1800, 90_000, 180_000)
    assert (found.seconds, found.discordance, found.guessed) == (None, 0.1, True)
    # The root of 0.1 / 900, times 2.8016.
    assert found.drop == pytest.approx(0.02953, abs=1e-5)
    assert "a guess" in forecast.bases([found])[0]
    assert forecast.table([found])[1] == [
        ["MMMU", "900", "1,800", "~90k", "at most 180k", "unknown", "2.95 points"],
    ]


def test_earlier_answers_tell_tokens_time_and_discordance():
    found = foreseen(past=PAST)
    assert (found.prompt_tokens, found.completion_tokens) == (540_000, 36_000)
    assert found.seconds == pytest.approx(1800 * 2.0 / 64)
    assert (found.discordance, found.guessed) == (0.05, False)
    assert found.drop == pytest.approx(2.8016 * (0.05 / 900) ** 0.5, rel=1e-3)
    assert "5 % of samples are expected to change (as in 400 pairs of run run)" in forecast.bases([found])[0]
    assert forecast.table([found])[1][0][4:6] == ["~36k", "~56 s"]


def test_the_user_s_guess_wins():
    found = foreseen(terms=CostTerms(2, 64, 0.2), past=PAST)
    assert (found.discordance, found.guessed) == (0.2, True)


def test_clusters_make_the_visible_drop_larger():
    clustered = Past("run", 500, 2.0, None, None, pairs=400, discordance=0.05, design_effect=4.0)
    found = foreseen(past=clustered)
    assert found.drop == pytest.approx(2 * foreseen(past=PAST).drop)
    assert "widen it 4.00 times" in forecast.bases([found])[0]
    # What the past does not tell is estimated from the samples.
    assert (found.prompt_tokens, found.completion_tokens) == (90_000, 180_000)


def test_attempts_are_requests_but_not_samples():
    found = foreseen(sizes=(1640, 8200), n=10)
    assert (found.problems, found.requests) == (164, 3280)
    assert found.drop == foreseen(sizes=(164, 164)).drop
    assert forecast.table([found])[1][0][1] == "1,640 of 8,200 (164 x 10)"


def test_a_small_task_does_not_fill_the_window():
    assert foreseen(sizes=(4, 4), past=PAST).seconds == pytest.approx(8 * 2.0 / 4)


def test_the_noise_floor_is_asked_too():
    assert foreseen(terms=CostTerms(2, 64, repeated=100)).requests == 1900
    assert foreseen(sizes=(40, 40), terms=CostTerms(2, 64, repeated=100)).requests == 120


def test_a_task_without_samples_sees_nothing():
    found = foreseen(sizes=(0, 0))
    assert found.drop is None
    assert forecast.table([found])[1][0][-1] == "–"


def test_several_tasks_are_added_up_as_far_as_they_are_known():
    both = [foreseen(past=PAST), foreseen(past=PAST)]
    assert forecast.table(both)[1][-1] == ["All", "1,800", "3,600", "~1.08M", "~72k", "~2 min", ""]
    mixed = [foreseen(past=PAST), foreseen(prompt=None)]
    assert forecast.table(mixed)[1][-1] == ["All", "1,800", "3,600", "unknown", "at most 216k", "unknown", ""]


def test_json_has_shares_and_seconds():
    found = forecast.forecast_json(foreseen(past=PAST))
    assert found["from_run"] == "run"
    assert found["smallest_visible_drop"] == pytest.approx(0.02088, abs=1e-5)
    assert found["completion_tokens_known"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (3599, "1 h 0 min"), (7900, "2 h 12 min")]
)
def test_durations(seconds, text):
    assert forecast.duration(seconds) == text


def test_fractional_scores_count_as_what_they_change():
    """164 problems whose averages of 50 attempts move by 0.055 each: 1.2 points, not the 16 of as many whole flips."""
    past = Past("run", 8200, 2.0, None, None, pairs=164, discordance=0.9, spread=0.055)
    assert foreseen(sizes=(8200, 8200), n=50, past=past).drop == pytest.approx(0.01203, abs=1e-5)


def test_a_task_with_a_threshold_has_the_chances_of_both_verdicts():
    terms = CostTerms(2, 64, thresholds={"mmmu": 99.0})
    past = Past("run", 500, 2.0, None, None, pairs=400, discordance=0.08, spread=0.08**0.5, baseline=0.6)
    few = foreseen(terms=terms, past=past)
    # 0.006 / (0.2828 / 30) = 0.636 standard errors, less 1.96.
    assert few.recovered == pytest.approx(0.0928, abs=1e-3)
    assert few.degraded == pytest.approx(few.recovered)
    assert few.cannot_decide
    assert "this task cannot decide at 99 %." in forecast.bases([few])[-1]
    many = foreseen(sizes=(40_000, 40_000), terms=terms, past=past)
    assert many.recovered > 0.98
    assert not many.cannot_decide
    assert "cannot decide" not in forecast.bases([many])[-1]
    # A part of a task that could decide as a whole: only the chances tell.
    assert not foreseen(sizes=(900, 40_000), terms=terms, past=past).cannot_decide
    assert foreseen(past=past).recovered is None


def test_what_the_store_has_takes_no_time():
    found = foreseen(terms=CostTerms(2, 64, stored={"mmmu": 900}), past=PAST)
    assert found.seconds == pytest.approx(900 * 2.0 / 64)
    assert "900 of 1,800 answers are in the store" in forecast.bases([found])[0]


def test_what_is_the_same_in_every_row_is_said_once():
    both = [foreseen(), foreseen()]
    assert len(forecast.bases(both)) == 1
    assert len(forecast.bases([foreseen(), foreseen(past=PAST)])) == 2


def test_the_attempts_at_a_problem_take_the_time_of_one_request():
    # 40 problems of 50 attempts, two models: 80 requests of two seconds, 40 of them at once.
    assert foreseen(sizes=(2000, 2000), n=50, past=PAST).seconds == pytest.approx(4.0)
    assert foreseen(sizes=(2000, 2000), terms=CostTerms(2, 8), n=50, past=PAST).seconds == pytest.approx(20.0)


def test_a_second_asking_is_of_whole_problems():
    terms = CostTerms(2, 64, repeated=10)
    assert foreseen(sizes=(2000, 2000), terms=terms, n=50).requests == 4500
