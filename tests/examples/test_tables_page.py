"""The questions of docs/how-to/tables.md, asked for real of a table that evalkit wrote; both libraries agree."""

import re
from pathlib import Path

import pandas as pd
import pytest

from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.store import Store
from evalkit.runs import export
from support.wants import imported

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/tables.md"
TASK = Task("exam", "qa", Dataset("", "test"), Decoding(10), ("exact_match",), "exact_match", "Text", "Exam")
LONG = 30
"""From so many tokens of the prompt on, the candidate is wrong; it is wrong about rivers, too."""


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def answer(role, at):
    """What a model says to question ``at``: the right word, or a long one that is not."""
    wrong = role == "cand" and (at >= LONG or at % 4 == 3)
    if at == 7:
        return Failure(FailureKind.DEADLINE, "slow", 2.5, 4)
    return Answer("something else" if wrong else "word", "length" if wrong else "stop", at, 60 if wrong else 5, 0.5)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = [Contender(Model(name, name, name), Engine("vllm", "1", "cpu")) for name in ("base", "cand")]
    with Store(tmp_path / "runs") as store:
        subjects = ("birds", "stars", "trees", "rivers")
        planned = [
            (Sample(f"s{at}", (Text("q"),), {"answers": ["word"], "category": subjects[at % 4]}), f"r{at}")
            for at in range(40)
        ]
        listing, _ = store.write_listing(planned, note="exam")
        for one in models:
            for at, (_, request) in enumerate(planned):
                store.put(one.fingerprint()(request), answer(one.model.label, at), "run")
        part = PlannedTask(TASK, listing, len(planned), len(planned), "rev")
        plan = Plan(models[0], (models[1],), (part,))
        export.export(plan, store, tmp_path / "samples.parquet", "parquet")
        yield export.frame(plan, store)


def asked(table):
    """The answers of DuckDB and of pandas to each of the page's questions."""
    database = imported("duckdb").connect()
    view, *questions = blocks("sql")
    names = {}
    pairing, *programs = blocks("python")
    database.execute(view)
    exec(pairing, names)
    assert len(questions) == len(programs) == 3
    for question, program in zip(questions, programs, strict=True):
        exec(program, names)
        yield database.execute(question).df(), names["answer"]


def test_both_libraries_give_the_same_answers_and_these_are_what_was_planted(table):
    found = list(asked(table))
    for one, other in found:
        assert list(one.columns) == list(other.columns)
        pd.testing.assert_frame_equal(
            one.astype(object), other.astype(object), check_dtype=False, check_index_type=False
        )
    subjects, quarters, outcomes = (one for one, _ in found)
    assert (subjects["subject"][0], subjects["points"][0], subjects["questions"][0], subjects["regressed"][0]) == (
        "rivers",
        -100,
        9,
        9,
    )
    assert (quarters["points"].iloc[-1], quarters["longest"].iloc[-1]) == (-100, 39)
    assert dict(zip(outcomes["flip"], outcomes["tokens"], strict=True)) == {"regressed": 60, "same": 5}
    assert dict(zip(outcomes["flip"], outcomes["truncated"], strict=True)) == {"regressed": 1, "same": 0}


def test_a_line_says_who_was_asked_and_whether_that_changed(table):
    base, cand = table[table["role"] == "baseline"], table[table["role"] == "candidate"]
    assert base["flip"].isna().all()
    assert cand["flip"].value_counts().to_dict() == {"same": 23, "regressed": 16}
    assert cand["flip"].isna().sum() == 1  # without an answer there is no flip
    assert set(table["category"]) == {"Text"}
    assert table["subject_area"].isna().all()
    assert table[["problem", "attempt"]].isna().all(axis=None)
    assert set(table["attempts"]) == {1}
