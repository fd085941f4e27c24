"""What libraries say, by whatever way, goes into a log; standard error is for the words of evalkit."""

import json
import logging
import os
import subprocess
import sys
import warnings

import pytest

from evalkit.cli.library_log import FILE, library_log

NOISE = """
def noise():
    import logging, os, sys, warnings
    handler = logging.StreamHandler()            # as transformers and huggingface_hub make theirs
    theirs = logging.getLogger("transformers.later")
    theirs.addHandler(handler)
    theirs.propagate = False
    theirs.warning("of a handler of its own")
    early.warning("of a handler that was there before")
    warnings.warn("of the warnings module")
    print("of print", file=sys.stderr)
    os.write(2, b"of C, into the descriptor\\n")

import logging
early = logging.getLogger("early")
early.addHandler(logging.StreamHandler())
early.propagate = False
"""
SAID = ("a handler of its own", "a handler that was there before", "of print", "of C, into the descriptor")


def spoken(code, *words, cwd, env=None):
    """A command of a process of its own, in which something is another."""
    script = f"import sys\nsys.argv = {['evalkit', *words]!r}\n{NOISE}\n{code}\nfrom evalkit.cli import main\nmain()"
    home = {"HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "state"), "XDG_CACHE_HOME": str(cwd / "cache")}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **home, **(env or {})},
    )


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_warnings_and_loggers_write_to_the_log_and_not_to_standard_error(tmp_path, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with library_log(tmp_path):
            warnings.warn("Corrupt EXIF data", UserWarning, stacklevel=1)
            logging.getLogger("some.library").warning("slow tokenizer")
    assert capsys.readouterr().err == ""
    text = (tmp_path / FILE).read_text()
    assert "Corrupt EXIF data" in text
    assert "some.library WARNING slow tokenizer" in text


def test_a_log_that_cannot_be_written_is_no_fault(tmp_path, capsys):
    with library_log(tmp_path / "nowhere"):
        logging.getLogger("some.library").warning("lost")
    assert capsys.readouterr().err == ""


PLANNED = """
import evalkit.runs.preview
from evalkit.base.errors import DataError
from evalkit.base.events import Stage
def preview(settled, say, discordance):
    say(Stage("looking"))
    noise()
    print("on standard output")
    raise DataError("no rows", fix="bring some")
evalkit.runs.preview.preview = preview
"""


def test_however_a_library_speaks_standard_error_holds_json_lines_alone(tmp_path):
    ended = spoken(PLANNED, "plan", "--json", "--baseline", "m", "-o", "out", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line["event"] for line in json_lines(ended.stderr)] == ["Stage", "Error"]
    log = tmp_path / "out" / FILE
    for said in (*SAID, "of the warnings module", "on standard output"):
        assert said in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_same_words_stay_out_of_plain_lines(tmp_path):
    ended = spoken(PLANNED, "plan", "--baseline", "m", "-o", "out", cwd=tmp_path)
    assert ended.stderr.splitlines() == ["looking", "error: no rows; bring some"]


def test_libraries_that_say_nothing_leave_no_log_and_no_folder(tmp_path):
    silent = PLANNED.replace("    noise()\n", "").replace('    print("on standard output")\n', "")
    ended = spoken(silent, "plan", "--baseline", "m", cwd=tmp_path)
    assert ended.returncode == 2
    assert not (tmp_path / "runs").exists()


def test_a_command_without_a_run_folder_has_its_libraries_speak_into_the_users_log(tmp_path):
    code = "import evalkit.records.history\nevalkit.records.history.past_runs = lambda folder: noise() or []"
    ended = spoken(code, "history", "--json", cwd=tmp_path)
    assert (ended.stderr, json.loads(ended.stdout)) == ("", {"lines": []})
    logged = (tmp_path / "state" / "evalkit" / "log" / FILE).read_text()
    assert all(said in logged for said in SAID)


def test_what_is_said_while_the_process_ends_goes_to_the_log_too(tmp_path):
    code = "import atexit\natexit.register(noise)"
    ended = spoken(code, "tasks", cwd=tmp_path)
    assert (ended.stderr, ended.returncode) == ("", 0)


def test_the_demonstration_speaks_json_from_its_first_line(tmp_path):
    code = """
import evalkit.serve.tools
from evalkit.base.errors import InfrastructureError
def interpreter(*_):
    noise()
    raise InfrastructureError("no vLLM", fix="make one")
evalkit.serve.tools.interpreter = interpreter
"""
    ended = spoken(code, "demo", "--json", cwd=tmp_path)
    assert ended.returncode == 5
    assert [line["event"] for line in json_lines(ended.stderr)] == ["Notice", "Error"]


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_standard_stream_that_came_closed_is_no_crash_and_lends_its_number_to_no_file(closed, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, os\nsys.argv = ['evalkit', 'tasks']\n"
        "import evalkit.cli as cli\ninside = cli.ending\n"
        "def ending(command):\n    code = inside(command)\n"
        "    taken = os.open(os.devnull, os.O_RDONLY)\n    os._exit(code if taken > 2 else 99)\n"
        "cli.ending = ending\ncli.main()\n"
    )
    words = f"{sys.executable} {script} {closed}"
    assert subprocess.run(["sh", "-c", words], check=False, timeout=60).returncode == 0
