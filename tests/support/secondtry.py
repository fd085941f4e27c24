"""``python tests/support/secondtry.py WORDS...`` runs pytest; what a busy machine may have failed is tried once more.

Real servers and browsers on two busy cores: now and then one test of thousands waits in vain. Such a test is marked
``vllm`` or ``browser``, and only these have a second try, by name, so that none is left out, and a skip is no answer to
a failure. Any other failure is one. What needed the second try is written into ``build/junit.xml``: a test that passed
then has a ``flakyFailure`` there, as Maven's Surefire writes it, in place of its ``failure``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

MARKS = ("vllm", "browser")
"""What a test is marked with that waits for more than this project's own code."""
ACCIDENTS = 5
"""Failed tests that are tried once more; more of them are not an accident of a busy machine."""
JUNIT = Path("build/junit.xml")
_FAILED = 1
"""pytest's exit code for a session that went to its end, and in which tests failed."""


def pytest_collection_modifyitems(items):
    """``conftest.py``'s: a test's marks stand in the JUnit file, with the test."""
    for item in items:
        item.user_properties += [("mark", mark) for mark in MARKS if item.get_closest_marker(mark)]


def main(words: list[str]) -> int:
    """The exit code of the tests, after the second try if there was one."""
    with tempfile.TemporaryDirectory() as folder:
        # A folder of its own: what failed in a developer's own pytest has no say here.
        cache = ("-o", f"cache_dir={folder}/cache")
        code = ran([*words, *cache, f"--junitxml={JUNIT}"])
        remembered = Path(folder, "cache/v/cache/lastfailed")
        if code != _FAILED or not remembered.is_file():
            return code
        names = sorted(json.loads(remembered.read_text(encoding="utf-8")))
        first = ET.parse(JUNIT)
        if refusal := refused(names, failed(first)):
            print(f"no second try: {refusal}", flush=True)
            return code
        print(f"failed beside others, tried once more alone: {', '.join(names)}", flush=True)
        second = Path(folder, "junit.xml")
        code = ran([*cache, f"--junitxml={second}", *names], EVALKIT_REQUIRE="all")
        again = ET.parse(second)
    noted = note(first, again)
    first.write(JUNIT, encoding="utf-8", xml_declaration=True)
    if code == 0 and noted == len(names):
        print(f"NOT CLEAN: failed beside others and passed alone: {', '.join(names)}", flush=True)
        return 0
    return code or _FAILED


def ran(words: list[str], **more: str) -> int:
    """Run pytest. Ctrl-C reaches it as well, and it ends by itself then, with all that it started."""
    process = subprocess.Popen([sys.executable, "-m", "pytest", *words], env={**os.environ, **more})
    while process.returncode is None:
        with suppress(KeyboardInterrupt):
            process.wait()
    return process.returncode


def refused(names: list[str], cases: list[ET.Element]) -> str:
    """Why there is no second try; nothing where there is one."""
    for case in cases:
        if not {found.get("value") for found in case.iterfind("properties/property[@name='mark']")} & {*MARKS}:
            return f"{'::'.join(key(case))} is marked neither {' nor '.join(MARKS)}"
    # What else pytest remembers is a file that it could not read.
    if len(names) != len({key(case) for case in cases}):
        return "pytest does not tell what failed"
    return f"{len(names)} tests failed" if len(names) > ACCIDENTS else ""


def failed(report: ET.ElementTree) -> list[ET.Element]:
    """The entries of the tests that failed; one that failed and could not be cleaned up after has two."""
    return [case for case in report.iter("testcase") if _fault(case) is not None]


def note(first: ET.ElementTree, again: ET.ElementTree) -> int:
    """Write into the first report what the second try came to; returns how many tests passed it."""
    lost = {key(case) for case in failed(again)}
    passed = {key(case) for case in again.iter("testcase")} - lost
    for case in failed(first):
        properties = case.find("properties")
        properties.append(ET.Element("property", name="second try", value=_word(key(case), passed)))
        if key(case) not in passed:
            continue
        fault = _fault(case)
        for suite in first.iter("testsuite"):
            if case in suite[:]:
                suite.set(f"{fault.tag}s", str(int(suite.get(f"{fault.tag}s")) - 1))
        fault.tag = "flakyFailure"
    return len(passed)


def key(case: ET.Element) -> tuple[str, str]:
    """What names a test in a report."""
    return case.get("classname", ""), case.get("name", "")


def _fault(case):
    return next((entry for tag in ("failure", "error") for entry in case.iterfind(tag)), None)


def _word(name, passed):
    return "passed" if name in passed else "failed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
