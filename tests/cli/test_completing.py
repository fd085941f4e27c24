"""What a shell is offered at a press of Tab."""

import pytest
from click.shell_completion import ShellComplete

from evalkit.cli import cli
from support.commands import evalkit
from support.pastruns import write_run


def offered(*words):
    *before, begun = words
    found = ShellComplete(cli, {}, "evalkit", "_EVALKIT_COMPLETE").get_completions(list(before), begun)
    return [one.value for one in found]


@pytest.mark.parametrize("command", ["report", "export", "gate", "card"])
def test_runs_the_newest_first_from_the_folder_that_is_named(tmp_path, monkeypatch, command):
    for number in (1, 2):
        write_run(tmp_path / "runs", f"2026010{number}-000000-aaaaaa")
        write_run(tmp_path / "other", f"2027010{number}-000000-aaaaaa")
    monkeypatch.chdir(tmp_path)
    assert offered(command, "") == ["latest", "20260102-000000-aaaaaa", "20260101-000000-aaaaaa"]
    assert offered(command, "20260101") == ["20260101-000000-aaaaaa"]
    assert offered(command, "--runs", "other", "2027") == ["20270102-000000-aaaaaa", "20270101-000000-aaaaaa"]


def test_tasks_suites_and_names_of_lm_eval():
    assert "docvqa" in offered("run", "--task", "doc")
    assert offered("run", "--suite", "pixtral") == ["pixtral-card"]
    assert offered("run", "--task", "lm-e") == ["lm-eval:"]
    assert "lm-eval:gsm8k" in offered("run", "--task", "lm-eval:gsm")


def test_to_bash_a_colon_ends_no_word():
    assert evalkit("completion", "bash").out.startswith("COMP_WORDBREAKS=${COMP_WORDBREAKS//:}\n")
    assert "COMP_WORDBREAKS" not in evalkit("completion", "zsh").out.splitlines()[0]
