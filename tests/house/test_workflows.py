"""What GitHub runs: sessions that exist, on the Pythons of the classifiers, with nothing of others in a script."""

import ast
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in FILES}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"].values()]
STEPS = [(name, step) for name, job in JOBS for step in job.get("steps", ())]
PINNED = re.compile(r" *(?:- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def sessions():
    """Each session of noxfile.py with the source of its decorator."""
    found = {}
    for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body:
        for decorator in getattr(node, "decorator_list", ()):
            source = ast.unparse(decorator)
            if source.startswith("nox.session"):
                named = re.search(r"\bname='([^']+)'", source)
                found[named[1] if named else node.name] = source
    return found


def matrix(job):
    return WORKFLOWS["checks"]["jobs"][job]["strategy"]["matrix"]


def test_every_workflow_is_looked_at():
    assert set(WORKFLOWS) == {"checks", "gate", "nightly", "release"}
    assert len(STEPS) > 20


def test_a_pull_request_runs_every_check():
    assert set(WORKFLOWS["checks"][True]) == {"pull_request", "push", "workflow_call"}  # YAML 1.1: `on` is true
    assert matrix("everywhere")["session"] == ["types", "tests", "wheel"]
    assert matrix("once")["session"] == ["lint", "workflows", "minimums", "docs"]
    named = {*matrix("everywhere")["session"], *matrix("once")["session"]}
    assert named <= set(sessions())


def test_the_pythons_are_those_of_the_classifiers():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert project["requires-python"] == f">={listed[0]}"
    # nox reads them, and the first job asks nox.
    assert sessions()["wheel"] == "nox.session(python=_PYTHONS, download_python='never')"
    assert "python_versions(nox.project.load_toml('pyproject.toml'))" in ast.unparse(
        ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    )
    (script,) = (step["run"] for step in WORKFLOWS["checks"]["jobs"]["pythons"]["steps"] if step.get("id") == "read")
    assert "nox --list --json --session wheel" in script
    assert matrix("everywhere")["python"] == "${{ fromJSON(needs.pythons.outputs.listed) }}"


def test_one_check_stands_for_all():
    last = WORKFLOWS["checks"]["jobs"]["passed"]
    assert last["needs"] == [name for name in WORKFLOWS["checks"]["jobs"] if name != "passed"]
    assert last["if"] == "${{ always() }}"


@pytest.mark.parametrize(
    ("results", "code"), [("success success success", 0), ("success skipped success", 1), ("failure success", 1)]
)
def test_what_was_skipped_or_cancelled_did_not_pass(results, code):
    (step,) = WORKFLOWS["checks"]["jobs"]["passed"]["steps"]
    assert ran(step["run"], RESULTS=results).returncode == code


def test_a_release_is_checked_as_a_pull_request_is():
    jobs = WORKFLOWS["release"]["jobs"]
    assert jobs["checks"]["uses"] == "./.github/workflows/checks.yml"
    assert jobs["publish"]["needs"] == ["checks", "build"]
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}


def test_only_what_publishes_may_say_who_it_is():
    """Trusted publishing: one job has the permission, in an environment that people guard, and no secret is named."""
    may = [job["environment"]["name"] for _, job in JOBS if "id-token" in job.get("permissions", {})]
    assert may == ["pypi"]
    assert WORKFLOWS["release"]["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert "secrets." not in (FOLDER / "release.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("tag", "changes", "code"),
    [("v1.2.3", "## 1.2.3\n", 0), ("v1.2.4", "## 1.2.3\n", 1), ("v1.2.3", "## Unreleased\n", 1)],
)
def test_a_tag_that_is_not_the_version_releases_nothing(tmp_path, tag, changes, code):
    (step,) = (step for _, step in STEPS if step.get("name") == "Compare tag and version")
    (tmp_path / "python").write_text("#!/bin/sh\n[ \"$*\" = '-m hatchling version' ] && echo 1.2.3\n")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "CHANGELOG.md").write_text(changes)
    done = ran(step["run"], tmp_path, GITHUB_REF_NAME=tag, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == code
    assert ("::error::" in done.stdout) == bool(code)


@pytest.mark.parametrize("file", [*FILES, *ACTIONS], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_actions_are_pinned_by_hash_with_their_release(file):
    used = [line for line in file.read_text(encoding="utf-8").splitlines() if re.match(r" *(- )?uses: (?![.$]/)", line)]
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_no_outside_text_stands_in_a_script():
    assert [(name, step) for name, step in STEPS if "${{" in step.get("run", "")] == []


def test_no_checkout_leaves_its_token_behind():
    checkouts = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) >= len(FILES)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_nothing_is_allowed_that_is_not_said():
    assert {name: workflow["permissions"] for name, workflow in WORKFLOWS.items()} == {
        "checks": {},
        "gate": {},
        "nightly": {"contents": "read"},
        "release": {},
    }
    assert all(job.get("timeout-minutes") or "uses" in job for _, job in JOBS)


def ran(script, folder=None, **env):
    """Run a step's script as the runner does."""
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    env = {"PATH": os.environ["PATH"], **env}
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=30)
