"""The order in which test files are handed to workers."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from support.longestfirst import SECONDS, TOGETHER, LongestFirst

TESTS = Path(__file__).parent.parent
ALL = [
    "tests/harnesses/test_lm_eval_vllm.py::test_a",
    "tests/harnesses/test_lm_eval_vllm.py::test_b[x::y/z.py]",
    "tests/tasks/metrics/test_metrics.py::test_a",
    *(f"tests/any/test_many.py::test_{number}" for number in range(9)),
    *(f"tests/any/test_some.py::test_{number}" for number in range(3)),
    "tests/any/test_real_vllm.py::test_a",
]


class Node:
    """A worker as the scheduler sees it: what it was given is what counts."""

    def __init__(self, name):
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.given = []

    def send_runtest_some(self, places):
        self.given += [ALL[place] for place in places]

    def shutdown(self):
        self.shutting_down = True


@pytest.fixture
def handed_out(monkeypatch):
    """Two workers that were given their first files, and the scheduler."""
    monkeypatch.setitem(SECONDS, "test_some.py", 7)
    option = SimpleNamespace(loadscopereorder=True)
    scheduler = LongestFirst(SimpleNamespace(option=option, getvalue=lambda _: ["2*popen"]))
    nodes = [Node("one"), Node("two")]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, ALL)
    scheduler.schedule()
    return scheduler, nodes


def test_everything_with_a_real_vllm_is_one_workers(handed_out):
    _, (one, two) = handed_out
    assert [test for test in ALL if "vllm" in test] == one.given[:3]
    assert not [test for test in two.given if "vllm" in test]


def test_what_takes_longest_comes_first_and_then_what_has_most_tests(handed_out):
    _, (_, two) = handed_out
    assert two.given == ALL[12:15]


def test_every_test_is_handed_out_once(handed_out):
    scheduler, nodes = handed_out
    while scheduler.has_pending:
        for node in nodes:
            for test in list(node.given):
                scheduler.mark_test_complete(node, ALL.index(test))
    assert sorted(nodes[0].given + nodes[1].given) == sorted(ALL)
    assert two_files_stay_whole(nodes)


def two_files_stay_whole(nodes):
    one, two = ({test.partition("::")[0] for test in node.given} for node in nodes)
    return not one & two


@pytest.mark.parametrize("name", sorted({*TOGETHER, *SECONDS} - {*TOGETHER.values()}))
def test_every_file_that_is_named_is_there(name):
    assert len(list(TESTS.rglob(name))) == 1


def test_a_file_that_asks_the_small_server_has_to_be_named(tmp_path):
    import subprocess
    import sys

    file = tmp_path / "test_elsewhere.py"
    file.write_text("def test_it(real_server):\n    raise AssertionError\n")
    words = ["-m", "pytest", "-q", "-p", "conftest", "-p", "no:cacheprovider", "--rootdir", tmp_path, file]
    done = subprocess.run([sys.executable, *words], cwd=TESTS, capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert "test_elsewhere.py" in done.stderr
