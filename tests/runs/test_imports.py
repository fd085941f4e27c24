"""Rows of a run's report that are made of answers from elsewhere."""

import json
from xml.etree import ElementTree as ET

import pytest
import yaml

from evalkit.testing import ModelServer, replies
from support.commands import evalkit, write_lines

QUESTIONS = 12
ELSEWHERE = 80


@pytest.fixture(scope="module")
def server():
    with ModelServer("tiny", lambda asked: replies.chat(asked, "two")) as running:
        yield running


@pytest.fixture
def words(server, tmp_path, monkeypatch):
    """A run of one small task of one's own, of a model beside itself."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "shop.jsonl", [{"q": f"What is {at}?", "a": "two"} for at in range(QUESTIONS)])
    assert evalkit("tasks", "new", "shop", "--from", "shop.jsonl").code == 0
    # As lm-eval writes them: two seeds of the baseline, and of a candidate that is wrong on a third.
    for name, lost in (("base", ()), ("cand", range(0, ELSEWHERE, 3))):
        for seed in (1, 2):
            lines = [
                {"doc_id": at, "doc": {"q": at}, "target": "x", "exact_match": float(at not in lost and at % 4 > 0)}
                for at in range(ELSEWHERE)
            ]
            write_lines(tmp_path / name / f"samples_hard_2026-01-0{seed}T10-00-00.000000.jsonl", lines)
    found = ["run", "--baseline", "tiny", "--candidate", "cand=tiny", "--task", "shop.toml", "--min-recovery", 99]
    for label in ("tiny", "cand"):
        found += ["--endpoint", f"{label}={server.url}", "--endpoint-is", f"{label}=1"]
    return found


def test_an_imported_row_is_paired_judged_and_told_apart(words, tmp_path):
    done = evalkit(*words, "--import", "hard=base,cand", "--json")
    # The task that was asked is the same on both sides; what was made elsewhere has lost twenty of sixty.
    assert done.code == 1, done.err
    found = done.json
    assert [row["task"] for row in found["tasks"]] == ["shop"]
    (row,) = found["imported"]
    judged = row["recovery"]["cand"]
    assert (judged["verdict"], judged["paired"], judged["regressed"]) == ("degraded", ELSEWHERE, 20)
    assert judged["percent"] == pytest.approx(100 * 40 / 60)
    assert row["sources"] == {"tiny": "base (lm-eval)", "cand": "cand (lm-eval)"}
    assert (row["metric"], row["comparability"]["differences"]) == ("exact_match", {"cand": []})
    # Of the row that was asked the run knows how; the files do not say.
    assert {"decoding", "prompt", "revision"} <= set(row["unknown"])
    (folder,) = (path.parent for path in (tmp_path / "runs").glob("*/run.json"))
    for name in ("report.md", "report.html", "model_card.md", "summary.md"):
        text = (folder / name).read_text()
        assert "hard (imported)" in text, name
        assert "not asked by this run" in text, name
    cases = {case.get("name"): case for case in ET.parse(folder / "junit.xml").iter("testcase")}
    assert cases["hard (imported)"].find("failure") is not None
    front = (folder / "model_card.md").read_text().split("---")[1]
    assert '# not in the model-index, because another tool made it: "hard (imported)"' in front
    assert "hard" not in json.dumps(yaml.safe_load(front))
    # Over several runs it is a line of its own, marked, and nothing of this run's serving can have moved it.
    past = evalkit("history", "--json", "--task", "hard (imported)")
    (line,) = past.json["lines"]
    (point,) = line["points"]
    assert (line["category"], point["verdict"], point["changed"]) == ("Imported", "degraded", [])
    assert point["percent"] == pytest.approx(100 * 40 / 60)
    # The report is made again from what the run has kept, and judged by another policy.
    for path in (tmp_path / "base", tmp_path / "cand"):
        for file in path.iterdir():
            file.unlink()
    whole = (folder / "results.json").read_text()
    assert evalkit("report", "latest").code == 0
    assert (folder / "results.json").read_text() == whole
    (tmp_path / "loose.toml").write_text("[policy.tasks.hard]\nmin_recovery = 50\n")
    loose = evalkit("gate", "latest", "--policy", "loose.toml", "--json")
    assert loose.code == 0, loose.err
    assert loose.json["imported"][0]["recovery"]["cand"]["verdict"] == "recovered"


def test_what_cannot_be_imported_is_told_before_anything_is_asked(words, server, tmp_path):
    write_lines(tmp_path / "other.jsonl", [{"id": "a", "score": 1.0}])
    write_lines(tmp_path / "no_pair.jsonl", [{"id": "b", "score": 1.0, "metric": "em"}])
    (tmp_path / "none.toml").write_text("[[imported]]\ntask = 'hard'\nbaseline = 'base'\ncandidates = []\n")
    refused = {
        "hard=base": "write --import TASK=BASE,CAND|name the baseline's file",
        "hard=base,cand,cand": "names the files of 2 candidates, the run has 1",
        "shop=base,cand": "'shop' is imported and asked",
        "hard=nowhere,cand": "nowhere: no such file or folder; check what is imported as 'hard'",
        "hard=base,other.jsonl": "base is lm-eval, other.jsonl is",
    }
    before = server.asked.total()
    for said, told in refused.items():
        done = evalkit(*words, "--import", said)
        assert done.code == 2, said
        assert any(part in done.err for part in told.split("|")), done.err
    done = evalkit(*words, "--config", "none.toml")
    assert (done.code, "imported[0].candidates" in done.err) == (2, True), done.err
    assert server.asked.total() == before


def test_a_metric_is_chosen_in_the_file_and_the_card_repeats_it(words, tmp_path):
    for name in ("base", "cand"):
        lines = [{"doc_id": at, "target": "x", "acc": 1.0, "acc_norm": 0.5} for at in range(40)]
        write_lines(tmp_path / f"{name}.jsonl", lines)
    settings = (
        "[[imported]]\ntask = 'hard'\nbaseline = 'base.jsonl'\ncandidates = ['cand.jsonl']\nmetric = 'acc_norm'\n"
    )
    (tmp_path / "settings.toml").write_text(settings + "expected = 50\n")
    done = evalkit(*words, "--config", "settings.toml", "--json")
    assert done.code == 4, done.err
    (row,) = done.json["imported"]
    assert (row["metric"], row["scores"]["cand"], row["recovery"]["cand"]["missing"]) == ("acc_norm", 0.5, 10)
    (card,) = (tmp_path / "runs").glob("*/model_card.md")
    assert 'metric = "acc_norm"' in card.read_text()
    assert json.loads(card.with_name("results.json").read_text()) == done.json


def test_endpoints_alone_are_asked_though_nothing_here_can_serve(words, tmp_path):
    done = evalkit(*words, "--vllm-python", tmp_path / "no" / "python", "--json")
    # Twelve samples decide nothing.
    assert (done.code, done.json["outcome"]["kind"]) == (3, "undecided"), done.err
    (path,) = (tmp_path / "runs").glob("*/run.json")
    # What is installed here has answered nothing.
    assert "serving" not in json.loads(path.read_text())["provenance"]
