import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from evalkit.base.errors import UsageError
from evalkit.processes.group import MARK, new_mark, spawn
from evalkit.processes.orphans import note_path, remove_note, write_note
from evalkit.serve import orphans, stop_orphan

SCRIPT = textwrap.dedent("""
    import json, sys, time
    from pathlib import Path
    from evalkit.serve import Server, Serving
    from evalkit.base.types import Model
    serving = Serving(command=tuple(json.loads(sys.argv[1])), device="cpu")
    with Server(serving, Model("tiny", "x", "y"), Path(sys.argv[2])) as server:
        print(server.pid, flush=True)
        time.sleep(60)
""")
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def killed_evalkit(serving, tmp_path):
    """A function: start a server through an evalkit that is then killed, and its watcher with it; gives the pid."""

    def kill(**play):
        command = [sys.executable, "-c", SCRIPT, json.dumps(serving().command), str(tmp_path / "runs" / "tiny.log")]
        with subprocess.Popen(
            command, env={**os.environ, "FAKE": json.dumps(play)}, stdout=subprocess.PIPE, text=True
        ) as evalkit:
            pid = int(evalkit.stdout.readline())
            for other in psutil.Process(evalkit.pid).children():
                if other.pid != pid:
                    other.kill()
            evalkit.kill()
        return pid

    return kill


@pytest.fixture
def run(tmp_path):
    """A function: start a command as servers are started; it is killed when the test is over."""
    started = []

    def start(command, mark="", log="log"):
        started.append(spawn(command, {**os.environ, MARK: mark}, tmp_path / log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_killed_evalkit_leaves_a_server_that_is_found_and_stopped(killed_evalkit, tmp_path):
    escaped = tmp_path / "escaped"
    pid = killed_evalkit(escapes=str(escaped))
    while not escaped.exists():
        time.sleep(0.02)
    assert not gone(pid)
    (orphan,) = orphans(tmp_path)
    assert pid in orphan.pids
    assert len(orphan.pids) == 2
    assert "--served-model-name" in orphan.command
    stop_orphan(orphan)
    assert all(map(gone, orphan.pids))
    assert orphans(tmp_path) == []
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tiny.log"]


def test_a_server_whose_leader_died_too_is_still_found(killed_evalkit, tmp_path):
    pid = killed_evalkit(child="pass")
    (child,) = psutil.Process(pid).children()
    os.kill(pid, signal.SIGKILL)
    (orphan,) = orphans(tmp_path)
    assert orphan.pids == (child.pid,)
    stop_orphan(orphan)
    assert gone(child.pid)


def test_a_server_that_ignores_sigterm_is_killed(killed_evalkit, tmp_path):
    pid = killed_evalkit(ignores_term=True)
    (orphan,) = orphans(tmp_path)
    stop_orphan(orphan, patience_s=0.3)
    assert gone(pid)


def test_a_kill_between_start_and_note_still_leaves_a_trace(run, tmp_path):
    log, mark = tmp_path / "log", new_mark()
    write_note(log, SLEEPER, mark)
    process = run(SLEEPER, mark)
    (orphan,) = orphans(tmp_path)
    assert orphan.pids == (process.pid,)
    stop_orphan(orphan)
    assert process.wait(60) == -signal.SIGTERM


def test_a_note_about_a_server_that_is_gone_is_removed(run, tmp_path):
    process = run(["sleep", "600"])
    write_note(tmp_path / "log", ["sleep"], new_mark(), psutil.Process(process.pid))
    process.kill()
    process.wait()
    assert orphans(tmp_path) == []
    assert not note_path(tmp_path / "log").exists()


def test_a_pid_that_went_to_another_process_is_not_touched(run, tmp_path):
    stranger = run(SLEEPER)
    write_note(tmp_path / "log", SLEEPER, new_mark(), psutil.Process(stranger.pid))
    note = json.loads(note_path(tmp_path / "log").read_text())
    note_path(tmp_path / "log").write_text(json.dumps({**note, "created": note["created"] - 3600}))
    assert orphans(tmp_path) == []
    assert stranger.poll() is None


def test_members_of_a_group_number_that_was_used_again_are_not_touched(run, tmp_path):
    """A daemon whose parent is gone lives in a group with the number of a process that no longer exists."""
    starts = f"import subprocess, time; print(subprocess.Popen({SLEEPER!r}).pid, flush=True); time.sleep(600)"
    parent = run([sys.executable, "-c", starts], log="daemon")
    while not (tmp_path / "daemon").read_text().endswith("\n"):
        time.sleep(0.02)
    write_note(tmp_path / "log", ["vllm"], new_mark(), psutil.Process(parent.pid))
    parent.kill()
    parent.wait()
    daemon = psutil.Process(int((tmp_path / "daemon").read_text()))
    try:
        assert os.getpgid(daemon.pid) == parent.pid
        assert orphans(tmp_path) == []
        assert daemon.is_running()
    finally:
        daemon.kill()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"mark": 3}', '{"mark": "m", "command": [], "created": "soon"}'])
def test_a_damaged_note_is_removed(tmp_path, text):
    note_path(tmp_path / "log").write_text(text)
    assert orphans(tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_notes_can_be_taken_back_twice(tmp_path):
    write_note(tmp_path / "a" / "log", ["x"], "m")
    remove_note(tmp_path / "a" / "log")
    remove_note(tmp_path / "a" / "log")
    assert not list((tmp_path / "a").iterdir())


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_note(tmp_path / "file" / "log", ["x"], "m")
