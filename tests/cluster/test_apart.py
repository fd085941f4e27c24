"""Nothing of Ray is imported unless a cluster is named, and what cannot be is one line."""

import ast
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from support.commands import evalkit

PACKAGE = Path(__file__).resolve().parents[2] / "evalkit"


def imported_at_the_top(path):
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_module_outside_of_its_room_imports_ray_or_that_room():
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "cluster"]
    assert len(files) > 300
    for path in files:
        assert not [name for name in imported_at_the_top(path) if name.startswith("evalkit.cluster")], path
        source = path.read_text(encoding="utf-8")
        assert not [line for line in source.splitlines() if line.strip().startswith(("import ray", "from ray"))], path


def test_what_a_host_runs_does_not_need_ray_to_be_imported():
    for name in ("orders", "leftovers", "keeper", "joining"):
        names = imported_at_the_top(PACKAGE / "cluster" / f"{name}.py")
        assert not [one for one in names if one.split(".")[0] == "ray"], name


def test_without_ray_one_line_says_how_to_install_it(workplace, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda *asked: None if asked == ("ray",) else found(*asked))
    done = workplace.here(*workplace.comparison("--ray", "auto"), check=2)
    assert "--ray: Ray is not installed beside evalkit" in done.stderr
    assert "pip install 'evalkit[ray]'" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--ray", "ray://head:10001"], "run evalkit on a host of the cluster: --ray auto"),
        (["--ray", "head"], "write auto, or HOST:PORT"),
        (["--ray", "auto", "--gpus", "0,1"], "Ray chooses the GPUs there"),
    ],
)
def test_an_address_that_cannot_be_is_refused(given, said):
    ended = evalkit("run", "--baseline", "base", *given)
    assert (ended.code, said in ended.err, len(ended.err.strip().splitlines()) <= 2) == (2, True, True)


def test_a_plan_that_cannot_be_made_leaves_the_cluster(workplace, monkeypatch):
    left = []
    hosts = SimpleNamespace(kinds=(), places=(), leave=lambda: left.append("left"))
    monkeypatch.setattr("evalkit.runs.turns.joined", lambda *_: hosts)
    (rows,) = workplace.folder.rglob("pages.parquet")
    rows.write_bytes(b"no rows")
    done = workplace.here("plan", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--ray", "auto")
    assert (done.returncode != 0, left) == (True, ["left"]), done.stderr
