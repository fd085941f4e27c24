"""The nightly workflow and its page: they parse, their commands exist, and a failed gate loses nothing."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from evalkit.cli import cli
from evalkit.cli.history import command
from support.nights import IDS, RIGHT, TWICE, losing, night

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / ".github/workflows/nightly.yml"
PAGE = ROOT / "docs/how-to/nightly.md"


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def steps(workflow):
    (job,) = workflow["jobs"].values()
    return {step.get("name") or step["uses"]: step for step in job["steps"]}


def blocks():
    """Shell lines of the workflow's steps and of the page's blocks."""
    (job,) = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"].values()
    texts = [step["run"] for step in job["steps"] if "run" in step]
    texts += re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line.strip() for text in texts for line in text.splitlines()]


COMMANDS = [line for line in blocks() if line.startswith("evalkit ")]


def test_there_are_commands_to_check():
    assert len(COMMANDS) >= 10
    inline = re.findall(r"`(evalkit [^`]+)`", PAGE.read_text(encoding="utf-8"))
    assert {line.split()[1] for line in inline} <= {line.split()[1] for line in COMMANDS}


@pytest.mark.parametrize("line", sorted(set(COMMANDS)))
def test_every_command_parses(line):
    _, name, *words = shlex.split(line.split("||")[0])
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        values = {"$MIN_RECOVERY": "99"}
        command.make_context(name, [values.get(word, word) for word in words], parent=context)


def test_a_command_that_is_wrong_would_be_noticed():
    with click.Context(cli) as context, pytest.raises(click.UsageError):
        cli.get_command(context, "report").make_context("report", ["--frmat", "md"], parent=context)


def test_it_is_a_schedule_with_one_night_at_a_time(workflow):
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML 1.1 reads the key `on` as true
    assert workflow["concurrency"] == {"group": "evalkit-nightly", "cancel-in-progress": False}
    assert workflow["permissions"] == {"contents": "read"}
    (job,) = workflow["jobs"].values()
    assert job["runs-on"] == ["self-hosted", "linux", "gpu"]
    assert "vars.EVALKIT_NIGHTLY" in job["if"]


def test_what_is_saved_is_what_is_restored(steps):
    saved, restored = steps["Save the store"]["with"], steps["Restore the store"]["with"]
    assert saved["path"] == restored["path"]
    assert saved["key"] == restored["key"]
    assert saved["key"].startswith(restored["restore-keys"])
    assert "runs/store.sqlite3*" in saved["path"].split()


def test_whatever_the_gate_says_everything_after_it_runs(steps):
    names = list(steps)
    for name in names[names.index("Compare") + 1 :]:
        assert steps[name]["if"].startswith("${{ always()"), name


@pytest.mark.parametrize("code", [0, 1, 3, 4, 5, 130])
def test_the_exit_code_comes_through_after_the_report_was_found(steps, tmp_path, code):
    """The scripts themselves, with a stand-in for evalkit that looks at an older run again."""
    for name in ("20260101-000000-aaaaaa", "20260102-000000-bbbbbb"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    (tmp_path / "runs/20260101-000000-aaaaaa/summary.md").write_text("## It is so\n")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin/evalkit"
    stand_in.write_text(
        f"#!/bin/sh\n[ $1 = run ] || exit 0\nsleep 0.02; touch runs/20260101-000000-aaaaaa/run.json\nexit {code}\n"
    )
    stand_in.chmod(0o755)
    for path in (tmp_path / "runs").rglob("run.json"):
        os.utime(path, (1, 1))
    outputs = run(steps["Compare"], tmp_path, 0)
    assert outputs == {"code": str(code)}
    folder = run(steps["Find the run"], tmp_path, 0)
    assert folder == {"folder": "runs/20260101-000000-aaaaaa"}
    run(steps["Show the summary"], tmp_path, 0, FOLDER=folder["folder"])
    assert (tmp_path / "shown").read_text() == "## It is so\n"
    run(steps["Pass or fail"], tmp_path, code, CODE=outputs["code"])


def test_what_changed_since_the_night_before_stands_on_the_jobs_page(steps, tmp_path):
    runs = tmp_path / "nights"
    night(runs, IDS[0], [RIGHT, RIGHT, RIGHT], versions="111", again=RIGHT[:TWICE], labels=("base", "cand", "calm"))
    lost = [None if at < 10 else one for at, one in enumerate(losing(90))]
    now = [losing(60), lost, losing(61)]
    night(runs, IDS[1], now, versions="222", labels=("base", "cand", "calm"))
    told = CliRunner(env={"COLUMNS": "400"}).invoke(command, ["-o", str(runs)]).stdout
    found = [line for line in told.splitlines() if re.search(r"[A-Z]{4} (since|from) ", line)]
    kinds = [re.sub(r".*: ([A-Z ]+) (since|from) .*", r"\1", line) for line in found]
    assert sorted(set(kinds)) == ["ANSWERS CHANGED", "BASELINE DRIFTED", "CHANGED", "LOST"]
    assert "calm: recovery not changed beyond noise since" in told
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/evalkit").write_text(f"#!/bin/sh\ncat <<'end'\n{told}\nend\n")
    (tmp_path / "bin/evalkit").chmod(0o755)
    (tmp_path / "summary.md").write_text("## It is so\n")
    run(steps["Show the summary"], tmp_path, 0, FOLDER=".")
    assert (tmp_path / "shown").read_text() == "## It is so\n\n" + "".join(f"    {line}\n" for line in found)


def test_a_first_night_that_began_no_run_ends_with_its_own_code(steps, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/evalkit").write_text("#!/bin/sh\nexit 2\n")
    (tmp_path / "bin/evalkit").chmod(0o755)
    outputs = run(steps["Compare"], tmp_path, 0)
    assert run(steps["Find the run"], tmp_path, 0) == {}
    run(steps["Pass or fail"], tmp_path, 2, CODE=outputs["code"])


def run(step, folder, code, **env):
    """Run a step's script as the runner does; returns its outputs."""
    (folder / "out").write_text("")
    given = {"GITHUB_OUTPUT": "out", "GITHUB_STEP_SUMMARY": "shown", "RUNNER_TEMP": ".", "BASELINE": "b", **env}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "CANDIDATE": "c", "MIN_RECOVERY": "99", **given},
        check=False,
        timeout=30,
    )
    assert done.returncode == code
    return dict(line.split("=", 1) for line in (folder / "out").read_text().splitlines())
