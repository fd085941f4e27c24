"""HumanEval through the command line when things go wrong; a stand-in answers in vLLM's place (``text_servers``)."""

import json
import signal
import sqlite3
import subprocess
import time

import psutil
import pytest
import textwork
from textwork import ATTEMPTS, PROBLEMS, words

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
    done = texts.evalkit(*line, check=0)
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


def test_a_server_that_dies_amid_a_request_is_started_again_for_what_is_owed(texts):
    done = texts.evalkit(*only("--window", "1", serve=("die-after=3",)), check=0)
    check_scores(done)
    assert done.stderr.count("starting it again") == 2
    # Of each model, the request that killed it was asked twice.
    assert attempts(texts) - ALL in {2 * ATTEMPTS, 2 * ATTEMPTS - 2, 2 * ATTEMPTS - 1}


def test_attempts_that_differ_are_averaged_within_their_problem(texts):
    done = texts.evalkit(*only("--limit", "2", serve=("mixed=true",)), check=0)
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
