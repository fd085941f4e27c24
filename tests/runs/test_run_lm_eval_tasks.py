"""Runs of lm-eval's tasks through the command line, asked of a stand-in server that already runs."""

import json
import re

import pytest

from evalkit.base.errors import DataError
from evalkit.harnesses import harness
from evalkit.tasks import registry
from evalkit.testing import Asked, ModelServer, Reply, replies
from support import lm_eval_rows
from support.commands import evalkit

ROWS = 7


def part(asked: Asked) -> Reply:
    """Right sums for two questions of three, after some reasoning that the server has cut off."""
    text = json.loads(asked.body)["messages"][-1]["content"][0]["text"]
    number = int(re.findall(r"is (\d+) \+", text)[-1])
    said = json.loads(replies.chat(asked, f"#### {2 * number if number % 3 else 5}").body)
    for choice in said["choices"]:
        choice["message"]["reasoning_content"] = "I add."
    return replies.as_json(said)


@pytest.fixture(scope="module")
def server():
    with ModelServer("tiny", part) as running:
        yield running


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return lm_eval_rows.TASKS["gsm8k"](tmp_path_factory.mktemp("rows"))


def words(server, rows, output, *more):
    found = ["run", "--baseline", "tiny", "--candidate", "cand=tiny", "--json", "--output", output]
    for label in ("tiny", "cand"):
        found += ["--endpoint", f"{label}={server.url}", "--endpoint-is", f"{label}=1"]
    return [*found, "--task", "lm-eval:gsm8k", "--data", f"lm-eval:gsm8k={rows}", *more]


def test_a_run_asks_stores_scores_and_continues(server, rows, tmp_path):
    first = evalkit(*words(server, rows, tmp_path / "runs"))
    assert first.code == 0, first.err
    (row,) = first.json["tasks"]
    score = row["scores"]["tiny"]
    assert (score["planned"], score["scored"], score["failed"], score["reasoned"]) == (ROWS, ROWS, 0, ROWS)
    # Two of three sums are right; zero, three and six are not.
    assert score["metrics"]["exact_match,strict-match"] == pytest.approx(4 / 7)
    asked = server.asked.total()
    again = evalkit(*words(server, rows, tmp_path / "runs"))
    assert (again.code, server.asked.total()) == (0, asked)
    (file,) = (tmp_path / "runs").glob("*/samples/tiny/lm-eval.gsm8k.jsonl")
    line = json.loads(file.read_text().splitlines()[0])
    assert [one["role"] for one in line["turns"]] == ["user", "assistant"] * 5
    assert line["elsewhere"] == {"place": "reasoning_content", "text": "I add."}
    assert line["scores"]["exact_match,strict-match"]["parsed"]


def test_a_row_has_the_same_prompt_in_every_pass_and_under_every_limit(rows):
    (task,) = registry.find(["lm-eval:gsm8k"])
    listings = []
    for _ in range(2):
        questions = harness(task).questions(task, rows, lambda _: None)
        everything = {sample.id: request for sample, request in questions.samples(None)}
        for limit in (3, 1, 5):
            assert all(everything[sample.id] == request for sample, request in questions.samples(limit))
        listings.append(everything)
    assert listings[0] == listings[1]
    assert len(set(everything.values())) == ROWS


def test_examples_without_their_split_are_one_clear_line(rows):
    (task,) = registry.find(["lm-eval:gsm8k"])
    with pytest.raises(DataError, match="takes its 5 solved examples from the split 'train'") as caught:
        harness(task).questions(task, rows / "test.jsonl", lambda _: None)
    assert "settings.shots = 0" in caught.value.fix
