"""What a hostile program can cost: memory where its outputs are compared, and time before its function is called."""

import threading
import time
from contextlib import suppress

import psutil
import pytest

from evalkit import sandbox
from evalkit.harnesses.evalplus import runs
from evalkit.harnesses.evalplus.problems import Problem
from evalkit.harnesses.judge_process import JudgeProcess

MIB = 2**20
JUDGE = "evalkit.harnesses.evalplus.judge"

F = Problem("HumanEval/0", "", "f", "", 0, {}, "")


@pytest.fixture
def process():
    found = JudgeProcess("evalkit.harnesses.evalplus.judge")
    yield found
    found.close()


def order(outputs, expected):
    return {
        "do": "check", "dataset": "humaneval", "task_id": "HumanEval/0",
        "entry_point": "f", "inputs": [[1]] * len(outputs), "expected": expected, "outputs": outputs,
        "atol": 1e-6, "mended": False,
    }  # fmt: skip


def peak(work):
    """What work returns, and how much memory the judging process or a fork of it took meanwhile, in MiB.

    Only what comes on top of the process as it was before: a fork begins with all that its parent has. Other children
    of this one are other tests' concern, and one that is only just being started still has the memory of this one.
    """
    most, over = 0, threading.Event()
    (judge,) = [one for one in psutil.Process().children() if one.cmdline()[-1:] == [JUDGE]]
    before = judge.memory_info().rss

    def look():
        nonlocal most
        while not over.wait(0.01):
            # Forks come and go: one that has ended since the last look is none.
            with suppress(psutil.Error):
                for one in (judge, *judge.children(recursive=True)):
                    most = max(most, (one.memory_info().rss - before) // MIB)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        return work(), most
    finally:
        over.set()
        watching.join()


def written(length):
    return ["r", [0, length, 1]]


@pytest.mark.parametrize(
    "said",
    [["l", [written(2 * 10**7)] * 64], ["l", [written(999_999)] * 2000], ["l", [["l", [written(10**6)] * 9]] * 100]],
)
def test_what_is_long_only_when_it_is_compared_takes_no_memory(process, said):
    numbers = ["l", [["f", (1.5).hex()]]]
    assert process.ask(order([numbers], [numbers])) == {"judgement": "pass"}
    same = ["l", [["l", [["f", (0.5).hex()]]]] * len(said[1])]
    found, most = peak(lambda: process.ask(order([said], [same])))
    assert found == {"judgement": "fail"}
    assert most < 1200
    # The same process goes on.
    assert process.ask(order([written(1000)], [written(1000)])) == {"judgement": "pass"}


def test_lines_of_very_many_small_values_are_not_read(tmp_path):
    del tmp_path
    program = "import os\nfor fd in range(3, 20):\n    try:\n        os.write(fd, b'[\"ok\", [' + b'[],' * 3_000_000)\n"
    program += "    except OSError:\n        pass\ndef f(x):\n    return 1"
    found = runs.Runner(sandbox.find(), 1024).run(program, F, [[1]], [1.0])
    assert found.outputs is None


SWALLOWS = """
import time
while True:
    try:
        time.sleep(1000)
    except Exception:
        pass
"""


@pytest.mark.parametrize("program", ["import time\ntime.sleep(1000)", "while True:\n    pass", SWALLOWS])
def test_loading_is_bounded_by_itself(monkeypatch, program):
    monkeypatch.setattr(runs, "_LOADING_S", (0.5, 1.0))
    began = time.monotonic()
    found = runs.Runner(sandbox.find(), 1024).run(f"{program}\ndef f(x):\n    return 1", F, [[1]] * 50, [1.0] * 50)
    assert (found.timed_out, found.note) == (True, "out of time before it was loaded")
    assert time.monotonic() - began < 120


def test_loading_is_bounded_whatever_a_program_does_to_its_timers(monkeypatch):
    monkeypatch.setattr(runs, "_SILENT_S", 3.0)
    program = "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0)\ntime.sleep(1000)"
    began = time.monotonic()
    found = runs.Runner(sandbox.find(), 1024).run(f"{program}\ndef f(x):\n    return 1", F, [[1]] * 50, [1.0] * 50)
    assert (found.timed_out, found.note) == (True, "out of time before it was loaded")
    assert time.monotonic() - began < 120


def test_what_waits_in_its_calls_still_has_their_time(monkeypatch):
    monkeypatch.setattr(runs, "_SILENT_S", 5.0)
    program = "import time\ndef f(x):\n    time.sleep(3.5)\n    return x"
    found = runs.Runner(sandbox.find(), 1024).run(program, F, [[1], [2]], [1.0, 1.0])
    assert found.outputs == (1, 2)
