"""From two checkpoints to one model card: a run, a performance run, and both halves on one page."""

import json
import re
import shlex

import pytest

from evalkit import cards
from support.perfruns import FAKE_GUIDELLM, PerfPlace

RECIPE = "quant_stage:\n  quant_modifiers:\n    GPTQModifier:\n      scheme: W8A8\n      ignore: ['re:.*lm_head']\n"


@pytest.fixture
def place(workplace):
    (workplace.folder / "cand/recipe.yaml").write_text(RECIPE)
    return PerfPlace(workplace)


FILE = """
baseline = "base"
candidates = ["cand"]
tasks_dir = ["tasks"]
tasks = ["pages"]
[perf]
uses = ["glance.toml"]
queries = 6
queries_at_once = 8
concurrency = 4
warmups = 1
price = 3.29
price_source = "a list"
"""


def following(ended):
    """The words of the command that a command names as the next one."""
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("next: evalkit ")]
    return shlex.split(line)[2:]


def test_each_command_names_the_next_one_up_to_one_page_and_one_card(place):
    """One file tells both commands what to do."""
    here = place.workplace.here
    (place.folder / "card.toml").write_text(FILE + f"engine_python = '{FAKE_GUIDELLM}'\n")
    play = {"latency_s": {"base": 0.5, "cand": 0.25}, "drift": 1.01}
    env = {"FAKE_GUIDELLM": json.dumps(play), "FAKE_JOURNAL": str(place.folder / "sent.jsonl")}
    ended = here("plan", "--config", "card.toml", check=0)
    assert "then evalkit perf: 4 servers to start, 8 cells of 8 to measure with guidellm 0.8.1" in ended.stdout
    ended = here("run", "--config", "card.toml", check=0)
    assert following(ended) == ["perf", "--config", "card.toml"]
    said = here("card", "latest", check=0).stderr
    assert "`evalkit perf` has not measured these checkpoints here" in said
    ended = here(*following(ended), check=0, **env)
    (run,) = [folder for folder in place.workplace.runs() if folder.name != "perf"]
    assert following(ended) == ["card", run.name, "--perf", place.runs[-1].name]
    path, *_ = here(*following(ended), check=0).stdout.split()
    assert following(here("run", "--config", "card.toml", check=0)) == ["card", run.name]
    assert "4 servers to start" not in here("plan", "--config", "card.toml", check=0).stdout

    text = (place.folder / path).read_text()
    order = [text.index(f"\n## {name}\n") for name in ("Creation", "Evaluation", "Inference performance")]
    assert order == sorted(order)
    assert "scheme: W8A8" in text
    assert "Single-stream performance" in text
    assert "Glance 64W x 48H 4/16 Queries per dollar" in text
    assert "evalkit perf --baseline base --candidate cand --use glance.toml" in text
    assert "evalkit run --baseline base --candidate cand" in text
    assert not [one for one in cards.audit(cards.card(text)).findings if one.kind != "recovery"]

    here("report", "latest", check=0)
    page = (run / "report.html").read_text()
    assert 'id="performance"' in page
    (low, width) = re.search(r'class="band" x="([\d.]+)%" width="([\d.]+)%"', page).groups()
    assert float(low) >= 0
    assert float(width) > 0
    assert page.count('class="mark"') == 2, "a drawing for each stream, with one candidate each"
    assert "## Inference performance" in (run / "report.md").read_text()


def test_checkpoints_are_told_apart_by_their_files_not_by_their_names(place):
    place.workplace.here(*place.workplace.comparison(), check=0)
    (place.folder / "cand/model.safetensors").write_bytes(b"other")
    place.perf("--starts", 1)
    ended = place.workplace.here("card", "latest", check=0)
    assert "has not measured these checkpoints here" in ended.stderr
    ended = place.workplace.here("card", "latest", "--perf", "latest", check=2)
    assert "of other checkpoints" in ended.stderr
    assert "Traceback" not in ended.stderr
    ended = place.workplace.here("card", "latest", "--candidate", "cnd", check=2)
    assert "did you mean 'cand'?" in ended.stderr
    assert "no performance run 'nothing'" in place.workplace.here("card", "latest", "--perf", "nothing", check=2).stderr
    # A damaged one that nobody has asked for costs no report.
    (cell, *_) = (place.runs[-1] / "cells").iterdir()
    kept = json.loads((place.runs[-1] / "plan.json").read_text())
    for model, name in zip(kept["plan"]["models"], ("base", "cand"), strict=True):
        found = json.loads(next(place.folder.glob("runs/*/run.json")).read_text())["plan"]["models"]
        model["digest"] = next(one["model"]["digest"] for one in found if one["model"]["label"] == name)
    (place.runs[-1] / "plan.json").write_text(json.dumps(kept))
    cell.write_text("{")
    place.workplace.here("report", "latest", check=0)
    assert place.workplace.here("report", "latest", "--perf", "latest", check=2).stderr
