"""`evalkit tasks`: a wrong file is told and left out, and code beside the files runs on the user's word alone."""

import pytest

from support.commands import evalkit
from support.workplaces import CHARTQA, DOCVQA, pages, write_parquet

CODE = "def near(answer, references, dialect):\n    return 1.0\n\nMETRICS = {'near': near}\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pages.toml").write_text(DOCVQA)
    (tmp_path / "charts.toml").write_text(CHARTQA.replace("max_tokens", "max_token"))
    return tmp_path


def test_a_wrong_file_is_told_and_its_neighbours_are_listed(folder):
    done = evalkit("tasks", "--tasks-dir", folder)
    assert (done.code, "  pages " in done.out, "  charts " in done.out) == (0, True, False)
    assert f"left out: {folder / 'charts.toml'}: decoding.max_token: unknown key; did you mean" in done.err
    shown = evalkit("tasks", "--tasks-dir", folder, "show", "pages")
    assert (shown.code, shown.err) == (0, "")
    wrong = evalkit("tasks", "--tasks-dir", folder, "show", "charts")
    assert (wrong.code, "decoding.max_token: unknown key" in wrong.err) == (2, True)


def test_a_folder_and_the_word_for_its_code_stand_before_or_behind_the_subcommand(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "pages.toml").write_text(DOCVQA.replace('"anls"', '"near"'))
    (folder / "near.py").write_text(f"{CODE}# behind\n# {folder}\n")
    write_parquet(folder / "pages.parquet", pages(2))
    refused = evalkit("tasks", "check", "pages.toml")
    assert (refused.code, "--allow-task-code (in Python allow_task_code=True) runs it" in refused.err) == (2, True)
    own = ("--tasks-dir", folder, "--allow-task-code")
    for words in (("check", "pages", *own), (*own, "check", "pages")):
        done = evalkit("tasks", *words)
        assert (done.code, 'answer "word0": near 1' in done.out) == (2, True), done.err
        assert "a wrong answer scores 1 by near" in done.err
    assert 'name = "pages"' in evalkit("tasks", "show", "pages", *own).out
    assert "  pages " in evalkit("tasks", "list", *own).out
    assert "  pages " not in evalkit("tasks", "list").out


def test_code_runs_while_a_command_with_the_word_lasts_and_no_longer(folder):
    (folder / "pages.toml").write_text(DOCVQA.replace('"anls"', '"near"'))
    (folder / "near.py").write_text(f"{CODE}# {folder}\n")
    without = evalkit("tasks", "--tasks-dir", folder)
    assert f"code of your own in {folder / 'near.py'} was not run: --allow-task-code (" in without.err
    assert "  pages " not in without.out
    assert "  pages " in evalkit("tasks", "--tasks-dir", folder, "--allow-task-code").out
    listed = evalkit("tasks", "--tasks-dir", folder, "--allow-task-code", "--json").json["metrics"]
    assert {"name": "near", "source": str(folder / "near.py")} in listed
    assert {"name": "anls", "source": ""} in listed
    (folder / "near.py").write_text(f"{CODE}# another\n# {folder}\n")
    assert "was not run" in evalkit("tasks", "--tasks-dir", folder).err
