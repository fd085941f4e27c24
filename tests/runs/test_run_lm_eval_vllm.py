"""lm-eval's tasks of every kind beside the demonstration's seven, in one run on a real vLLM, over made-up rows."""

import json

import pytest

from evalkit.demo import rows, texts
from support import lm_eval_rows
from support.commands import evalkit
from support.mmlu_folder import mmlu

pytestmark = pytest.mark.vllm

KINDS = {
    # Texts by chat; choices of one token; of several; behind several contexts.
    "gsm8k": "shots = 1\ngen_kwargs = { max_gen_toks = 8 }",
    "mmlu_astronomy": "shots = 1",
    "arc_challenge": "shots = 0",
    "winogrande": "shots = 0",
}
"""lm-eval's name of each task to its settings: the random model has 1,024 tokens of context."""
SEVEN = {f"demo-{name}" for name in (*rows.TASKS, "humaneval", "mmlu")}
LIMIT = 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


@pytest.fixture(scope="module")
def done(real_server, place):
    subjects = mmlu(place / "mmlu")
    seven = rows.write(place / "seven")
    seven |= {
        "mmlu": texts.write_mmlu(place / "seven/mmlu"),
        "humaneval": texts.write_humaneval(place / "programs.jsonl"),
    }
    words = ["run", "--baseline", f"tiny={real_server.model.source}", "--candidate", f"cand={real_server.model.source}"]
    for label in ("tiny", "cand"):
        words += ["--endpoint", f"{label}={real_server.url}", "--served-as", f"{label}={real_server.name}"]
    for name, settings in KINDS.items():
        (place / f"{name}.toml").write_text(
            f'name = "{name}"\nbenchmark = "lm-eval"\n[settings]\ntask = "{name}"\nmax_length = 1024\n{settings}\n'
        )
        data = subjects if name.startswith("mmlu") else lm_eval_rows.TASKS[name](place / "rows" / name)
        words += ["--task", place / f"{name}.toml", "--data", f"{name}={data}"]
    words += ["--suite", "demo"]
    for name, data in seven.items():
        words += ["--data", f"demo-{name}={data}"]
    return evalkit(*words, "--limit", LIMIT, "--output", place / "runs", "--json")


def test_every_kind_is_answered_scored_and_paired(done):
    assert done.code == 0, done.err
    found = {row["task"]: row for row in done.json["tasks"]}
    assert found.keys() == {*KINDS, *SEVEN}
    for row in found.values():
        # Of pictures whole units are drawn, and each program is written ten times.
        assert row["planned"] == LIMIT or row["task"] in SEVEN
        assert {label: (one["scored"], one["failed"]) for label, one in row["scores"].items()} == dict.fromkeys(
            ("tiny", "cand"), (row["planned"], 0)
        )
        assert row["recovery"]["cand"]["paired"] >= LIMIT
        # The same weights answer for both: what differs is rounding.
        assert row["comparability"]["differences"] == {"cand": []}


def test_each_kind_was_asked_in_its_way(done, place):
    assert done.code == 0, done.err
    (folder,) = (place / "runs").glob("*/samples/tiny")
    lines = {name: [json.loads(line) for line in (folder / f"{name}.jsonl").open()] for name in KINDS}
    assert [turn["role"] for turn in lines["gsm8k"][0]["turns"]] == ["user", "assistant"]
    assert all(len(line["references"]["choices"]) == 4 for line in lines["mmlu_astronomy"])
    assert all("contexts" not in line["references"] for line in lines["arc_challenge"])
    assert all(len(line["references"]["contexts"]) == 2 for line in lines["winogrande"])
    for name in ("mmlu_astronomy", "arc_challenge", "winogrande"):
        assert all(len(json.loads(line["answer"])["loglikelihoods"]) >= 2 for line in lines[name])
