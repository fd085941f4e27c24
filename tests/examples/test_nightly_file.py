"""The example of a nightly configuration: every key is known, and its nights go as its page says, on stand-ins."""

import json
import tomllib
from pathlib import Path

from evalkit.config import run_config
from support.workplaces import fitted_out, model_folder

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/nightly/nightly.toml"


def test_every_key_is_one_that_evalkit_knows():
    found = run_config.resolved(tomllib.loads(EXAMPLE.read_text(encoding="utf-8")), EXAMPLE.name, {})
    assert [one.label for one in found.candidates] == ["w8a8", "w4a16"]
    assert found.policy.for_task("chartqa", averaged=True).tier == "advisory"


def test_a_night_on_which_nothing_moved_asks_nothing(tmp_path):
    """Models and output are this folder's, vLLM is the stand-in; ``charts`` and ``pages`` take the suite's place."""
    workplace = fitted_out(tmp_path)
    model_folder(tmp_path / "small", b"small")
    charts = tmp_path / "tasks/charts.toml"
    charts.write_text(charts.read_text().replace('name = "charts"', 'name = "chartqa"'))
    text = EXAMPLE.read_text(encoding="utf-8")
    for absent in (
        'vllm = "0.32.0"\n',
        "[policy.tasks.humaneval]\n# 164 problems cannot show 99 %.\nmin_recovery = 95\n",
    ):
        assert absent in text
        text = text.replace(absent, "")
    (tmp_path / "nightly.toml").write_text(text)
    words = ["run", "--config", "nightly.toml", "--baseline", "base", "--candidate", "w8a8=cand"]
    words += ["--candidate", "w4a16=small", "--output", "nights", "--tasks-dir", "tasks", "--task", "pages"]
    words += ["--task", "chartqa"]
    outcome = json.loads(workplace.here(*words, "--json", check=3).stdout)["outcome"]
    assert list(outcome["candidates"]) == ["w8a8", "w4a16"]
    assert "nothing to do" in workplace.here(*words, check=3).stdout
