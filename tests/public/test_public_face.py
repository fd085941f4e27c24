"""What ``import evalkit`` gives."""

import ast
import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import evalkit
from evalkit.harnesses import Harness
from evalkit.public import scores
from evalkit.tasks import metrics
from evalkit.tasks.benchmarks import Benchmark

HEAVY = ("pandas", "pyarrow", "requests", "aiohttp", "click", "rich", "lm_eval", "evalplus", "datasets", "numpy")


def names_of_a_fresh_import(code):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_what_is_exported():
    assert set(evalkit.__all__) == {
        "Benchmark",
        "EvalkitError",
        "Harness",
        "Metric",
        "PairedScores",
        "RecoveryInterval",
        "Run",
        "Task",
        "__version__",
        "compare",
        "read_run",
        "recovery",
        "run",
    }
    assert evalkit.__all__ == sorted(evalkit.__all__)
    assert dir(evalkit) == sorted(evalkit.__all__)


def test_the_type_checker_sees_what_is_there():
    tree = ast.parse(Path(evalkit.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert {alias.name for node in block.body for alias in node.names} | {"__version__"} == set(evalkit.__all__)


@pytest.mark.parametrize("name", sorted(set(evalkit.__all__) - {"__version__"}))
def test_every_name_is_documented(name):
    found = getattr(evalkit, name)
    assert inspect.getdoc(found)
    if inspect.isclass(found):
        public = [member for key, member in vars(found).items() if not key.startswith("_")]
        assert all(inspect.getdoc(one) for one in public if callable(one) or isinstance(one, property))
        return
    said = inspect.getdoc(found)
    assert "Raises:" in said
    assert all(f"{parameter}:" in said for parameter in inspect.signature(found).parameters)


def test_what_somebody_extends_is_what_the_rooms_declare():
    assert evalkit.Benchmark is Benchmark
    assert evalkit.Harness is Harness
    assert evalkit.Metric is metrics.Metric
    given = len(inspect.signature(evalkit.Metric.__call__).parameters) - 1
    for one in metrics.METRICS.values():
        inspect.signature(one).bind(*range(given))


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        _ = evalkit.scores


def test_importing_it_waits_for_nothing():
    found = names_of_a_fresh_import("import evalkit")
    assert not [name for name in HEAVY if name in found]
    assert {name for name in found if name.startswith("evalkit")} == {"evalkit"}


@pytest.mark.parametrize("first", ["import evalkit.runs.run", "import evalkit.comparison.pairs", "import evalkit.cli"])
def test_no_room_takes_the_place_of_a_function(first):
    code = f"{first}; import evalkit; assert all(map(callable, (evalkit.run, evalkit.compare, evalkit.recovery)))"
    names_of_a_fresh_import(code)


def test_the_examples_in_the_docstrings_are_true():
    found = doctest.testmod(scores)
    assert (found.failed, found.attempted) == (0, 2)
