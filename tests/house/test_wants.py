"""A test that cannot run is counted by what it wants, and fails where that is required."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
LEAVING = """
import pytest
from support import wants

@pytest.fixture(scope="module")
def bubbles():
    wants.missing("bubblewrap")

@pytest.mark.parametrize("number", range(3))
def test_in_bubbles(bubbles, number): pass

def test_in_a_browser(): wants.missing("a browser", "none today")

def test_of_its_own(): pytest.skip("tired")

def test_that_runs(): pass
"""
BROKEN = "from support import wants\nwants.imported('json.no_such')\n"
UNLOADABLE = """
import importlib
from support import wants
def broken(name): raise ModuleNotFoundError(name="torch")
importlib.import_module = broken
wants.imported("torch.nn")
"""


@pytest.fixture
def ran(tmp_path):
    """Run pytest as the project does, on a file of three kinds of skips, with what is required: its lines."""

    def running(require=None, text=LEAVING, code=0, more=()):
        (tmp_path / "test_leaving.py").write_text(text)
        env = {name: value for name, value in os.environ.items() if name != "EVALKIT_REQUIRE"}
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and they take most of the time
        env |= {"PYTHONPATH": str(TESTS), **({} if require is None else {"EVALKIT_REQUIRE": require})}
        words = [sys.executable, "-m", "pytest", "-p", "support.wants", "-p", "no:cacheprovider", "-rfE", "--no-header"]
        done = subprocess.run([*words, *more, tmp_path], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return (done.stdout + done.stderr).splitlines()

    return running


@pytest.mark.parametrize("workers", [(), ("-p", "xdist.plugin", "-n", "1")])
def test_what_is_left_out_is_counted_by_what_it_wants(ran, workers):
    found = ran(more=workers)
    assert [line for line in found if line.startswith("left out")] == [
        "left out: 1 test for want of a browser (none today)",
        "left out: 3 tests for want of bubblewrap (apt-get install bubblewrap)",
        "left out: 1 test: tired",
    ]
    assert "1 passed, 5 skipped" in found[-1]


def test_what_is_required_fails_and_the_rest_is_left_out(ran):
    found = ran("bubblewrap, network-namespace", code=1)
    assert "1 passed, 2 skipped, 3 errors" in found[-1]
    assert any("for want of bubblewrap" in line and "EVALKIT_REQUIRE wants it" in line for line in found)


def test_where_all_is_required_no_skip_is_taken(ran):
    found = ran("all", code=1)
    assert "2 failed, 1 passed, 3 errors" in found[-1]
    assert any("skipped: tired" in line for line in found)


def test_a_file_that_needs_a_library_is_left_out_as_a_file(ran):
    found = ran(None, UNLOADABLE, 5)
    assert "left out: 1 test file for want of torch (pip install torch)" in found
    assert "1 error" in ran("torch", UNLOADABLE, 2)[-1]


def test_a_library_that_is_there_and_broken_is_an_error(ran):
    assert "1 error" in ran(None, BROKEN, 2)[-1]


def test_an_unknown_want_is_named(ran):
    assert any("nothing wants 'chrome'" in line for line in ran("chrome", code=4))


def test_every_test_says_what_it_wants():
    own = re.compile(r"pytest\.skip\(|importorskip|mark\.skip")
    files = {file for file in TESTS.rglob("*.py") if own.search(file.read_text(encoding="utf-8"))}
    assert files == {TESTS / "support/wants.py", TESTS / "house/test_wants.py"}
