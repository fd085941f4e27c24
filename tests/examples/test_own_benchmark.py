"""A picture task with columns and a metric of its own, beside its task file and as an installed package."""

import ast
import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from support import tinywheels
from support.workplaces import FAKE_VLLM, fitted_out

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/own-benchmark"
CODE = (EXAMPLE / "gauges.py").read_text(encoding="utf-8")
STAND_INS = (EXAMPLE / "stand_ins.py").read_text(encoding="utf-8")
NEEDED = ("gauges.toml", "make_rows.py")
COMPARISON = ("run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "mine", "--task", "gauges")


def placed(folder, *files):
    found = fitted_out(folder)
    (found.folder / "mine").mkdir()
    for name in (*NEEDED, *files):
        shutil.copy(EXAMPLE / name, found.folder / "mine")
    subprocess.run([sys.executable, "make_rows.py"], cwd=found.folder / "mine", capture_output=True, check=True)
    (found.folder / "says").write_text("12")
    return found


def run(workplace, *more, check=0, **env):
    return workplace.evalkit(*COMPARISON, "--serve-arg", "part=says:says", *more, "--json", check=check, **env)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def scores(done):
    (row,) = json.loads(done.stdout)["tasks"]
    return row["planned"], row["scores"]["base"]["metrics"]


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A run with the code beside the task file, and where it was made."""
    workplace = placed(tmp_path_factory.mktemp("beside"), "gauges.py")
    return workplace, run(workplace, "--allow-task-code")


def test_code_beside_the_task_file_asks_and_scores(beside):
    workplace, done = beside
    # Of readings 0, 3, 6 ... 87 only 12 itself is within one of 12.
    assert scores(done) == (30, {"within_one": pytest.approx(1 / 30), "number": pytest.approx(1 / 30)})
    (folder,) = workplace.runs()
    provenance = json.loads((folder / "run.json").read_text())["provenance"]
    state = f"sha256:{sha256(CODE.encode()).hexdigest()}"
    assert provenance["extensions"] == [
        {"kind": "benchmark", "name": "gauges", "source": "mine/gauges.py", "state": state},
        {"kind": "metric", "name": "within_one", "source": "mine/gauges.py", "state": state},
    ]
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "metric within_one" in page
    assert "--allow-task-code" in page


def test_without_the_users_word_one_line_says_how(beside):
    workplace, _ = beside
    done = run(workplace, check=2)
    told = [json.loads(line) for line in done.stderr.splitlines()][-1]
    assert "code of your own in mine/gauges.py was not run: --allow-task-code (" in str(told)


def test_a_stored_run_is_judged_again_by_the_same_code_alone(beside):
    workplace, _ = beside
    told = workplace.evalkit("report", "latest", check=2).stderr
    assert "'gauges' is of mine/gauges.py, which is code of a tasks folder; add --allow-task-code (in Python " in told
    (folder,) = workplace.runs()
    before = (folder / "results.json").read_text()
    workplace.evalkit("report", "latest", "--allow-task-code", check=0)
    assert (folder / "results.json").read_text() == before
    code = workplace.folder / "mine/gauges.py"
    code.write_text(CODE.replace("<= 1", "<= 5"))
    told = workplace.evalkit("gate", "latest", "--allow-task-code", "--min-recovery", "90", check=2).stderr
    assert "'gauges' is of mine/gauges.py, which has changed since; put it back as it was, or run" in told
    code.unlink()
    told = workplace.evalkit("export", "latest", "--allow-task-code", "--format", "csv", check=2).stderr
    assert "'gauges' is of mine/gauges.py, which is not here; put it back" in told
    code.write_text(CODE)


def test_other_code_that_judges_is_another_run_of_the_same_answers(beside):
    workplace, _ = beside
    code = workplace.folder / "mine/gauges.py"
    code.write_text(CODE.replace("<= 1", "<= 5"))
    done = run(workplace, "--allow-task-code", "--output", "runs")
    code.write_text(CODE)
    # 9, 12 and 15 are within five of 12, and nothing had to be asked.
    assert scores(done) == (30, {"within_one": pytest.approx(3 / 30), "number": pytest.approx(1 / 30)})
    assert len(workplace.runs()) == 2


def test_an_installed_package_needs_no_word(tmp_path):
    workplace = placed(tmp_path)
    points = {"evalkit.benchmarks": {"gauges": "acme:GAUGES"}, "evalkit.metrics": {"within_one": "acme:within_one"}}
    tinywheels.wheel(tmp_path, "acme", "2.1", {"acme.py": CODE}, points=points)
    zipfile.ZipFile(tmp_path / "acme-2.1-py3-none-any.whl").extractall(tmp_path / "site")
    where = f"{FAKE_VLLM}:{tmp_path / 'site'}"
    done = run(workplace, PYTHONPATH=where)
    assert scores(done) == (30, {"within_one": pytest.approx(1 / 30), "number": pytest.approx(1 / 30)})
    (folder,) = workplace.runs()
    extensions = json.loads((folder / "run.json").read_text())["provenance"]["extensions"]
    assert [(one["kind"], one["source"], one["state"]) for one in extensions] == [
        ("benchmark", "acme", "2.1"),
        ("metric", "acme", "2.1"),
    ]
    told = workplace.evalkit("report", "latest", check=2).stderr
    assert "benchmark 'gauges' is of the package acme, which is not installed; install acme 2.1" in told
    workplace.evalkit("report", "latest", check=0, PYTHONPATH=where)


def test_the_page_shows_what_is_run():
    page = (EXAMPLE.parents[1] / "docs/how-to/own-benchmark.md").read_text(encoding="utf-8")
    shown = re.findall(r"```(python|toml)\n(.*?)```", page, re.DOTALL)
    assert tomllib.loads(shown[1][1]) == tomllib.loads((EXAMPLE / "gauges.toml").read_text(encoding="utf-8"))
    assert bare(shown[0][1]) == bare(CODE)


def test_the_rehearsal_runs_the_whole_task_and_the_page_shows_it(tmp_path):
    for name in (*NEEDED, "gauges.py", "rehearse.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    for name in ("make_rows.py", "rehearse.py"):
        done = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("UNDECIDED (exit 3): nothing degraded; Gauges has too few samples")
    assert Path(tmp_path, done.stdout.splitlines()[-1]).is_file()
    # Readings of 44, 45 and 46 are within one of what the better stand-in says: one gauge of thirty shows 45.
    (row,) = json.loads(next(tmp_path.glob("runs/*/results.json")).read_text())["tasks"]
    assert row["scores"]["base"]["metrics"] == {"within_one": pytest.approx(1 / 30), "number": pytest.approx(1 / 30)}
    page = (EXAMPLE.parents[1] / "docs/how-to/own-benchmark.md").read_text(encoding="utf-8")
    code = (EXAMPLE / "rehearse.py").read_text(encoding="utf-8") + STAND_INS
    blocks = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    assert all(block in code for block in blocks)


def test_stand_ins_answer_what_is_typed_in_another_shell(tmp_path):
    workplace = placed(tmp_path, "gauges.py")
    said = STAND_INS
    for port in ("8001", "8002"):
        said = said.replace(port, str(free_port()))
    (workplace.folder / "mine/stand_ins.py").write_text(said)
    base, cand = re.findall(r'"127.0.0.1", (\d+)', said)
    words = ["--endpoint", f"base=http://127.0.0.1:{base}", "--endpoint", f"cand=http://127.0.0.1:{cand}"]
    started = [sys.executable, "mine/stand_ins.py"]
    with subprocess.Popen(started, cwd=workplace.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stand_ins:
        try:
            assert stand_ins.stdout.read(len("Enter ends them: "))
            done = workplace.here(*COMPARISON, *words, "--allow-task-code", "--json", check=0)
        finally:
            stand_ins.communicate(b"\n")
    assert stand_ins.returncode == 0
    (row,) = json.loads(done.stdout)["tasks"]
    within = {label: scores["metrics"]["within_one"] for label, scores in row["scores"].items()}
    assert within == {"base": 1.0, "cand": pytest.approx(20 / 30)}


def bare(code):
    """What Python makes of it, without docstrings, annotations, and what serves them alone."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            node.body = [one for one in node.body if not isinstance(one, ast.Expr | ast.Delete)]
        if isinstance(node, ast.arg):
            node.annotation = None
    typing = {"__future__", "typing"}
    kept = [one for one in tree.body if not isinstance(one, ast.Expr | ast.If)]
    return [ast.unparse(one) for one in kept if not (isinstance(one, ast.ImportFrom) and one.module in typing)]
