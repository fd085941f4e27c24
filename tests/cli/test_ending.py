"""However a command ends, a shell is told the truth: a crash is no verdict, and a full disk no mistake of the user."""

import errno
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalkit.base.errors import ExitCode, FullDiskError
from evalkit.cli import tasks as tasks_command
from evalkit.files import private
from evalkit.runs import thumbnails
from support.commands import evalkit


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """`evalkit tasks` that raises what it is given; crash files go to a folder of the test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))

    def break_with(error):
        def list_tasks(*_, **__):
            raise error

        monkeypatch.setattr(tasks_command, "_list", list_tasks)

    return break_with


@pytest.mark.parametrize(
    "error",
    [
        KeyError("mmlu"),
        AttributeError("no strip"),
        RecursionError("too deep"),
        MemoryError(),
        UnicodeEncodeError("latin-1", "é", 0, 1, "no"),
        sqlite3.DatabaseError("database disk image is malformed"),
        SystemExit(1),
        SystemExit("a library left"),
        ValueError("two\nlines"),
    ],
)
def test_a_crash_is_one_line_and_code_5(broken, error):
    broken(error)
    ended = evalkit("tasks")
    assert ended.code == ExitCode.INFRASTRUCTURE
    (line,) = ended.err.splitlines()
    assert line.startswith(f"error: evalkit broke off: {type(error).__name__}")
    file = Path(line.rpartition(" is in ")[2])
    assert "Traceback (most recent call last)" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_debug_shows_the_traceback(broken):
    broken(KeyError("mmlu"))
    for words in (["tasks", "--debug"], ["tasks", "list", "--debug"]):
        ended = evalkit(*words)
        assert ended.code == ExitCode.INFRASTRUCTURE
        assert ended.err.startswith("error: evalkit broke off: KeyError: 'mmlu'")
        assert "Traceback (most recent call last)" in ended.err
        assert " is in " not in ended.err


def test_a_crash_tells_no_secret(broken, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", "sk-hidden")
    broken(ValueError("header 'Bearer sk-hidden' cannot be sent"))
    ended = evalkit("tasks")
    assert "Bearer ***" in ended.err
    assert "sk-hidden" not in ended.err + Path(ended.err.strip().rpartition(" is in ")[2]).read_text()


def test_a_crash_is_one_json_line_where_lines_are_json(broken, tmp_path):
    broken(KeyError("mmlu"))
    # `tasks` has no --json, but a crash can come before a command has read its options.
    ended = evalkit("--json", "tasks")
    assert ended.code == ExitCode.USAGE
    assert json.loads(ended.err)["event"] == "Error"
    ended = evalkit("compare", tmp_path, tmp_path, "--json")
    assert ended.code == ExitCode.USAGE
    assert "no file with scores" in json.loads(ended.err)["text"]


@pytest.mark.parametrize("answer", ["7", "7.5", "true", '["x"]', '{"text": "x"}'])
def test_an_answer_that_is_no_text_is_named_with_its_line(tmp_path, answer):
    path = tmp_path / "a.jsonl"
    path.write_text('{"answer": "7", "reference": "7"}\n{"answer": ' + answer + ', "reference": "7"}\n')
    metrics = ("anls", "vqa_match", "explicit_prompt_relaxed_correctness", "anywhere_in_answer_relaxed_correctness")
    for metric in metrics:
        ended = evalkit("score", "--metric", metric, path)
        assert ended.code == ExitCode.USAGE
        assert f"{path}:2: answer is {answer}; an answer is a text, or null" in ended.err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_code_5_wherever_it_shows(broken, number):
    broken(OSError(number, os.strerror(number), "somewhere/file"))
    ended = evalkit("tasks")
    assert ended.code == ExitCode.INFRASTRUCTURE
    (line,) = ended.err.splitlines()
    assert line.startswith("error: somewhere/file: ")
    assert "make room" in line


def test_too_many_open_files_is_no_crash(broken):
    broken(OSError(errno.EMFILE, "Too many open files"))
    ended = evalkit("tasks")
    (line,) = ended.err.splitlines()
    assert (ended.code, "broke off" in line, "ulimit -n" in line) == (ExitCode.INFRASTRUCTURE, False, True)


def test_a_folder_that_has_gone_from_under_evalkit_is_told(tmp_path):
    (tmp_path / "gone").mkdir()
    words = f"cd gone && rmdir ../gone && {sys.executable} -m evalkit plan --baseline m; exit $?"
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.INFRASTRUCTURE
    assert done.stderr.startswith("error: the folder that evalkit was started in is gone; change to a folder")


def test_a_crash_that_cannot_even_be_told_is_code_5(broken, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("traceback.format_exception", no_memory)
    broken(KeyError("mmlu"))
    assert evalkit("tasks").code == ExitCode.INFRASTRUCTURE


def test_output_that_does_not_fit_is_code_5():
    words = [sys.executable, "-m", "evalkit", "tasks"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == ExitCode.INFRASTRUCTURE
    assert "make room" in done.stderr
    assert "Traceback" not in done.stderr


def test_reports_pictures_and_exports_that_do_not_fit(tmp_path):
    (tmp_path / "report.md.part").symlink_to("/dev/full")
    with pytest.raises(FullDiskError, match="No space left") as caught:
        private.write(tmp_path / "report.md", "x" * 100_000)
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE
    (tmp_path / "wanted.json").symlink_to("/dev/full")
    with pytest.raises(FullDiskError):
        thumbnails._write(tmp_path, {}, ["x" * 100_000])


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.1, 0.4])
def test_a_second_interrupt_ends_in_order(tmp_path, pause):
    code = (
        "import sys, time\nimport evalkit.cli.tasks as tasks\nfrom evalkit.cli import main\n"
        "def work(*_, **__):\n"
        "    print('ready', flush=True)\n"
        "    try:\n        time.sleep(60)\n"
        "    finally:\n        time.sleep(0.2)\n"
        "tasks._list = work\nsys.argv = ['evalkit', 'tasks']\nmain()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
    # While Python itself is shutting down, the signal ends the process: a shell says 130 of that too.
    assert process.returncode in {ExitCode.INTERRUPTED, -signal.SIGINT}
    assert "Traceback" not in process.stderr.read()
