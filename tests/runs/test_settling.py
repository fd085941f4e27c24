"""Outcomes are committed in batches: nothing is told that is not in the store by then."""

import json
import sqlite3
import time

import pytest

from evalkit.base.events import Progress
from evalkit.config.model_choice import ModelChoice
from evalkit.config.run_config import ClientSettings, Config
from evalkit.records.store import FILE, Store
from evalkit.runs.run import run
from evalkit.testing import ModelServer

COUNT = 120
TASK = """\
name = "sums"
title = "Sums"
benchmark = "qa"
category = "Text"
prompt = "Answer with a number."
metrics = ["exact_match"]
headline = "exact_match"
[dataset]
id = ""
split = "test"
files = ["rows.jsonl"]
[columns]
question = "question"
answer = "answer"
[decoding]
max_tokens = 10
"""


@pytest.fixture
def told(tmp_path):
    """A run of one model on rows of text; what was told with the number of outcomes that others found in the store."""
    (tmp_path / "task.toml").write_text(TASK)
    rows = [{"question": f"How much is {number} + 1?", "answer": str(number + 1)} for number in range(COUNT)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    server = ModelServer("base")

    def say(event):
        if isinstance(event, Progress):
            told = event.scored + event.failed
            with sqlite3.connect(f"file:{tmp_path / 'runs' / FILE}?mode=ro", uri=True) as other:
                ((stored,),) = other.execute("SELECT count(*) FROM response")
            found.append((told, stored))
            # The run stands still while this hears: meanwhile others of its requests are answered.
            until = time.monotonic() + 0.2
            while told > 1 and sum(server.asked.values()) < min(COUNT, told + 8) and time.monotonic() < until:
                time.sleep(0.005)

    with server:
        own, asked = (str(tmp_path / "task.toml"),), ClientSettings(window=32)
        urls, where = {"base": server.url}, str(tmp_path / "runs")
        run(Config(ModelChoice("base", "base"), (), own, endpoints=urls, output=where, client=asked), say)
    return found


def test_what_is_told_is_in_the_store(told):
    assert told[-1] == (COUNT, COUNT)
    assert all(count <= stored for count, stored in told)


@pytest.fixture
def sizes(monkeypatch):
    """How many outcomes each commit has."""
    found, put_all = [], Store.put_all

    def counting(store, outcomes, run):
        outcomes = list(outcomes)
        found.append(len(outcomes))
        put_all(store, outcomes, run)

    monkeypatch.setattr(Store, "put_all", counting)
    return found


def test_several_outcomes_share_a_commit_and_are_told_once(sizes, told):
    assert sum(sizes) == COUNT
    assert max(sizes) > 1
    assert len(told) == 1 + len(sizes)  # the first is that nothing is there yet
