"""Answers of a server that evalkit did not start, from the socket to the report: what counts, and what is told."""

import json
import sqlite3
from contextlib import contextmanager

import pytest
from commands import evalkit
from servers import ModelServer, chat
from workplaces import fitted_out

ROWS = 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A workplace in which evalkit runs."""
    fitted_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text("[client]\ntries = 2\nwindow = 8\n")
    return tmp_path


def question(asked):
    """The number of the question in a request."""
    content = json.loads(asked.body)["messages"][0]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return int(text.partition("What is number ")[2].partition("?")[0])


def right(asked, **changes):
    return chat(asked, f"word{question(asked)}", **changes)


def ends(reason, asked, text="wor", **message):
    message = {"role": "assistant", "content": text, **message}
    return chat(asked, choices=[{"index": 0, "message": message, "finish_reason": reason}])


@contextmanager
def endpoints(base=right, cand=right):
    """Two servers, and the words of a run on them."""
    with ModelServer("base", base) as one, ModelServer("cand", cand) as two:
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
        words += ["--endpoint", f"base={one.url}", "--endpoint", f"cand={two.url}", "--config", "quick.toml", "--json"]
        yield one, two, words


def scores(ended):
    return ended.json["tasks"][0]["scores"]


# --- how answers ended ---


def test_an_answer_that_was_aborted_is_asked_again(folder):
    with endpoints(lambda asked: right(asked) if asked.earlier else ends("abort", asked)) as (one, _, words):
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["score"]) == (0, 1.0)
    assert one.asked.total() == 2 * ROWS


@pytest.mark.parametrize(("reason", "kind"), [("abort", "cut_off"), ("mystery", "cut_off"), ("content_filter",) * 2])
def test_one_that_stays_so_is_a_failure_by_name_and_the_same_command_asks_it_again(folder, reason, kind):
    troubled = lambda asked: ends(reason, asked) if question(asked) < 3 else right(asked)  # noqa: E731
    with endpoints(troubled) as (one, _, words):
        ended = evalkit(*words)
        assert (ended.code, scores(ended)["base"]["failures"]) == (4, {kind: 3})
        assert scores(ended)["base"]["score"] == 1.0  # of those that were answered
        one.part = right
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["failed"]) == (0, 0)


def test_a_store_that_holds_such_answers_is_cleared_of_them_and_says_so(folder):
    with endpoints() as (one, two, words):
        evalkit(*words)
        path = folder / "runs/store.sqlite3"
        with sqlite3.connect(path) as connection:  # as an earlier evalkit left it
            connection.execute("ALTER TABLE response DROP COLUMN elsewhere")
            connection.execute("UPDATE response SET text = 'wo', finish_reason = 'abort' WHERE text LIKE 'word1%'")
            connection.execute("PRAGMA user_version=1")
        assert evalkit("report", "latest", "--output", "again", "--format", "json").code in {0, 4}
        (row,) = json.loads((folder / "again/results.json").read_text())["tasks"]
        assert row["scores"]["base"]["failures"] == {"cut_off": 11}
        before = one.asked.total() + two.asked.total()
        ended = evalkit(*words)
    assert ended.code == 0
    assert "22 answers in runs/store.sqlite3 had been ended by their server" in ended.err
    assert one.asked.total() + two.asked.total() >= before + 22
    assert scores(ended)["cand"]["score"] == 1.0


# --- text in another field ---


def test_text_in_another_field_is_told_in_the_run_and_in_the_report_with_the_flag_that_mends_it(folder):
    def silent(asked):
        return ends("length", asked, None, reasoning_content="... so seven")

    with endpoints(cand=silent) as (_, _, words):
        ended = evalkit(*words)
    assert "an answer came back as 'reasoning_content' and not as text" in ended.err
    assert "--reasoning-parser" in ended.err
    assert scores(ended)["cand"]["elsewhere"] == {"reasoning_content": ROWS}
    assert ended.json["tasks"][0]["drift"]["cand"]["elsewhere"]["flagged"] is True
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    text = (run / "report.md").read_text()
    assert f"{ROWS} of {ROWS} answers came back as 'reasoning_content'" in text
    assert "text in another field" in text
    line = json.loads((run / "samples/cand/pages.jsonl").read_text().splitlines()[0])
    assert line["elsewhere"] == {"place": "reasoning_content", "text": "... so seven"}
