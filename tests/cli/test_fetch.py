"""``evalkit fetch``: every task's harness brings its own, and says what is ready, or how it could be had."""

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from evalkit.tasks import registry
from support import evalplus_tasks, mmlu_folder
from support.workplaces import fitted_out

LOCAL = {
    "mmlu": ('files = ["mmlu/*/*.parquet"]', "questions ready"),
    "humaneval": ('files = ["problems.jsonl"]', "3 problems ready"),
}


@pytest.mark.parametrize("rows", [(), ("--rows",)], ids=["prompts", "rows"])
@pytest.mark.parametrize("suite", sorted(registry.suites()))
def test_every_task_of_every_suite_is_fetched_or_says_how_it_could_be(workplace, monkeypatch, suite, rows):
    # As HF_HOME would have it, which the hub's library reads when it is imported.
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workplace.folder / "hub"))
    done = workplace.here("fetch", "--suite", suite, *rows, EVALKIT_OFFLINE="1")
    assert done.returncode in {0, 2, 5}
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
    for task in registry.chosen((), suite):
        (line,) = re.findall(rf"^{re.escape(task.name)}: .*$", done.stdout + done.stderr, re.MULTILINE)[-1:]
        assert "ready" in line or "--rows" in line or "; " in line
        # Who has no published prompt is not told that one is ready.
        if not task.prompt or isinstance(task.prompt, str):
            assert "prompt" not in line


def test_every_harness_fetches_its_own_rows(tmp_path):
    workplace = fitted_out(tmp_path)
    mmlu_folder.mmlu(tmp_path / "tasks/mmlu")
    evalplus_tasks.write(tmp_path / "tasks/problems.jsonl", evalplus_tasks.rows(3))
    for name, (files, _) in LOCAL.items():
        text = (Path(registry.tasks()[name].source)).read_text()
        dataset = f'[dataset]\nid = ""\nsplit = "test"\n{files}\n'
        text = re.sub(r"\[dataset\].*?(?=\n\[|\Z)", dataset, text, flags=re.DOTALL)
        (tmp_path / "tasks" / f"{name}.toml").write_text(text)
    done = workplace.here(
        "fetch",
        "--rows",
        "--tasks-dir",
        "tasks",
        *("--task", "pages", "--task", "mmlu", "--task", "humaneval"),
        check=0,
    )
    assert "pages: 40 rows ready" in done.stdout
    for name, (_, ready) in LOCAL.items():
        assert re.search(rf"^{name}: .*{ready}$", done.stdout, re.MULTILINE), done.stdout
