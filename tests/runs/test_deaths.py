"""A server that dies: what is asked again, what is set aside, and when it is enough."""

import json
import shutil
from pathlib import Path

import pytest

from evalkit.base.errors import ServerFailedError
from evalkit.base.types import FailureKind
from evalkit.client import Request
from evalkit.runs.deaths import Death, Deaths
from evalkit.serve import Diagnosis
from support.workplaces import fitted_out

LOGS = Path(__file__).parent.parent / "serve/logs"
SILENT = Diagnosis("it was killed (signal 9)", "fix")
LOUD = Diagnosis("RuntimeError: shape [154]", "fix", "RuntimeError: shape [154]")
ALSO_LOUD = Diagnosis("RuntimeError: shape [9]", "fix", "RuntimeError: shape [9]")


def asking(*keys, **more):
    return Request(keys[0] if len(keys) == 1 else keys, bytes, **more)


def died(*keys, cause=LOUD, answers=5):
    return Death(cause, tuple(asking(key) for key in keys), answers)


def test_a_request_that_was_alone_at_its_second_death_is_the_killer():
    deaths = Deaths("m", 3)
    assert deaths.note(died("a", "b", "c"), answered=True) is None
    assert list(deaths.steps()) == [(("a",),), (("b",),), (("c",),)]
    keys, failure = deaths.note(died("b", cause=ALSO_LOUD), answered=True)
    assert (keys, failure.kind) == (("b",), FailureKind.KILLED_SERVER)
    assert "shape [9]" in failure.message
    assert deaths.suspects == ()


def test_one_that_was_not_under_way_before_is_innocent():
    deaths = Deaths("m", 3)
    deaths.note(died("a", "b"), answered=True)
    assert deaths.note(died("c"), answered=True) is None
    assert deaths.note(died("a", "c"), answered=True) is None


def test_another_cause_blames_nobody():
    deaths = Deaths("m", 3)
    deaths.note(died("a"), answered=True)
    assert deaths.note(died("a", cause=Diagnosis("OSError: disk", "fix", "x")), answered=True) is None


def test_a_silent_death_needs_a_server_that_had_just_shown_that_it_can_answer():
    deaths = Deaths("m", 3)
    deaths.note(died("a", "b", cause=SILENT, answers=40), answered=True)
    assert deaths.note(died("b", cause=SILENT, answers=2), answered=True) is None
    assert deaths.suspects == (("b",),)
    keys, _ = deaths.note(died("b", cause=SILENT, answers=1), answered=True)
    assert keys == ("b",)


def test_twice_before_any_answer_is_enough():
    deaths = Deaths("m", 3)
    deaths.note(died("a", answers=0), answered=False)
    with pytest.raises(ServerFailedError, match="died twice before it answered anything"):
        deaths.note(died("b", answers=0), answered=False)


def test_two_causes_before_any_answer_are_worth_a_third_start():
    deaths = Deaths("m", 3)
    deaths.note(died("a", answers=0), answered=False)
    assert deaths.note(died("a", answers=0, cause=SILENT), answered=False) is None


def test_the_last_owed_request_of_a_model_that_has_answered_can_be_the_killer():
    deaths = Deaths("m", 3)
    deaths.note(died("a", answers=0), answered=True)
    keys, _ = deaths.note(died("a", answers=0), answered=True)
    assert keys == ("a",)


def test_restarts_bound_the_deaths_that_teach_nothing():
    deaths = Deaths("m", 1)
    deaths.note(died("a", "b"), answered=True)
    with pytest.raises(ServerFailedError, match="died 2 times"):
        deaths.note(died("c", "d"), answered=True)


def test_three_different_killers_are_enough():
    deaths = Deaths("m", 1)
    for number in range(3):
        assert deaths.too_many_killers(died("x")) is None
        deaths.note(died(f"k{number}", "other"), answered=True)
        assert deaths.note(died(f"k{number}"), answered=True)
    error = deaths.too_many_killers(died("x"))
    assert "3 different requests each killed the server" in error.message


def test_many_suspects_are_asked_several_at_a_time():
    deaths = Deaths("m", 3)
    deaths.note(Death(LOUD, tuple(asking(str(number)) for number in range(300)), 5), answered=True)
    steps = list(deaths.steps())
    assert len(steps) <= 32
    assert sorted(key for step in steps for (key,) in step) == sorted(map(str, range(300)))


def test_samples_that_can_be_asked_without_each_other_are_suspected_one_by_one():
    deaths = Deaths("m", 3)
    together, apart = asking("a", "b"), asking("c", "d", separable=True)
    deaths.note(Death(LOUD, (together, apart), 5), answered=True)
    assert deaths.suspects == (("a", "b"), ("c",), ("d",))


# --- whole runs -------------------------------------------------------------------------------------

DEADLY = "What is number 7?"


def comparison(workplace, *flags, loud=True):
    """A run whose server dies of some texts, saying why or not."""
    if loud:
        shutil.copy(LOGS / "engine_died_on_first_picture.log", workplace.folder / "last_words.log")
        flags = (*flags, "die-saying=last_words.log")
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
    words += ["--json", "--window", "4", "--serve-arg", 'journal=["journal"]']
    return [*words, *(word for flag in flags for word in ("--serve-arg", flag))]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("loud", [True, False])
def test_a_request_that_kills_the_server_is_set_aside_and_the_run_goes_on(workplace, loud):
    done = workplace.here(*comparison(workplace, f"die-on={DEADLY}", loud=loud), check=4)
    row = json.loads(done.stdout)["tasks"][0]
    for label in ("base", "cand"):
        score = row["scores"][label]
        assert (score["scored"], score["failures"]) == (39, {"killed_server": 1})
        (folder,) = workplace.runs()
        lines = [json.loads(line) for line in (folder / f"samples/{label}/pages.jsonl").read_text().splitlines()]
        (failed,) = [line for line in lines if "failure" in line]
        assert failed["id"] == "7"
        assert ("processor_config.json" if loud else "signal 9") in failed["failure"]["message"]
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    told = [event["detail"] for event in events if event.get("state") == "died"]
    assert 4 <= len(told) <= 6
    assert all(("vision_config" if loud else "signal 9") in text and text.isprintable() for text in told)
    # Asked again by the same command, as any failure but a refusal.
    again = workplace.here(*comparison(workplace, f"die-on={DEADLY}", loud=loud), check=4)
    assert json.loads(again.stdout)["tasks"][0]["scores"] == row["scores"]


@pytest.mark.usefixtures("hurried")
def test_a_killer_is_found_where_its_broken_connection_shows_before_the_death(workplace):
    (workplace.folder / "once.toml").write_text("[client]\ntries = 1\n")
    words = comparison(workplace, f"die-on={DEADLY}")
    done = workplace.here(*words, "--config", "once.toml", check=4)
    assert json.loads(done.stdout)["tasks"][0]["scores"]["base"]["failures"] == {"killed_server": 1}


@pytest.mark.usefixtures("hurried")
def test_a_server_that_dies_of_everything_is_started_twice(workplace):
    done = workplace.here(*comparison(workplace, "die-on=What is"), check=5)
    assert "died twice before it answered anything" in done.stderr
    assert "processor_config.json" in done.stderr
    starts = (workplace.runs()[0] / "server/base.log").read_text().count("Started server process")
    assert starts == 2


@pytest.mark.usefixtures("hurried")
def test_a_death_stands_in_plain_lines_too(workplace):
    words = [word for word in comparison(workplace, "die-on=What is") if word != "--json"]
    done = workplace.here(*words, check=5)
    assert done.stderr.count("base: died (the image processor and the vision tower disagree") == 2


@pytest.mark.usefixtures("hurried")
def test_three_killers_are_enough_in_a_run(tmp_path):
    workplace = fitted_out(tmp_path)
    flag = 'die-on=["number 7?", "number 13?", "number 21?", "number 33?"]'
    done = workplace.here(*comparison(workplace, flag), check=5)
    assert "3 different requests each killed the server" in done.stderr
