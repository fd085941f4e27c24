"""Words of samples: what a search finds, and that it reads no more rows when more samples hold a word."""

import json
import re
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.view import index, words
from evalkit.view.samples import PAGE, Filter
from support.pastruns import failed, sample, write_run
from support.viewers import indexed


def written(texts):
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.executescript(words.SCHEMA)
    writer = words.IndexWriter(database)
    for text in texts:
        writer.add(text)
    writer.end_part()
    return database


def found(texts, search):
    with closing(written(texts)) as database:
        return words.holding(database, search).nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("chart", [0, 1]),
        ("CHARTS", [1]),
        ("char", [0, 1]),
        ("cha", []),
        ("bar", [0]),
        ("bar chart", [0]),
        ("chart-bar", [0]),
        ("chart ... bar?", [0]),
        ("naive", [2]),
        ("NAÏVE", [2]),
        ("strasse", [2]),
        ("日", [3]),
        ("日本の図", [3]),
        ("本", []),
        ("+++", []),
        ("chart*", [0, 1]),
        ("x" * 60, [4]),
        ("", []),
    ],
)
def test_a_search_finds(search, expected):
    texts = ["a bar chart", "two charts, one bars", "naïve Straße", "日本の図表 x", "x" * 80]
    assert found(texts, search) == expected


@settings(max_examples=60)
@given(
    st.lists(st.text("abcé7 -", max_size=24), max_size=40),
    st.lists(st.text("abcé7", min_size=1, max_size=6), min_size=1, max_size=3),
)
def test_it_finds_what_a_plain_look_at_every_text_finds(texts, wanted):
    def fold(text):
        return text.replace("é", "e")

    def holds(text, word):
        own = re.findall(r"\w+", fold(text))
        return any(one.startswith(word) for one in own) if len(word) >= 4 else word in own

    expected = [at for at, text in enumerate(texts) if all(holds(text, fold(word)) for word in wanted)]
    assert found(texts, " ".join(wanted)) == expected


def test_samples_of_all_parts_are_found_where_they_are():
    count = 2 * words.PART + 7
    database = written("every " + ("seventh" if at % 7 == 0 else "") for at in range(count))
    assert database.execute("SELECT count(*) FROM part").fetchone() == (3,)
    assert words.holding(database, "every").sum() == count
    assert words.holding(database, "seventh").nonzero()[0].tolist() == list(range(0, count, 7))


def test_a_part_ends_early_rather_than_hold_ever_more_different_words(monkeypatch):
    monkeypatch.setattr(words, "_WORDS", 50)
    database = written(f"every own{at}" for at in range(500))
    assert database.execute("SELECT count(*) FROM part").fetchone()[0] > 5
    assert words.holding(database, "own123").nonzero()[0].tolist() == [123]
    assert words.holding(database, "every").all()


def rows_read(database, search):
    """Rows of ``word`` that a search is given."""
    counted = 0

    def count(cursor, row):
        nonlocal counted
        counted += cursor.description[0][0] == "bits"
        return row

    database.row_factory = count
    words.holding(database, search)
    return counted


def test_a_search_reads_no_more_rows_when_more_samples_hold_the_word():
    few, many = (written(f"every sample{at:06d} {at % 5}" for at in range(count)) for count in (200, 20_000))
    for search in ("every", "nowhere", "sample000007", "sample", "sample0001"):
        assert rows_read(many, search) <= words.MOST, search
    assert rows_read(few, "every") == rows_read(many, "every") == 1
    # 20,000 words begin so: one row stands for them.
    assert rows_read(many, "sample") == 1
    assert words.holding(many, "sample").all()
    assert words.holding(many, "sample01").nonzero()[0].tolist() == list(range(10_000, 20_000))


def test_every_question_to_the_index_goes_by_a_key(tmp_path, monkeypatch):
    asked = []

    def watched(path):
        database = opened_as_ever(path)
        database.set_trace_callback(lambda text: text.startswith("SELECT") and asked.append(text))
        return database

    lines = [sample(n, f"common rare{n}", 1.0) if n % 9 else failed(n, "deadline") for n in range(300)]
    samples = indexed(write_run(tmp_path, lines={"base": {"pages": lines}, "cand": {"pages": lines}}))
    opened_as_ever = index.connection
    monkeypatch.setattr(index, "connection", watched)
    for wanted in (
        Filter(1),
        Filter(1, task=0, flip="unchanged", outcome="right", text="common"),
        Filter(1, failure="deadline"),
        Filter(1, outcome="truncated", text="rare12 nowhere"),
    ):
        numbers = samples.numbers(wanted)
        samples.found(numbers[-PAGE:].tolist())
    assert samples.find("pages", "s7") == 7
    with closing(opened_as_ever(tmp_path / "20260101-000000-aaaaaa" / index.FILE)) as database:
        plans = {text: json.dumps(database.execute(f"EXPLAIN QUERY PLAN {text}").fetchall()) for text in asked}
    # Parts are few: one for each 32,768 samples.
    walks = [text for text, plan in plans.items() if "SCAN" in plan and "FROM part" not in text]
    assert len(plans) > 8
    assert walks == []
