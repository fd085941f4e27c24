import os
import signal
import sys
import time

import psutil
import pytest

from evalkit.processes.group import MARK, Group, new_mark, spawn

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def start(tmp_path):
    """A function: Python code -> the process that runs it, and its group."""
    started = []

    def run(code):
        mark = new_mark()
        process = spawn([sys.executable, "-uc", code], {**os.environ, MARK: mark}, tmp_path / "log")
        started.append(process)
        return process, Group(process.pid, psutil.Process(process.pid).create_time(), mark)

    yield run
    for process in started:
        process.kill()
        process.wait()


def line(path, number=0):
    """A line of a file, as soon as it is complete."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = path.read_text().split("\n")
        if len(lines) > number + 1:
            return lines[number]
        time.sleep(0.02)
    raise AssertionError(path.read_text())


def test_output_and_errors_are_appended_to_the_log(tmp_path):
    (tmp_path / "log").write_text("earlier\n")
    with spawn(
        [sys.executable, "-c", "import sys; print(1, flush=True); sys.exit('two')"], {}, tmp_path / "log"
    ) as process:
        assert process.wait(60) == 1
    assert (tmp_path / "log").read_text() == "earlier\n1\ntwo\n"


def test_a_process_has_a_session_of_its_own_and_no_input(start, tmp_path):
    process, _ = start("import sys; print(repr(sys.stdin.read()))")
    assert line(tmp_path / "log") == "''"
    assert process.pid != os.getsid(0)


def test_no_open_file_of_ours_reaches_the_child(start, tmp_path):
    with (tmp_path / "open").open("w") as file:
        start(f"import os\ntry: os.fstat({file.fileno()})\nexcept OSError: print('closed')\nelse: print('open')")
        os.set_inheritable(file.fileno(), True)
        start(f"import os\ntry: os.fstat({file.fileno()})\nexcept OSError: print('closed')\nelse: print('open')")
        assert {line(tmp_path / "log", 0), line(tmp_path / "log", 1)} == {"closed"}


def test_members_are_the_leader_and_all_below_it(start, tmp_path):
    process, group = start(f"import subprocess, time; print(subprocess.Popen({SLEEPER!r}).pid); time.sleep(600)")
    child = int(line(tmp_path / "log"))
    assert {one.pid for one in group.members()} == {process.pid, child}
    assert group.end(5) == []
    assert process.wait(60) == -signal.SIGTERM
    assert group.members() == []


def test_a_child_with_other_variables_outside_the_group_is_remembered(start, tmp_path):
    child = f"subprocess.Popen({SLEEPER!r}, env={{}}, start_new_session=True)"
    process, group = start(f"import subprocess, time; print({child}.pid); time.sleep(600)")
    child = psutil.Process(int(line(tmp_path / "log")))
    group.remember()
    process.kill()
    process.wait()
    assert [one.pid for one in group.members()] == [child.pid]
    assert group.end(5) == []
    assert gone(child.pid)


def test_an_end_finds_such_a_child_by_itself(start, tmp_path):
    child = f"subprocess.Popen({SLEEPER!r}, env={{}}, start_new_session=True)"
    _, group = start(f"import subprocess, time; print({child}.pid); time.sleep(600)")
    pid = int(line(tmp_path / "log"))
    assert group.end(5) == []
    assert gone(pid)


def test_what_survives_sigterm_is_killed(start, tmp_path):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    process, group = start(code)
    line(tmp_path / "log")
    begun = time.monotonic()
    assert group.end(0.3) == []
    assert 0.3 < time.monotonic() - begun < 30
    assert process.wait(60) == -signal.SIGKILL


def test_a_port_is_owned_when_every_listener_is_a_member(start):
    process, group = start("import time; time.sleep(600)")
    assert group.owns([process.pid])
    assert not group.owns([process.pid, os.getpid()])
    assert not group.owns([process.pid, None])
    assert not group.owns([])


def test_strangers_are_no_members(start):
    _, group = start("import time; time.sleep(600)")
    stranger, _ = start("import time; time.sleep(600)")
    assert stranger.pid not in {one.pid for one in group.members()}
    group.end(5)
    assert stranger.poll() is None
