import pytest

from evalkit.base.events import Outset, Progress, ServerState
from evalkit.cli.pace import Whole


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Run:
    """A run of two models with a task each, told event by event; times are seconds since its begin."""

    def __init__(self, **owed):
        self.clock = Clock()
        self.whole = Whole(self.clock)
        self.whole(Outset(planned=400, owed=owed or {"base": 200, "cand": 200}, starts=2))

    def at(self, seconds):
        self.clock.now = 100.0 + seconds
        return self

    def state(self, model, state):
        self.whole(ServerState(model, state))
        return self

    def done(self, model, count, reused=0):
        self.whole(Progress(model, "task", planned=200, reused=reused, scored=count, failed=0, score=None))
        return self


@pytest.fixture
def half():
    """The baseline took 20 s to start and 100 s to answer."""
    run = Run().at(0).done("base", 0).state("base", "starting")
    run.at(20).state("base", "ready").at(70).done("base", 100)
    return run


def test_nothing_is_known_before_anything_was_answered():
    run = Run().at(0).done("base", 0).state("base", "starting").at(15)
    assert (run.whole.answered, run.whole.left_s, run.whole.elapsed_s) == (0, None, 15.0)
    assert run.whole.starting_s("base") == 15.0
    assert run.whole.starting_s("cand") is None


def test_a_few_answers_of_a_long_run_tell_nothing():
    run = Run(base=10284).at(0).state("base", "starting").at(20).done("base", 0).state("base", "ready")
    run.at(53).done("base", 6)  # 15 hours, by the rate of these
    assert run.whole.left_s is None
    run.at(60).done("base", 90)
    assert run.whole.left_s is None


def test_slow_first_answers_are_not_the_rate_of_the_rest():
    run = Run(base=10284).at(0).done("base", 0).state("base", "already running")
    run.at(40).done("base", 0).at(50).done("base", 100).at(80).done("base", 400)
    # 10 a second since 40 s; 5 a second over all.
    assert run.whole.left_s == pytest.approx(9884 / 10)


def test_a_model_that_is_really_slow_is_told_so_after_a_while():
    run = Run(base=10284).at(0).done("base", 0).state("base", "already running").at(160).done("base", 16)
    assert run.whole.left_s == pytest.approx(10268 * 10)


def test_the_rest_is_at_the_rate_seen_with_the_starts_that_are_to_come(half):
    assert half.whole.answered == 100
    # 100 more at 2 a second, then a start of 20 s, then 200 at 2 a second.
    assert half.whole.left_s == pytest.approx(50 + 20 + 100)
    assert half.whole.starting_s("base") is None


def test_between_two_models_the_rest_runs_down(half):
    half.at(120).done("base", 200).state("base", "stopping").at(125).state("base", "stopped")
    half.done("cand", 0).state("cand", "starting").at(130)
    assert half.whole.starting_s("cand") == 5.0
    assert half.whole.left_s == pytest.approx(15 + 100)
    half.at(160)  # a start that takes longer than the first did
    assert half.whole.left_s == pytest.approx(100)


def test_a_model_of_another_speed_is_reckoned_at_its_own(half):
    half.at(120).done("base", 200).state("base", "stopped").done("cand", 0).state("cand", "starting")
    half.at(140).state("cand", "ready").at(150).done("cand", 100)
    assert half.whole.left_s == pytest.approx(10)
    assert half.whole.answered == 300
    half.at(160).done("cand", 200)
    assert (half.whole.answered, half.whole.left_s) == (400, 0.0)


def test_answers_of_the_store_are_there_from_the_beginning_and_need_no_time():
    run = Run(base=0, cand=50).at(0).done("base", 200, reused=200)
    assert run.whole.answered == 350
    run.done("cand", 150, reused=150).state("cand", "starting").at(10).state("cand", "ready")
    run.at(20).done("cand", 175, reused=150)
    assert run.whole.answered == 375
    assert run.whole.left_s == pytest.approx(10)


def test_a_server_that_died_is_started_again_on_the_runs_time(half):
    half.at(80).state("base", "stopped").at(90).state("base", "starting").at(95)
    assert half.whole.starting_s("base") == 5.0
    # 100 answers in the 60 s that it spoke.
    assert half.whole.left_s == pytest.approx(100 / (100 / 60) + 15 + 20 + 200 / (100 / 60))


def test_a_server_that_already_runs_needs_no_start():
    run = Run().at(0).done("base", 0).state("base", "already running").at(50).done("base", 100)
    assert run.whole.left_s == pytest.approx(50 + 100)


def test_a_silence_is_no_new_beginning(half):
    half.at(80).state("base", "silent").at(120).state("base", "answering")
    assert half.whole.left_s == pytest.approx(100 + 20 + 200)


def test_what_a_model_that_was_given_up_owes_is_not_waited_for(half):
    half.at(80).state("base", "died").state("base", "stopping").state("base", "stopped")
    half.at(80).state("cand", "starting").at(90)
    assert half.whole.answered == 100
    # A start of 20 s, of which 10 have passed, and 200 answers at 100 in 60 s.
    assert half.whole.left_s == pytest.approx(10 + 120)


def test_a_start_that_fails_ends_its_clock():
    run = Run().at(0).done("base", 0).state("base", "starting").at(10).state("base", "did not start")
    assert run.whole.starting_s("base") is None


def test_models_at_the_same_time_are_reckoned_side_by_side():
    run = Run().at(0).done("base", 0).done("cand", 0).state("base", "starting").state("cand", "starting")
    run.at(20).state("base", "ready").state("cand", "ready").at(70).done("base", 100).done("cand", 50)
    assert run.whole.rate == pytest.approx(2 + 1)
    assert run.whole.left_s == pytest.approx(150)
    # One that is started again drops nobody, itself neither.
    run.state("base", "died").state("base", "starting")
    assert run.whole.left_s == pytest.approx(150)
    run.at(90).state("base", "ready").at(100).done("cand", 200)
    assert run.whole.left_s == pytest.approx(100 / (100 / 60))


def test_a_model_that_is_asked_again_after_others_is_waited_for_again(half):
    half.at(80).state("base", "stopped").done("cand", 0).state("cand", "starting").at(100).state("cand", "ready")
    half.at(150).done("cand", 100).state("cand", "stopped").state("base", "starting")
    # A start of 20 s and 100 answers at 100 in 60 s, then another start and 100 at 2 a second.
    assert half.whole.left_s == pytest.approx(20 + 60 + 20 + 50)
