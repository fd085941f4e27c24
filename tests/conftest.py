"""What several test files need: a folder in which the command line can make a comparison, and a real vLLM."""

import os
import signal

import hypothesis
import pytest

from support import realserver, secondtry
from support.longestfirst import REAL_VLLM, TOGETHER, LongestFirst
from support.wants import pytest_configure, pytest_runtest_makereport, pytest_terminal_summary  # noqa: F401
from support.workplaces import fitted_out

# What is started in the background, as by a script's `&`, ignores Ctrl-C, and whatever it starts inherits that; evalkit
# obeys it. The tests that press Ctrl-C press it as a person at a terminal does.
for ignored in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.default_int_handler if ignored is signal.SIGINT else signal.SIG_DFL)


# Examples take as long as a busy machine lets them. In CI every run has the same ones: a change fails for itself.
hypothesis.settings.register_profile("evalkit", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("evalkit")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Several workers, whole files: what takes longest is begun first."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """A file that starts the small server in a second worker is found before anything runs, not by a slow session."""
    asking = {item.path.name for item in items if "real_server" in getattr(item, "fixturenames", ())}
    if unnamed := sorted(name for name in asking if TOGETHER.get(name) != REAL_VLLM):
        where = "name it among those with a real vLLM in tests/support/longestfirst.py"
        raise pytest.UsageError(f"{', '.join(unnamed)}: {where}")
    secondtry.pytest_collection_modifyitems(items)


@pytest.fixture
def workplace(tmp_path):
    return fitted_out(tmp_path)


@pytest.fixture(scope="session")
def real_server(tmp_path_factory):
    """A tiny random model on a real vLLM, started for the first test that asks for it."""
    with realserver.tiny_model(tmp_path_factory.mktemp("real-server")) as served:
        yield served
