"""evalkit gate: a stored run judged anew, from the store alone."""

import shutil

import pytest

from support.commands import evalkit
from support.workplaces import fitted_out


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of runs with one in it, judged at 50 %; the models, the data and the tasks are gone."""
    workplace = fitted_out(tmp_path_factory.mktemp("gated"))
    workplace.here(*workplace.comparison("--limit", "5"), check=0)
    for name in ("base", "cand", "tasks", "cache"):
        shutil.rmtree(workplace.folder / name, ignore_errors=True)
    return workplace.folder / "runs"


def policy(folder, text):
    path = folder / "policy.toml"
    path.write_text(text)
    return path


def everything(folder):
    return {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite3-shm"
    }


def test_another_policy_is_another_outcome_and_nothing_is_written(runs, tmp_path):
    before = everything(runs)
    strict = evalkit("gate", "latest", "--runs", runs, "--policy", policy(tmp_path, "[policy]\nmin_recovery = 99\n"))
    assert strict.code == 3, strict.err
    assert strict.out.startswith("UNDECIDED (exit 3): ")
    parts = ("tasks.pages", "tasks.charts", "averages.Vision")
    tiers = "".join(f"[policy.{part}]\ntier = 'advisory'\n" for part in parts)
    advisory = f"[policy]\nmin_recovery = 99\n{tiers}"
    mild = evalkit("gate", "latest", "--runs", runs, "--policy", policy(tmp_path, advisory), "--json")
    assert (mild.code, mild.json["outcome"]["exit_code"], mild.json["outcome"]["kind"]) == (0, 0, "passed")
    assert mild.json["policy"]["tasks"]["pages"]["tier"] == "advisory"
    assert everything(runs) == before


def test_files_are_written_where_asked(runs, tmp_path):
    done = evalkit("gate", "latest", "--runs", runs, "--min-recovery", "99", "-o", tmp_path / "out")
    assert done.code == 3
    assert str(tmp_path / "out/report.html") in done.out.splitlines()
    assert "UNDECIDED (exit 3): " in (tmp_path / "out/report.md").read_text()


def test_min_recovery_is_of_rows_without_their_own(runs, tmp_path):
    own = policy(tmp_path, "[policy.tasks.pages]\nmin_recovery = 100\n")
    for words in (("--policy", own), ()):
        done = evalkit("gate", "latest", "--runs", runs, "--min-recovery", "10", *words)
        kept = "a threshold of its own stays: tasks.pages 100 % (--policy FILE replaces the whole policy)"
        assert (kept in done.out.splitlines()) == bool(words)
    beyond = evalkit("gate", "latest", "--runs", runs, "--min-recovery", "101")
    assert (beyond.code, beyond.err.count("\n")) == (2, 1)
    assert "command line: min_recovery: is 101; must be a percentage of at most 100, such as 99" in beyond.err


def test_a_gate_that_judges_nothing_is_not_passed(runs, tmp_path):
    done = evalkit("gate", "latest", "--runs", runs)
    assert done.code == 2
    assert "judges none of the rows; give --min-recovery 99" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_recovery = 99\n", "no [policy] table"),
        ("[policy.tasks.page]\nmin_recovery = 99\n", "did you mean 'pages'?"),
        ("[policy]\nmin_recovery = 0.99\n", "write 99"),
    ],
)
def test_a_wrong_policy_is_one_line(runs, tmp_path, text, said):
    done = evalkit("gate", "latest", "--runs", runs, "--policy", policy(tmp_path, text))
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
