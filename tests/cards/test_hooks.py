"""The hook and the action that repositories of cards use: their own words are typed here."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from evalkit.cli.audit import command

ROOT = Path(__file__).resolve().parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION = yaml.safe_load((ROOT / ".github/actions/audit/action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"] if "name" in step}
CARD = "| Task | acme/Nova | acme/Nova-FP8 | Recovery |\n|---|---|---|---|\n| MuSR | 60.0 | 57.0 | {} |\n"


@pytest.mark.parametrize(("recovery", "code"), [("95.0", 0), ("97.0", 1), ("-", 0)])
def test_the_hook_judges_the_files_that_it_is_given(tmp_path, recovery, code):
    (hook,) = HOOKS
    card, words = tmp_path / "README.md", tmp_path / "CONTRIBUTING.md"
    card.write_text(CARD.format(recovery))
    words.write_text("No table.")
    name, verb, *options = shlex.split(hook["entry"])
    assert (name, verb, hook["language"]) == ("evalkit", "audit", "python")
    done = CliRunner().invoke(command, [*options, str(card), str(words)], standalone_mode=False)
    assert (done.exception, done.return_value) == (None, code)


def run(step, folder, **variables):
    """A step's script, as the runner has bash run it."""
    files = {name: str(folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "RUNNER_TEMP": str(folder), **files, **variables}
    script = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
    return subprocess.run(script, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("recovery", "allow", "code"),
    [("95.0", "false", "0"), ("97.0", "false", "1"), ("-", "false", "4"), ("-", "true", "0")],
)
def test_the_action_shows_the_findings_and_ends_with_the_audit_s_code(tmp_path, recovery, allow, code):
    cards = tmp_path / "my cards"
    cards.mkdir()
    (cards / "README.md").write_text(CARD.format(recovery))
    done = run("Audit", tmp_path, CARDS="my cards\n", ALLOW_UNCHECKED=allow)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"exit-code={code}\n"
    shown = (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    assert shown.startswith("**")
    assert ("| wrong |" in shown) == (code == "1")
    assert run("Result", tmp_path, CODE=code).returncode == int(code)


def test_nothing_of_others_stands_in_a_script_of_the_action():
    for step in STEPS.values():
        assert "${{" not in step["run"]
    for step in ACTION["runs"]["steps"]:
        assert "uses" not in step or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])


def test_every_input_is_used_and_documented():
    text = (ROOT / ".github/actions/audit/action.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs/how-to/audit.md").read_text(encoding="utf-8")
    for name in ACTION["inputs"]:
        assert f"inputs.{name} " in text or f"inputs.{name} }}}}" in text
        assert name in page
