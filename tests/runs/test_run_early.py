"""Runs that stop early, through the command line: two servers of which one may know less answer made-up questions."""

import json
import signal
import subprocess
import sys

import pytest

from evalkit.testing import ModelServer, replies
from support.commands import evalkit
from support.earlyruns import ROWS, Bench, chance, knowing, only, task


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("early")
    task(folder / "tasks", "alpha", ROWS)
    with ModelServer("base", knowing()) as server:
        yield Bench(folder, server)


@pytest.fixture
def bench_of_its_own(tmp_path):
    """Whose baseline nobody has asked."""
    task(tmp_path / "tasks", "alpha", ROWS)
    with ModelServer("base", knowing()) as server:
        yield Bench(tmp_path, server)


def test_a_candidate_that_is_clearly_fine_is_asked_a_sixteenth_and_the_full_run_asks_the_rest(bench):
    with ModelServer("same", knowing()) as candidate:
        done = bench.run(candidate)
        assert candidate.asked.total() == 75
        row, found = only(done)
        assert (row["planned"], row["available"], row["drawn"]) == (75, ROWS, True)
        assert (found["verdict"], found["question"], found["interval_method"]) == (
            "recovered",
            "on this benchmark",
            "repeated looks",
        )
        assert found["interval"] == found["on_benchmark"]["interval"]
        marked = "on this benchmark: 75 of 1,200 asked, stopped at look 1 of 5; error at most 5 % over all looks"
        assert marked in found["sentence"]
        assert "not a score for a model card" in found["sentence"]
        assert "stopped early" in done.json["outcome"]["lines"][0]

        folder = bench.folder_of(done)
        assert not (folder / "model_card.md").exists()
        assert not (folder / "every_eval_ever").exists()
        for name in ("report.md", "summary.md"):
            assert "That is no score for a card" in (folder / name).read_text()
        assert marked in (folder / "junit.xml").read_text()
        kept = json.loads((folder / "run.json").read_text())["early"]["alpha"]
        assert (kept["number"], kept["looks"], kept["units"], kept["part"]["planned"]) == (1, 5, ROWS, 75)
        refused = evalkit("card", folder)
        assert (refused.code, "alpha stopped early" in refused.err) == (2, True)
        before = (folder / "results.json").read_text()
        assert evalkit("report", folder, "--format", "json,card").code == 0
        assert (folder / "results.json").read_text() == before

        again = bench.run(candidate)
        assert (candidate.asked.total(), again.json["tasks"]) == (75, done.json["tasks"])

        whole = bench.run(candidate, early=False)
        assert candidate.asked.total() == ROWS
        assert only(whole)[0]["planned"] == ROWS
        assert (folder / "model_card.md").exists()
        assert "early" not in json.loads((folder / "run.json").read_text())
        # All there is to know is in the store: nothing is left to stop.
        assert only(bench.run(candidate))[0]["planned"] == ROWS


def test_a_broken_candidate_fails_the_gate_at_the_first_look(bench):
    with ModelServer("broken", knowing(lost=0.5)) as candidate:
        done = bench.run(candidate, code=1)
        assert candidate.asked.total() == 75
    assert only(done)[1]["verdict"] == "degraded"
    assert "<failure" in (bench.folder_of(done) / "junit.xml").read_text()


def test_a_stopped_run_that_is_continued_decides_as_one_that_was_not(bench):
    """Killed before its second look."""
    with ModelServer("straight", knowing(changed=0.1)) as candidate:
        done = bench.run(candidate, least=95)
        asked = candidate.asked.total()
    assert 75 < asked < ROWS
    with ModelServer("halting", knowing(changed=0.1)) as candidate:
        words = [sys.executable, "-m", "evalkit", *map(str, bench.words(candidate, least=95))]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as halting:
            candidate.wait_until(lambda: candidate.asked.total() >= 100, within_s=120)
            halting.send_signal(signal.SIGINT)
        assert halting.returncode == 130
        assert 100 <= candidate.asked.total() < asked
        found = only(bench.run(candidate, least=95))[1]
        # What was under way when it was killed is asked a second time, and nothing else.
        assert len(candidate.asked) == asked
    assert (found["interval"], found["sentence"]) == (only(done)[1]["interval"], only(done)[1]["sentence"])


def test_what_is_too_near_to_the_threshold_or_lacks_answers_is_asked_whole(bench):
    with ModelServer("near", knowing()) as candidate:
        done = bench.run(candidate, least=100, code=3)
        assert candidate.asked.total() == ROWS
    assert only(done)[1]["question"] == "for questions like these"
    assert "look 5 of 5 at alpha, goes on" in done.err

    def refusing(asked):
        some = chance("refused", asked.body.decode()) < 0.05
        return replies.error(400, "no") if some else knowing()(asked)

    with ModelServer("refusing", refusing) as candidate:
        done = bench.run(candidate, code=4)
        assert len(candidate.asked) == candidate.asked.total() == ROWS
    assert only(done)[1]["verdict"] == "incomplete"


def test_the_tasks_of_an_average_go_together_and_small_ones_are_asked_whole(bench):
    task(bench.folder / "tasks", "beta", 300)
    with ModelServer("pair", knowing()) as candidate:
        done = bench.run(candidate, tasks=("alpha", "beta"))
        assert candidate.asked.total() == 75 + 300
    (average,) = done.json["averages"]
    found = average["recovery"]["pair"]
    assert (found["verdict"], found["question"]) == ("recovered", "on this benchmark")
    assert "stopped at look 1 of 5" in found["sentence"]
    assert [row["planned"] for row in done.json["tasks"]] == [75, 300]
    assert done.json["tasks"][1]["recovery"]["pair"]["question"] == "for questions like these"


def test_an_average_needs_no_more_than_its_tasks_and_a_task_alone_goes_its_own_way(bench):
    task(bench.folder / "tasks", "gamma", ROWS, category="Other")
    with ModelServer("apart", knowing(changed=0.1)) as candidate:
        done = bench.run(candidate, tasks=("alpha", "gamma"), least=95)
    first, second = done.json["tasks"]
    assert first["recovery"]["apart"]["verdict"] == second["recovery"]["apart"]["verdict"] == "recovered"
    assert candidate.asked.total() == first["planned"] + second["planned"] < 2 * ROWS


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--candidate", "other"), "decides about one candidate"),
        (("--limit", "100"), "draws by itself"),
        (("--noise-floor", "50"), "noise floor"),
    ],
)
def test_what_cannot_be_stopped_early_is_refused_by_name(bench, more, why):
    words = [
        "run",
        "--baseline",
        "base",
        "--candidate",
        "cand",
        "--tasks-dir",
        bench.folder / "tasks",
        "--task",
        "alpha",
    ]
    refused = evalkit(*words, "--stop-early", "--min-recovery", "99", *more)
    assert refused.code == 2
    assert "--stop-early" in refused.err
    assert why in refused.err
    bare = evalkit(*words, "--stop-early")
    assert (bare.code, "no threshold to decide at" in bare.err) == (2, True)


def test_while_looks_are_made_the_window_is_full_of_what_else_is_owed(bench_of_its_own):
    """The candidate is asked alpha's second part before the last of beta, which is asked whole."""
    bench = bench_of_its_own
    task(bench.folder / "tasks", "beta", 600, category="Other")
    with ModelServer("first", knowing()) as other:
        bench.run(other, early=False)
    with ModelServer("alone", knowing(changed=0.1)) as candidate:
        alone = only(bench.run(candidate, least=95))
    order = []
    with ModelServer("beside", knowing(changed=0.1)) as candidate:
        candidate.on_asked = lambda asked: order.append(asked.question.split()[2])
        done = bench.run(candidate, tasks=("alpha", "beta"), least=95, code=3)
        assert len(candidate.asked) == candidate.asked.total() == len(order)
    alphas = [at for at, name in enumerate(order) if name == "alpha"]
    assert alphas[75] < max(at for at, name in enumerate(order) if name == "beta")
    # And each look saw what it would have seen without the other task.
    row, found = done.json["tasks"][0], done.json["tasks"][0]["recovery"]["beside"]
    assert row["planned"] == len(alphas) == alone[0]["planned"] > 75
    assert (found["interval"], found["paired"]) == (alone[1]["interval"], alone[1]["paired"])


def test_a_look_sees_the_listing_that_a_limit_of_its_size_draws(bench_of_its_own):
    bench = bench_of_its_own
    with ModelServer("cand", knowing()) as candidate:
        folder = bench.folder_of(bench.run(candidate))
        early = json.loads((folder / "run.json").read_text())["early"]["alpha"]["part"]
        words = [word for word in bench.words(candidate, early=False) if word != "--json"]
        limited = evalkit(*words, "--limit", early["planned"], "--json")
        (plain,) = json.loads((bench.folder_of(limited) / "run.json").read_text())["plan"]["tasks"]
    assert (plain["listing"], plain["planned"], plain["drawn"]) == (early["listing"], 75, True)
