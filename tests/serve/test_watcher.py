"""kill -9 of evalkit: within seconds nothing of its server is left."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from evalkit.base.types import Model
from evalkit.processes.group import MARK
from evalkit.serve import Server, orphans

SCRIPT = textwrap.dedent("""
    import json, os, sys, time
    from pathlib import Path
    from evalkit.serve import Server, Serving
    from evalkit.base.types import Model
    serving = Serving(command=tuple(json.loads(sys.argv[1])), device="cpu")
    say = lambda state, detail: print(state, flush=True)
    with Server(serving, Model("tiny", "x", "y"), Path(sys.argv[2]), say) as server:
        if "forks" in sys.argv[3:] and os.fork() == 0:
            time.sleep(600)  # holds whatever evalkit holds
        print("serving", flush=True)
        time.sleep(60)
""")


@pytest.fixture
def evalkit(serving, tmp_path):
    """A function: an evalkit that serves what it is told, started as a shell starts it; it has said ``until``."""
    started = []

    def start(until, *how, **play):
        command = [sys.executable, "-c", SCRIPT, json.dumps(serving().command), str(tmp_path / "tiny.log"), *how]
        env = {**os.environ, "FAKE": json.dumps(play)}
        one = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(one)
        for line in one.stdout:
            if line.strip() == until:
                break
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()
        one.stdout.close()
    wait_until(lambda: not living())


def living(mark=""):
    """Processes of this test, or those of them that have a variable of that name."""
    found = []
    for process in psutil.process_iter():
        try:
            env = process.environ()
            ours = env.get("TEST_RUN") == os.environ["TEST_RUN"] and process.status() != psutil.STATUS_ZOMBIE
            found += [process] if ours and (not mark or mark in env) else []
        except (psutil.Error, OSError):
            continue
    return found


def marked():
    return living(MARK)


def wait_until(holds, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


PLAYS = {
    "serving": ("serving", {}),
    "starting": ("starting", {"listens": False}),
    "with children": ("serving", {"child": "pass"}),
    "deaf": ("serving", {"ignores_term": True}),
}


@pytest.mark.parametrize("name", PLAYS)
def test_a_killed_evalkit_takes_its_server_with_it(evalkit, name, tmp_path):
    until, play = PLAYS[name]
    one = evalkit(until, **play)
    wait_until(marked)
    one.kill()
    wait_until(lambda: not marked())
    wait_until(lambda: not list(tmp_path.glob("*.server.json*")))
    assert orphans(tmp_path) == []


def test_what_left_the_server_s_group_ends_too(evalkit, tmp_path):
    one = evalkit("serving", escapes=str(tmp_path / "escaped"))
    wait_until((tmp_path / "escaped").exists)
    one.kill()
    wait_until(lambda: not marked())


def test_a_kill_of_evalkit_s_whole_group_does_not_reach_the_watcher(evalkit):
    one = evalkit("serving")
    os.killpg(one.pid, signal.SIGKILL)
    wait_until(lambda: not marked())


def test_a_forked_child_that_lives_on_does_not_keep_the_server_alive(evalkit):
    one = evalkit("serving", "forks")
    one.kill()
    wait_until(lambda: not marked())
    (forked,) = [process for process in living() if SCRIPT in process.cmdline()]
    forked.kill()


def test_a_watcher_goes_with_its_server(serving, tmp_path):
    before = set(psutil.Process().children())
    with Server(serving(), Model("tiny", "x", "y"), tmp_path / "log") as server:
        (watcher,) = [one for one in psutil.Process().children() if one not in before and one.pid != server.pid]
        assert watcher.is_running()
    assert not watcher.is_running()


def test_a_killed_watcher_keeps_nothing_from_working(serving, tmp_path):
    before = set(psutil.Process().children())
    with Server(serving(), Model("tiny", "x", "y"), tmp_path / "log") as server:
        for one in psutil.Process().children():
            if one not in before and one.pid != server.pid:
                one.kill()
    assert marked() == []
