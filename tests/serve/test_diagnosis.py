import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.serve import classify

HERE = Path(__file__).parent
FAULTS = tomllib.loads((HERE / "faults.toml").read_text())
HEALTHY = (HERE / "healthy_log.txt").read_text()
PARENT = """
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked
"""


@pytest.mark.parametrize("name", FAULTS)
def test_a_known_fault_is_named_with_a_way_out(name):
    fault = FAULTS[name]
    for log in (fault["log"], HEALTHY + fault["log"] + PARENT):
        found = classify(log, 1)
        assert fault["reason"] in found.reason
        assert fault["fix"] in found.fix
        assert found.quote in fault["log"]
        assert found.quote
        assert "{" not in found.reason + found.fix


def test_a_healthy_log_holds_no_known_fault():
    assert classify(HEALTHY, 1).reason == "it ended with exit status 1 for an unknown reason"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (-9, "killed (signal 9)"),
        (-11, "ended by SIGSEGV"),
        (-6, "ended by SIGABRT"),
        (-63, "ended by signal 63"),
        (3, "exit status 3"),
        (None, "it stopped"),
    ],
)
def test_without_a_known_sign_the_exit_status_speaks(code, reason):
    assert reason in classify(HEALTHY, code).reason


def test_a_signal_does_not_hide_a_reason_in_the_log():
    assert "GPU ran out" in classify(FAULTS["gpu memory"]["log"], -9).reason


def test_the_last_error_stands_for_an_unknown_fault():
    log = HEALTHY + "(Worker pid=9) ERROR 11-23 10:53:26 [x.py:953] foo.BarError: the frobnicator jammed\n" + PARENT
    assert classify(log, 1).reason == "BarError: the frobnicator jammed"


def test_a_process_that_the_system_killed_is_told_from_an_unknown_fault():
    assert "left no reason in the log" in classify(HEALTHY + PARENT, 1).reason
    killed = "RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore': -9}"
    assert "runs out of memory" in classify(killed, 1).reason
    assert "SIGSEGV" in classify(killed.replace("-9", "-11"), 1).reason


def test_a_stop_from_outside_is_no_crash():
    asked = "(APIServer pid=6547) INFO 11-23 10:42:35 [launcher.py:254] [shutdown] API server: shutdown triggered\n"
    then = "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above)."
    assert "asked to stop" in classify(HEALTHY + asked + then, 0).reason


@given(st.text(), st.one_of(st.none(), st.integers(-64, 255)))
def test_any_log_gets_a_reason_and_a_fix(log, code):
    found = classify(log, code)
    assert found.reason
    assert found.fix


def test_a_long_log_is_read_quickly():
    log = "(Worker pid=1) ERROR 11-23 10:53:26 [x.py:953] model's max seq len (2048) torchvision\n" * 12_000
    assert classify(log, 1).reason
