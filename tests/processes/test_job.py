"""A command that is run to its end: its status, its log, and what it leaves behind."""

import os
import sys
import time

import pytest

from evalkit.base.errors import UsageError
from evalkit.processes import job

SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def run(code, tmp_path, deadline_s=30.0, **more):
    return job.run([sys.executable, "-c", code], dict(os.environ), tmp_path / "job.log", deadline_s, **more)


def test_its_status_and_what_it_wrote(tmp_path):
    assert run("print('hello'); raise SystemExit(3)", tmp_path) == 3
    assert job.tail(tmp_path / "job.log") == "hello\n"
    assert not list(tmp_path.glob("*.server.json"))


def test_a_worker_that_it_leaves_is_ended(tmp_path):
    """In a session of its own, deaf to SIGTERM; the fixture of this folder finds what lives on."""
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)"
    assert run(code, tmp_path) == 0


def test_one_that_takes_too_long_is_ended(tmp_path):
    began = time.monotonic()
    assert run("import time; time.sleep(600)", tmp_path, deadline_s=0.5) is None
    assert time.monotonic() - began < 30


def test_one_that_nobody_wants_any_more_is_ended(tmp_path):
    said = []

    def look(text):
        said.append(text)
        return "ready" not in text

    assert run("import time; print('ready', flush=True); time.sleep(600)", tmp_path, look=look) is None
    assert "ready" in said[-1]


def test_an_interrupt_ends_it_too(tmp_path):
    def look(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("import time; time.sleep(600)", tmp_path, look=look)


def test_a_program_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot be started"):
        job.run(["/nowhere/program"], dict(os.environ), tmp_path / "job.log", 5.0)
    assert not list(tmp_path.glob("*.server.json"))
