"""Rows are read to be listed once: the store knows what the reading of the same data for the same task came to."""

import json
import sqlite3

import pytest

from evalkit.harnesses import chat
from evalkit.tasks.rows import local
from support.workplaces import fitted_out, pages, picture, write_parquet

WORDS = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]


@pytest.fixture
def read(monkeypatch):
    """Rows that were read, one entry each."""
    found, rows = [], local.Parquet.rows

    def counting(self, wanted=None):
        for place, row in rows(self, wanted):
            found.append(place)
            yield place, row

    monkeypatch.setattr(local.Parquet, "rows", counting)
    return found


def changed(workplace, statement):
    with sqlite3.connect(workplace.folder / "runs/store.sqlite3") as connection:
        return connection.execute(statement).rowcount


def ids(workplace, output):
    """Of the samples that the latest run was of."""
    lines = (workplace.runs(output)[-1] / "samples/base/pages.jsonl").read_text().splitlines()
    return {json.loads(line)["id"] for line in lines}


def test_a_finished_run_reads_no_row_again_and_says_the_same(tmp_path, read):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    count, before = len(read), workplace.results()
    assert count > 0
    done = workplace.here(*WORDS, check=0)
    assert "nothing to do" in done.stdout
    assert len(read) == count
    assert workplace.results() == before


def test_what_is_owed_is_asked_of_rows_that_were_listed_before_the_heaviest_too(tmp_path, read):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    asked = workplace.journal()
    workplace.here(*WORDS, "--fresh", check=0)
    assert sorted(workplace.journal()[len(asked) :]) == sorted(asked)


def test_rows_are_not_read_to_come_to_a_heaviest_prompt_that_is_answered(tmp_path, read):
    workplace = fitted_out(tmp_path)
    rows = pages(40)
    rows[-1]["question"] = "What is " * 40
    write_parquet(workplace.folder / "tasks/pages.parquet", rows)
    workplace.here(*WORDS, check=0)
    count = len(read)
    assert changed(workplace, "DELETE FROM response WHERE fingerprint = (SELECT min(fingerprint) FROM response)") == 1
    workplace.here(*WORDS, check=0)
    assert 0 < len(read) - count <= len(rows)


def test_other_rows_are_read(tmp_path, read):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    count = len(read)
    write_parquet(workplace.folder / "tasks/pages.parquet", pages(5))
    workplace.here(*WORDS, check=0)
    assert len(read) > count


def test_another_state_of_the_task_is_read(tmp_path, read):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    count, task = len(read), workplace.folder / "tasks/pages.toml"
    task.write_text(task.read_text().replace("few words", "one word"))
    workplace.here(*WORDS, check=0)
    assert len(read) > count


def test_a_row_of_the_store_that_is_not_as_it_was_written_is_not_believed(tmp_path, read):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    count = len(read)
    assert changed(workplace, "UPDATE reading SET heaviest = heaviest + 1") == 1
    workplace.here(*WORDS, check=0)
    assert len(read) > count


def test_pictures_beside_the_data_are_looked_at_every_time(tmp_path, read):
    workplace = fitted_out(tmp_path)
    (workplace.folder / "tasks/one.jpg").write_bytes(picture(1))
    rows = [row | {"image": {"bytes": None, "path": "one.jpg"}} for row in pages(6)]
    write_parquet(workplace.folder / "tasks/pages.parquet", rows)
    workplace.here(*WORDS, check=0)
    count = len(read)
    (workplace.folder / "tasks/one.jpg").write_bytes(picture(2))
    workplace.here(*WORDS, check=0)
    assert len(read) >= 2 * count
    assert len(set(workplace.journal())) == len(workplace.journal())


def test_rows_that_can_be_drawn_by_now_are_no_longer_the_first_ones(tmp_path, monkeypatch):
    workplace = fitted_out(tmp_path)
    with monkeypatch.context() as absent:
        absent.setattr(chat, "_FETCHED_TO_DRAW", -1)  # as if the rows were gigabytes that are still on the hub
        workplace.here(*WORDS, "--limit", "6", check=0)
        assert ids(workplace, "runs") == {str(number) for number in range(6)}
    workplace.here(*WORDS, "--limit", "6", check=0)
    workplace.here(*WORDS, "--limit", "6", "--output", "other", check=0)
    assert ids(workplace, "runs") == ids(workplace, "other") != {str(number) for number in range(6)}
