"""Who has a second try, and what of it stands in the JUnit file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from junitparser import JUnitXml
from lxml import etree

from support import secondtry

HERE = Path(__file__).resolve().parents[1]
HOOK = "from support.secondtry import pytest_collection_modifyitems\n"
BUSY = """
import pathlib, pytest

def busy(times):
    "Fails so many times, over all processes."
    file = pathlib.Path("tries")
    tries = len(file.read_text()) if file.exists() else 0
    file.write_text("x" * (tries + 1))
    assert tries >= times, "waited in vain"
"""
ONCE = "@pytest.mark.vllm\n@pytest.mark.parametrize('name', ['a::b[c'])\ndef test_serves(name): busy(1)\n"
CLEAN = "def test_rule(): pass\n"


@pytest.fixture
def tried(tmp_path):
    """Run pytest on a file with these tests, with a second try: how it ended."""

    def trying(text):
        (tmp_path / "conftest.py").write_text(HOOK)
        (tmp_path / "test_some.py").write_text(BUSY + text)
        (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {HERE}\nmarkers = vllm\n  browser\n")
        words = [sys.executable, secondtry.__file__, "-q"]
        env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # none is needed, and they take most of the time
        return subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=120)

    return trying


def report(folder):
    """Each test of the JUnit file with what stands under it, and the counts of the session."""
    (suite,) = JUnitXml.fromfile(str(folder / secondtry.JUNIT))
    found = etree.parse(str(folder / secondtry.JUNIT)).iter("testcase")
    entries, words = {}, {}
    for case in found:
        entries[case.get("name")] = [each.tag for each in case if each.tag != "properties"]
        words[case.get("name")] = {one.get("name"): one.get("value") for one in case.iter("property")}
    return entries, words, (suite.tests, suite.failures, suite.errors)


def test_what_passes_alone_passes_and_stands_in_the_report(tried, tmp_path):
    done = tried(ONCE + CLEAN)
    assert done.returncode == 0, done.stdout
    name = "test_serves[a::b[c]"
    assert done.stdout.splitlines()[-1] == f"NOT CLEAN: failed beside others and passed alone: test_some.py::{name}"
    entries, words, counts = report(tmp_path)
    assert entries == {name: ["flakyFailure"], "test_rule": []}
    assert words == {name: {"mark": "vllm", "second try": "passed"}, "test_rule": {}}
    assert counts == (2, 0, 0)
    assert "waited in vain" in (tmp_path / secondtry.JUNIT).read_text()


def test_what_fails_again_has_failed(tried, tmp_path):
    done = tried("@pytest.mark.browser\ndef test_opens(): busy(2)\n" + CLEAN)
    assert done.returncode == 1
    assert "NOT CLEAN" not in done.stdout
    entries, words, counts = report(tmp_path)
    assert entries == {"test_opens": ["failure"], "test_rule": []}
    assert words["test_opens"] == {"mark": "browser", "second try": "failed"}
    assert counts == (2, 1, 0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def test_rule(): busy(1)\n", "test_some::test_rule is marked neither vllm nor browser"),
        (ONCE + "def test_rule(): busy(9)\n", "test_some::test_rule is marked neither vllm nor browser"),
        (ONCE.replace("['a::b[c']", "range(9)").replace("busy(1)", "busy(9)"), "9 tests failed"),
    ],
)
def test_no_other_failure_has_a_second_try(tried, tmp_path, text, why):
    done = tried(text)
    assert done.returncode == 1
    assert f"no second try: {why}" in done.stdout
    assert not any("second try" in found for found in report(tmp_path)[1].values())


def test_a_file_that_cannot_be_read_has_no_second_try(tried):
    done = tried("import no_such_module\n" + ONCE)
    assert done.returncode == 2
    assert "second try" not in done.stdout


def test_an_error_of_the_set_up_counts_as_an_error_until_it_passes(tried, tmp_path):
    broken = "@pytest.fixture\ndef served(): busy(1)\n\n@pytest.mark.vllm\ndef test_serves(served): pass\n"
    assert tried(broken).returncode == 0
    entries, _, counts = report(tmp_path)
    assert entries == {"test_serves": ["flakyFailure"]}
    assert counts == (1, 0, 0)


def test_a_second_try_leaves_nothing_out(tried, tmp_path):
    """Without its browser a test is skipped, which answers no failure."""
    skipping = "@pytest.mark.browser\ndef test_opens():\n    import wants\n"
    skipping += "    pathlib.Path('tries').exists() and wants.missing('a browser')\n    busy(1)\n"
    done = tried(skipping)
    assert done.returncode == 1
    assert report(tmp_path)[0] == {"test_opens": ["failure"]}
