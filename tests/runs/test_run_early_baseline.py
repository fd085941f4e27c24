"""How far a baseline without answers is asked where asking stops early, through the command line."""

import json
import re
import signal
import subprocess
import sys

import pytest

from evalkit.testing import ModelServer, replies
from support.commands import evalkit, write_lines
from support.earlyruns import ROWS, TASK, Bench, chance, knowing, only, task


@pytest.fixture
def bench(tmp_path):
    """A baseline that has not been asked anything."""
    task(tmp_path / "tasks", "alpha", ROWS)
    with ModelServer("base", knowing()) as server:
        yield Bench(tmp_path, server)


def test_beside_a_server_that_runs_the_baseline_is_asked_what_each_look_needs_and_no_more(bench):
    with ModelServer("cand", knowing(changed=0.1)) as candidate:
        done = bench.run(candidate, least=95)
        planned = only(done)[0]["planned"]
        assert 75 < planned < ROWS
        assert (bench.server.asked.total(), candidate.asked.total()) == (planned, planned)
        again = bench.run(candidate, least=95)
        assert (bench.server.asked.total(), again.json["tasks"]) == (planned, done.json["tasks"])
        whole = bench.run(candidate, least=95, early=False, code=None)
        assert only(whole)[0]["planned"] == ROWS
        assert (bench.server.asked.total(), candidate.asked.total()) == (ROWS, ROWS)


def test_a_run_that_is_killed_while_the_baseline_is_asked_further_decides_as_one_that_is_not(bench, tmp_path):
    with ModelServer("cand", knowing(changed=0.1)) as candidate:
        straight = bench.run(candidate, least=95)
    asked = bench.server.asked.total()
    task(tmp_path / "other" / "tasks", "alpha", ROWS)
    with ModelServer("base", knowing()) as server, ModelServer("cand", knowing(changed=0.1)) as candidate:
        other = Bench(tmp_path / "other", server)
        words = [sys.executable, "-m", "evalkit", *map(str, other.words(candidate, least=95))]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as halting:
            server.wait_until(lambda: server.asked.total() >= 100, within_s=240)
            halting.send_signal(signal.SIGINT)
        assert halting.returncode == 130
        done = other.run(candidate, least=95)
        # What was under way when it was killed is asked a second time, and nothing else.
        assert len(server.asked) == asked
    assert only(done)[1]["sentence"] == only(straight)[1]["sentence"]


def test_what_a_look_needs_of_a_baseline_with_some_answers_is_asked_and_answers_beyond_do_not_count(bench):
    with ModelServer("first", knowing(changed=0.1)) as candidate:
        bench.run(candidate, least=95)
        asked = bench.server.asked.total()
    with ModelServer("clear", knowing()) as candidate:
        done = bench.run(candidate, least=90)
        assert (bench.server.asked.total(), candidate.asked.total()) == (asked, 75)
    row, found = only(done)
    assert (row["planned"], found["paired"]) == (75, 75)


def moved(number):
    """Where the baseline says "yes" to everything, a candidate that says otherwise, for better and for worse."""
    right = number % 5 != 0
    if chance("moved", number) < (0.25 if right else 1.0):
        return "no" if right else f"word{number}"
    return "yes"


@pytest.fixture
def beside(workplace):
    """A function: a candidate's server -> the words that compare it with a baseline that is served for it."""

    def words(candidate, *more):
        (workplace.folder / "tasks" / "gamma.toml").write_text(TASK.format(name="gamma", category="Text"))
        rows = [(n, f"What is gamma number {n}?", "yes" if n % 5 else f"word{n}") for n in range(ROWS)]
        lines = [{"id": f"r{n}", "q": question, "a": answer} for n, question, answer in rows]
        write_lines(workplace.folder / "tasks" / "gamma.jsonl", lines)
        (workplace.folder / "yes").write_text("yes")
        found = ["--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "gamma", "--json"]
        found += ["--serve-arg", "part=says:yes", "--serve-arg", 'journal=["journal"]', "--min-recovery", "90"]
        found += ["--endpoint", f"cand={candidate.url}", "--endpoint-is", "cand=1"]
        return [*found, *more]

    return words


ACCEPTED = ("--accept-difference", "max-model-len", "--accept-difference", "vllm")


def test_a_pair_that_is_not_comparable_is_asked_up_to_the_first_look_and_decided_once_it_is_accepted(workplace, beside):
    with ModelServer("cand", lambda asked: replies.chat(asked, "yes")) as candidate:
        words = beside(candidate)
        found = json.loads(workplace.here("run", *words, "--stop-early", check=4).stdout)
        assert found["tasks"][0]["recovery"]["cand"]["verdict"] == "not_comparable"
        assert candidate.asked.total() == 75
        found = json.loads(workplace.here("run", *words, *ACCEPTED, "--stop-early", check=0).stdout)
        assert found["tasks"][0]["recovery"]["cand"]["verdict"] == "recovered"
        assert candidate.asked.total() == 75


@pytest.mark.usefixtures("hurried")
def test_beside_a_baseline_that_cannot_be_served_the_candidate_is_not_asked_whole(workplace, beside):
    with ModelServer("cand", lambda asked: replies.chat(asked, "yes")) as candidate:
        words = beside(candidate, *ACCEPTED)
        done = workplace.here("run", *words, "--serve-arg", "die-on=What is", "--stop-early", check=5)
        assert "missing: base" in done.stdout
        # As far as the baseline was to be asked at first.
        assert candidate.asked.total() == 300
        # Then the same command decides, and asks the candidate no second time.
        workplace.here("run", *words, "--stop-early", check=0)
        assert candidate.asked.total() == 300


def test_a_baseline_that_is_served_for_it_is_asked_ahead_and_then_twice_as_far(workplace, beside):
    def says(asked):
        return replies.chat(asked, moved(int(re.search(r"gamma number (\d+)", asked.body.decode()).group(1))))

    with ModelServer("cand", says) as candidate:
        words = beside(candidate, *ACCEPTED)
        foreseen = json.loads(workplace.here("plan", *words, "--stop-early").stdout)["early"]
        done = workplace.here("run", *words, "--stop-early")
        found = json.loads(done.stdout)
        told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        stages = [one["text"] for one in told if one["event"] == "Stage"]
        # A quarter as the plan said, and twice that; the candidate needed more than a quarter.
        assert foreseen[0]["baseline_first"] == 0.25
        assert [text for text in stages if text.startswith("base: asked up to")] == [
            "base: asked up to look 3 of 5 at gamma",
            "base: asked up to look 4 of 5 at gamma",
        ]
        assert 300 < candidate.asked.total() <= 600
        assert len(workplace.journal()) == 600
        assert found["tasks"][0]["planned"] == candidate.asked.total()
        states = [one["state"] for one in told if one["event"] == "ServerState" and one["model"] == "base"]
        assert states.count("starting") == 2
        again = workplace.here("run", *words, "--stop-early")
        assert json.loads(again.stdout)["tasks"] == found["tasks"]
        assert len(workplace.journal()) == 600


def test_a_baseline_that_scores_nothing_decides_nothing(bench, tmp_path):
    def wrong(asked):
        return replies.chat(asked, "none")

    with ModelServer("base", wrong) as server, ModelServer("cand", wrong) as candidate:
        done = Bench(bench.folder, server).run(candidate, least=90, code=None)
        assert (server.asked.total(), candidate.asked.total()) == (ROWS, ROWS)
    assert only(done)[1]["verdict"] not in ("recovered", "degraded")


def test_plan_tells_what_a_run_that_stops_early_asks_and_takes_by_what_an_earlier_one_did(bench):
    with ModelServer("cand", knowing(changed=0.1)) as candidate:
        bench.run(candidate, least=95)
        words = [word for word in bench.words(candidate, least=95) if word != "run"]
        (found,) = evalkit("plan", *words).json["early"]
        told = evalkit("plan", *[word for word in words if word != "--json"]).out
    assert (found["row"], found["min_recovery"], found["samples"], found["looks"]) == ("alpha", 95.0, ROWS, 5)
    truths = [one["recovery"] for one in found["expected"]]
    shares = [one["share"] for one in found["expected"]]
    assert truths == [100.0, 97.5, 95.0]
    assert 1 / 16 <= shares[0] < shares[1] < shares[2] <= 1.0
    # Both models are on servers that run: the baseline is asked look by look.
    assert found["baseline_first"] == 1 / 16
    assert found["seconds"] > 0.0
    assert "expected of the candidate, stopping early:" in told
    words = " ".join(told.split())
    assert f"of 1,200 samples about {shares[0]:.1%} at a true recovery of 100 % (~" in words
    assert "at a true recovery of 97.5 % (~" in words
    assert "at a true recovery of 95 % (~" in words
