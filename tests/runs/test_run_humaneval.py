"""HumanEval through the command line when things go wrong; a stand-in answers in vLLM's place (``text_servers``)."""

import json
import signal
import sqlite3
import subprocess
import sys
import time

import psutil
import pytest

from support import textwork
from support.textwork import ATTEMPTS, PROBLEMS, words

ALL = 2 * PROBLEMS * ATTEMPTS


@pytest.fixture
def texts(workplace):
    """The workplace with the files of the text tasks."""
    textwork.write(workplace.folder)
    return workplace


def only(*more, serve=()):
    return words(*more, tasks=("humaneval",), serve=serve)


def attempts(texts):
    """Attempts that the stand-in was asked for."""
    return sum(int(line[2]) for line in textwork.journal(texts.folder) if line[0] == "program")


def stored(texts, what="fingerprint, text", table="response"):
    path = texts.folder / "runs/store.sqlite3"
    if not path.exists():
        return set()
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as connection:
            return set(connection.execute(f"SELECT {what} FROM {table}"))
    except sqlite3.OperationalError:
        return set()  # the tables are still to be made


def kill_when(texts, line, due, by=signal.SIGKILL, code=-signal.SIGKILL):
    process = subprocess.Popen(
        texts.command(*line),
        cwd=texts.folder,
        env=texts.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 60
    while not due() and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.005)
    process.send_signal(by)
    assert process.wait(timeout=30) == code


KILLED_AT_ANSWER = """
import os, signal, sys
from evalkit.cli import main
from evalkit.records.store import Store

left, put = [int(sys.argv.pop(1))], Store.put_all

def put_and_die(store, outcomes, run):
    found = list(outcomes)
    put(store, found, run)
    left[0] -= len(found)
    if left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)

Store.put_all = put_and_die
main()
"""
"""A run that is killed as soon as it has stored so many answers."""


def processes_of(texts):
    """Servers and checkers that were started here."""
    return [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(texts.folder)]


def check_scores(done):
    (row,) = json.loads(done.stdout)["tasks"]
    for model, score in row["scores"].items():
        assert (score["planned"], score["scored"]) == (PROBLEMS * ATTEMPTS,) * 2
        assert score["score"] == pytest.approx(textwork.deserved_pass(model))


def test_killed_while_asking_and_while_judging_nothing_stored_is_asked_again(texts):
    line = only("--window", "1", serve=("delay-s=0.3",))
    # After the first attempt at the first problem, within the baseline, and within the candidate.
    for count in (1, 12, PROBLEMS * ATTEMPTS + 1):
        before, asked = stored(texts), attempts(texts)
        # The first time by Ctrl-C, while the problems' own solutions are being tried.
        how = {"by": signal.SIGINT, "code": 130} if count == 1 else {}
        kill_when(texts, line, lambda count=count: len(stored(texts)) >= count, **how)
        after = stored(texts)
        assert before <= after
        # What was under way when it was killed is all that was asked for nothing.
        assert len(after) - len(before) <= attempts(texts) - asked <= len(after) - len(before) + ATTEMPTS
    kill_when(texts, line, lambda: len(stored(texts)) == ALL)
    answers, asked, judged = stored(texts), attempts(texts), stored(texts, "key", "verdict")
    assert len(answers) == ALL
    done = texts.here(*line, check=0)
    # Judged without a server: everything had been answered.
    assert attempts(texts) == asked
    assert "ServerState" not in done.stderr
    assert stored(texts) == answers
    assert judged <= stored(texts, "key", "verdict")
    check_scores(done)
    exams = json.loads(done.stdout)["tasks"][0]["exams"]
    assert {model: facts["prompt"] for model, facts in exams.items()} == {"base": "chat", "cand": "chat"}
    assert len(texts.runs()) == 1
    assert psutil.wait_procs(processes_of(texts), timeout=10)[1] == []


def test_killed_at_the_last_answer_of_each_model_the_report_still_says_how_it_was_asked(texts):
    line = only("--limit", "1")
    # The first attempt, which is sent before all others, and all others.
    for count in (1, ATTEMPTS - 1) * 2:
        words = [sys.executable, "-c", KILLED_AT_ANSWER, str(count), *line]
        ended = subprocess.run(words, cwd=texts.folder, env=texts.env, capture_output=True, timeout=60, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(stored(texts)) == 2 * ATTEMPTS
    asked = attempts(texts)
    done = texts.here(*line, check=0)
    assert attempts(texts) == asked
    exams = json.loads(done.stdout)["tasks"][0]["exams"]
    assert {model: facts["prompt"] for model, facts in exams.items()} == {"base": "chat", "cand": "chat"}


@pytest.mark.usefixtures("hurried")
def test_a_server_that_dies_amid_a_request_is_started_again_for_what_is_owed(texts):
    done = texts.here(*only("--window", "1", serve=("die-after=4",)), check=0)
    check_scores(done)
    assert done.stderr.count("starting it again") == 2
    # Of each model, the request that killed it was asked twice.
    assert attempts(texts) - ALL in {2 * ATTEMPTS, 2 * ATTEMPTS - 2, 2 * ATTEMPTS - 1}


def test_attempts_that_differ_are_averaged_within_their_problem(texts):
    done = texts.here(*only("--limit", "2", serve=("mixed=true",)), check=0)
    (row,) = json.loads(done.stdout)["tasks"]
    assert (row["planned"], row["available"]) == (2 * ATTEMPTS, PROBLEMS * ATTEMPTS)
    for model in ("base", "cand"):
        found = textwork.samples(texts.folder, model, "humaneval")
        passed = {}
        for one in found:
            passed.setdefault(one["cluster"], []).append("'wrong'" not in one["answer"])
        assert all(len(each) == ATTEMPTS and 0 < sum(each) < ATTEMPTS for each in passed.values())
        metrics = row["scores"][model]["metrics"]
        assert metrics["pass@1"] == pytest.approx(sum(map(sum, passed.values())) / len(found))
        assert metrics["pass@10"] == 1.0
    assert json.loads(done.stdout)["tasks"][0]["checks"]["answers"] > 0


def test_a_server_that_takes_requests_and_answers_none_is_noticed_by_the_first(texts):
    (texts.folder / "evalkit.toml").write_text("[client]\ntries = 2\ndeadline_s = 1\n")
    started = time.monotonic()
    done = texts.here(*only("--config", "evalkit.toml", serve=("mute=true",)))
    assert time.monotonic() - started < 30
    assert done.returncode == 5
    assert "the server answered nothing: no complete response within 1 s, in 2 tries" in done.stderr
    assert "raise deadline_s under [client]" in done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    silent = [one["detail"] for one in told if one.get("state") == "silent"]
    assert len(silent) > 1
    assert all(detail.startswith("no answer for ") and "requests under way: 1" in detail for detail in silent)
    assert "answering" not in {one.get("state") for one in told}
    # Two tries of each model's server: that the one is mute says nothing of the other.
    assert attempts(texts) == 4
    assert not list(texts.folder.glob("runs/*/results.json"))


WITHOUT_SANDBOX = """
from evalkit.cli import main
from evalkit.sandbox import guard
guard._give_up_rights("none")  # from here on the kernel refuses this process new namespaces
main()
"""


def without_sandbox(texts, *line):
    """The command line on a machine where no sandbox works."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_SANDBOX, *map(str, line)],
        cwd=texts.folder,
        env=texts.env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_without_a_sandbox_is_refused_only_where_something_is_to_be_judged(texts):
    line = only("--limit", "2")
    refused = without_sandbox(texts, *line)
    assert refused.returncode not in {0, None}
    assert "generated code cannot be run safely on this machine" in refused.stderr
    # Before a model is served.
    assert "ServerState" not in refused.stderr
    done = json.loads(texts.here(*line, check=0).stdout)
    asked = attempts(texts)

    again = without_sandbox(texts, *line)
    assert (again.returncode, json.loads(again.stdout)["tasks"]) == (0, done["tasks"]), again.stderr
    # A plan of its own, all of it from the store.
    less = without_sandbox(texts, *only("--limit", "1"))
    assert less.returncode == 0, less.stderr
    assert json.loads(less.stdout)["tasks"][0]["checks"] == {"verdicts": "from the store", "timeouts": 0}
    more = without_sandbox(texts, *only("--limit", "3"))
    assert "generated code cannot be run safely on this machine" in more.stderr
    assert attempts(texts) == asked
