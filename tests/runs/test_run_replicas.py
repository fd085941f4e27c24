"""Several servers of a model, and models at the same time, through the command line; a stand-in answers for vLLM."""

import json
import signal
import sqlite3
import subprocess
import time

import psutil
import pytest

SAMPLES = 70
JOURNAL = ("--serve-arg", 'journal=["journal"]')
SLOWLY = ("--serve-arg", 'delay-until=["seen"]', "--serve-arg")
"""Before a delay, which ends once the test has seen what it waited for."""


def events(file):
    """What the run has told so far."""
    told = [line for line in file.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return [json.loads(line) for line in told]


def ready(file):
    """Ports of the servers that got ready, in that order."""
    details = [one["detail"] for one in events(file) if one.get("state") == "ready"]
    return [detail.split("http://127.0.0.1:")[1].split(",")[0] for detail in details]


def wait_for(due, within_s=240.0):
    ends = time.monotonic() + within_s
    while not due():
        assert time.monotonic() < ends
        time.sleep(0.05)


def servers_of(folder):
    """Living servers that were started from ``folder``, by port."""
    found = {}
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if process.info["cwd"] == str(folder) and "--port" in words:
            found[words[words.index("--port") + 1]] = process
    return found


def kill_server(folder, port):
    servers_of(folder)[port].send_signal(signal.SIGKILL)


def stored(folder):
    with sqlite3.connect(f"file:{folder / 'runs/store.sqlite3'}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*), count(DISTINCT fingerprint) FROM response").fetchone()


def test_both_models_at_the_same_time_on_two_servers_each(workplace):
    (workplace.folder / "evalkit.toml").write_text('[serve]\ndevice = "gpu"\n')
    words = workplace.comparison(*JOURNAL, "--config", "evalkit.toml", "--gpus", "0,1,2,3")
    done = workplace.here(*words, check=0)
    tasks = json.loads(done.stdout)["tasks"]
    assert {one["failed"] for row in tasks for one in row["scores"].values()} == {0}
    # Of samples that are equal one is asked.
    assert sorted(workplace.journal()) == sorted({*workplace.journal()})
    assert stored(workplace.folder) == (2 * SAMPLES, 2 * SAMPLES)
    assert sorted(path.name for path in workplace.runs()[0].glob("server/*.log")) == [
        "base.1.log",
        "base.2.log",
        "cand.1.log",
        "cand.2.log",
    ]
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    each = {
        (one["model"], server["name"]) for one in told if one.get("event") == "Servers" for server in one["servers"]
    }
    assert {(model, name.partition(",")[0]) for model, name in each} == {
        (model, f"server {number} of 2") for model in ("base", "cand") for number in (1, 2)
    }
    # What was told of them last is that it holds no longer.
    last = {one["model"]: one["servers"] for one in told if one.get("event") == "Servers"}
    assert last == {"base": [], "cand": []}
    states = [(one["model"], one["state"]) for one in told if one.get("event") == "ServerState"]
    assert states.index(("cand", "ready")) < states.index(("base", "stopping"))
    foreseen = json.loads(workplace.here("plan", *words[1:], "--fresh", check=0).stdout)
    assert foreseen["placed_seconds"] == pytest.approx(sum(one["seconds"] for one in foreseen["tasks"]) / 4)
    # Stopping early models take turns, each on all four.
    early = workplace.here("plan", *words[1:], "--fresh", "--stop-early", "--min-recovery", "90", check=0)
    (average,) = json.loads(early.stdout)["early"]
    assert average["seconds"] == pytest.approx(sum(one["seconds"] for one in foreseen["tasks"]) / 2 / 4)
    assert average["seconds"] > 0
    # How many servers there were, and where, moves no identity: nothing is asked anew.
    again = workplace.here(*workplace.comparison(*JOURNAL, "--config", "evalkit.toml"), check=0)
    assert len(workplace.runs()) == 1
    assert '"starting"' not in again.stderr


def test_whichever_server_is_killed_in_the_middle_nothing_is_lost(workplace):
    told = workplace.folder / "told"
    words = ["run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json"]
    words += [*JOURNAL, *SLOWLY, "delay-s=1", "--replicas", "2", "--window", "2"]
    with told.open("w") as stderr:
        process = subprocess.Popen(
            workplace.command(*words), cwd=workplace.folder, env=workplace.env, stdout=subprocess.PIPE, stderr=stderr
        )
        wait_for(lambda: len(ready(told)) == 2 and len(workplace.journal()) >= 8)
        # One of the two that began, which may lead or not; then the one in its place, which certainly does not lead.
        kill_server(workplace.folder, ready(told)[0])
        wait_for(lambda: len(ready(told)) == 3)
        asked = len(workplace.journal())
        wait_for(lambda: len(workplace.journal()) >= asked + 6)
        kill_server(workplace.folder, ready(told)[2])
        (workplace.folder / "seen").touch()
        said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told.read_text()[-2000:]
    scores = [row["scores"]["base"] for row in json.loads(said)["tasks"]]
    assert [(one["planned"], one["failed"]) for one in scores] == [(40, 0), (30, 0)]
    assert stored(workplace.folder) == (SAMPLES, SAMPLES)
    assert "what it had goes to the others; starting it again" in told.read_text()
    # Two deaths with at most two requests under way on a server; the leader's death ends the others' requests, too.
    assert len(workplace.journal()) <= SAMPLES + 4 * 2


@pytest.mark.usefixtures("hurried")
def test_a_server_that_keeps_dying_is_given_up_and_the_others_go_on(workplace):
    (workplace.folder / "evalkit.toml").write_text('[serve]\ndevice = "gpu"\nrestarts = 1\n')
    words = ["run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json"]
    words += ["--config", "evalkit.toml", "--gpus", "0,1", "--window", "2", *JOURNAL, "--serve-arg", "delay-s=0.3"]
    done = workplace.here(*words, "--serve-arg", "die-after=3", "--serve-arg", "sick-gpu=1", check=0)
    scores = [row["scores"]["base"] for row in json.loads(done.stdout)["tasks"]]
    assert [(one["planned"], one["failed"]) for one in scores] == [(40, 0), (30, 0)]
    assert stored(workplace.folder) == (SAMPLES, SAMPLES)
    told = {one["text"] for line in done.stderr.splitlines() if (one := json.loads(line)).get("event") == "Notice"}
    (given_up,) = (text for text in told if "given up" in text)
    assert given_up.startswith("base: server 2 of 2 is given up, the others go on: it died 2 times (")
    assert given_up in (workplace.runs()[0] / "report.md").read_text()
    # Each of its two lives ended with at most two requests under way; those of the other's too where it led.
    assert len(workplace.journal()) <= SAMPLES + 2 * 4


@pytest.mark.usefixtures("hurried")
def test_a_question_that_kills_servers_is_set_aside_and_costs_a_few_starts(workplace):
    words = ["run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json"]
    words += [*JOURNAL, "--replicas", "3", "--window", "4", "--serve-arg", "delay-s=0.1"]
    done = workplace.here(*words, "--serve-arg", "die-on=What is number 7?")
    scores = [row["scores"]["base"] for row in json.loads(done.stdout)["tasks"]]
    assert [(one["scored"], one["failures"]) for one in scores] == [(39, {"killed_server": 1}), (30, {})]
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert 2 <= sum(one.get("state") == "died" for one in told) <= 4
    assert "given up" not in done.stderr
    assert stored(workplace.folder) == (SAMPLES, SAMPLES)


@pytest.mark.usefixtures("hurried")
def test_a_model_that_is_lost_beside_another_is_told_at_once(workplace):
    (workplace.folder / "evalkit.toml").write_text('[serve]\ndevice = "gpu"\nrestarts = 0\n')
    words = workplace.comparison(*JOURNAL, "--config", "evalkit.toml", "--gpus", "0,1", "--window", "2")
    words += ["--serve-arg", "delay-s=0.05", "--serve-arg", "die-after=3", "--serve-arg", "sick-gpu=1"]
    done = workplace.here(*words)
    told = [one for line in done.stderr.splitlines() if line.startswith("{") and (one := json.loads(line))]
    lost = next(at for at, one in enumerate(told) if one.get("text", "").endswith("; the other models go on"))
    assert told[lost]["text"].startswith("warning: cand: ")
    answered = [one["scored"] for one in told[lost:] if one.get("event") == "Progress" and one["model"] == "base"]
    assert len(answered) > 10
    assert stored(workplace.folder)[0] >= SAMPLES


def test_a_killed_run_leaves_no_server_and_the_same_command_continues(workplace):
    words = ["run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json"]
    words += [*JOURNAL, *SLOWLY, "delay-s=0.3", "--replicas", "2", "--window", "2"]
    told = workplace.folder / "told"
    with told.open("w") as stderr:
        process = subprocess.Popen(
            workplace.command(*words), cwd=workplace.folder, env=workplace.env, stdout=subprocess.PIPE, stderr=stderr
        )
        wait_for(lambda: len(ready(told)) == 2 and len(workplace.journal()) >= SAMPLES // 3)
        process.kill()
        process.communicate()
    # What watches each of them ends it: long before the next run looks for what was left behind.
    wait_for(lambda: not servers_of(workplace.folder), within_s=60)
    before, (answered, _) = len(workplace.journal()), stored(workplace.folder)
    assert 0 < answered < SAMPLES
    (workplace.folder / "seen").touch()
    done = workplace.here(*words, check=0)
    assert {one["failed"] for row in json.loads(done.stdout)["tasks"] for one in row["scores"].values()} == {0}
    assert stored(workplace.folder) == (SAMPLES, SAMPLES)
    assert len(workplace.journal()) - before == SAMPLES - answered
    assert len(workplace.runs()) == 1
    assert not servers_of(workplace.folder)
