"""A finished run that has nothing to do scores no answer and writes no sample file anew, unless something changed."""

import json
import sqlite3
from collections import Counter
from dataclasses import replace

import pytest

from evalkit.base.errors import FullDiskError
from evalkit.base.types import Answer
from evalkit.files import own_code
from evalkit.harnesses.chat import Chat
from evalkit.records.responses import selected
from evalkit.records.store import Store
from evalkit.runs import outcomes, sample_files
from support.workplaces import fitted_out

WORDS = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]


@pytest.fixture
def scored(monkeypatch):
    """Answers that were scored, one entry each."""
    found, score = [], Chat.score

    def counting(self, task, sample, answer):
        found.append(sample.id)
        return score(self, task, sample, answer)

    monkeypatch.setattr(Chat, "score", counting)
    return found


@pytest.fixture
def finished(tmp_path, scored):
    """A place where a run has ended."""
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, check=0)
    assert scored
    scored.clear()
    return workplace


def files(workplace):
    """What the run's folder holds, by path, and which writing of each file that is."""
    (folder,) = workplace.runs()
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_ino)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def samples(found):
    return {name: one for name, one in found.items() if name.startswith("samples/")}


def texts(found):
    return {name: text for name, (text, _) in found.items()}


def again(workplace, *words):
    """The same command; there has to be nothing to do."""
    done = workplace.here(*WORDS, *words, check=0)
    assert "nothing to do" in done.stdout
    return files(workplace)


def sql(workplace, statement, *values):
    with sqlite3.connect(workplace.folder / "runs/store.sqlite3") as connection:
        return connection.execute(statement, values).rowcount


def answer_otherwise(workplace, text):
    """Put another answer in the place of a stored one, as the store would have it."""
    with sqlite3.connect(workplace.folder / "runs/store.sqlite3") as connection:
        key, run = connection.execute("SELECT fingerprint, run FROM response WHERE failure IS NULL").fetchone()
    with Store(workplace.folder / "runs") as store:
        was = store.outcome(key)
        assert isinstance(was, Answer)
        store._connection.execute("DELETE FROM response WHERE fingerprint = ?", (key,))
        store.put(key, replace(was, text=text), run)


def test_each_outcome_is_read_once_by_the_pass_that_scores_it(tmp_path, monkeypatch):
    """What it comes to is known again by the rows that it read: no reason to read them a second time."""
    read, responses = Counter(), Store._responses

    def counting(self, columns, fingerprints):
        for version, rows in responses(self, columns, fingerprints):
            read.update(row[0] for row in rows if columns is selected)
            yield version, rows

    workplace = fitted_out(tmp_path)
    monkeypatch.setattr(Store, "_responses", counting)
    workplace.here(*WORDS, check=0)
    assert read
    assert set(read.values()) == {1}
    again(workplace)
    assert set(read.values()) == {2}


def test_nothing_is_scored_or_written_again_and_all_files_say_the_same(finished, scored):
    before = files(finished)
    after = again(finished)
    assert scored == []
    assert samples(after) == samples(before) != {}
    assert texts(after) == texts(before)


def test_a_report_made_of_the_kept_pass_is_the_one_that_was_made_of_the_answers(finished, scored):
    rendered = ("report", "latest", "--format", "json,html", "-o")
    finished.here(*rendered, "kept", check=0)
    assert scored == []
    sql(finished, "DROP TABLE pass")
    finished.here(*rendered, "made", check=0)
    assert scored
    for name in ("results.json", "report.html"):
        assert (finished.folder / "kept" / name).read_bytes() == (finished.folder / "made" / name).read_bytes()


def test_what_the_baseline_was_asked_twice_is_not_scored_again_either(tmp_path, scored):
    workplace = fitted_out(tmp_path)
    workplace.here(*WORDS, "--noise-floor", "6", check=0)
    before = files(workplace)
    scored.clear()
    assert texts(again(workplace, "--noise-floor", "6")) == texts(before)
    assert scored == []


def test_another_answer_is_scored_and_written(finished, scored):
    before = files(finished)
    answer_otherwise(finished, "something else")
    after = again(finished)
    assert scored
    assert b'"something else"' in b"".join(texts(samples(after)).values())
    assert texts(samples(after)) != texts(samples(before))
    assert after["results.json"] != before["results.json"]


def test_an_answer_that_is_not_as_it_was_written_is_found_all_the_same(finished):
    assert sql(finished, "UPDATE response SET text = 'other' WHERE failure IS NULL")
    done = finished.here(*WORDS)
    assert done.returncode != 0
    assert "damaged" in done.stderr


def test_a_sample_that_is_not_as_it_was_written_is_found_all_the_same(finished):
    assert sql(finished, "UPDATE sample SET body = replace(body, 'What', 'Who')")
    done = finished.here(*WORDS)
    assert done.returncode != 0
    assert "damaged" in done.stderr


def test_by_other_code_everything_is_scored_anew_and_written_in_its_format(finished, scored, monkeypatch):
    before = samples(files(finished))
    state, asked = own_code.state(), sample_files._asked
    monkeypatch.setattr(own_code, "state", lambda: state + " of another day")
    monkeypatch.setattr(sample_files, "_asked", lambda sample, **how: replace(asked(sample, **how), prefix="new"))
    after = samples(again(finished))
    assert scored
    for name, text in texts(after).items():
        lines = [json.loads(line) for line in text.splitlines()]
        assert {line.pop("prefix") for line in lines} == {"new"}
        assert lines == [json.loads(line) for line in before[name][0].splitlines()]


def test_a_harness_need_not_tell_the_task_and_evalkit_s_code_of_what_scores(finished, scored, monkeypatch):
    """As one of another package may, whose author thinks of its own code alone."""
    monkeypatch.setattr(Chat, "score_origin", lambda self, task: "always the same")
    again(finished)
    scored.clear()
    again(finished)
    assert not scored
    state = own_code.state()
    monkeypatch.setattr(own_code, "state", lambda: state + " of another day")
    again(finished)
    assert scored
    scored.clear()
    task = finished.folder / "tasks/pages.toml"
    task.write_text(task.read_text().replace("anls", "exact_match"))
    finished.here(*WORDS, check=0)
    assert scored


def test_a_disk_without_room_for_the_pass_has_the_report_all_the_same(tmp_path, scored, monkeypatch):
    def full(*_):
        raise FullDiskError("no room", fix="make room")

    workplace = fitted_out(tmp_path)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Store, "keep_pass", full)
        workplace.here(*WORDS, check=0)
    before = files(workplace)
    assert "report.html" in before
    scored.clear()
    assert texts(again(workplace)).keys() == before.keys()
    assert scored


def test_a_task_with_another_metric_has_other_scores(finished, scored):
    task, (first,) = finished.folder / "tasks/pages.toml", finished.runs()
    task.write_text(task.read_text().replace("anls", "exact_match"))
    finished.here(*WORDS, check=0)
    assert scored
    (other,) = {*finished.runs()} - {first}
    lines = (other / "samples/cand/pages.jsonl").read_text().splitlines()
    assert {name for line in lines for name in json.loads(line)["scores"]} == {"exact_match"}


def test_a_sample_file_that_was_changed_or_taken_away_is_written_again(finished):
    before, (folder,) = files(finished), finished.runs()
    path = folder / "samples/cand/pages.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"id"', b'"ID"', 1))
    assert texts(again(finished)) == texts(before)
    (folder / "samples/base/pages.jsonl").unlink()
    assert texts(again(finished)) == texts(before)


def test_a_part_that_is_not_as_it_was_kept_is_not_believed(finished, scored):
    before = files(finished)
    for number in (0, 1, 9):
        assert sql(finished, "UPDATE pass SET body = x'00' WHERE number = ?", number) == 1
        assert texts(again(finished)) == texts(before)
        assert scored
        scored.clear()


def test_a_part_that_is_gone_is_missed(finished, scored):
    before = files(finished)
    assert sql(finished, "DELETE FROM pass WHERE number = (SELECT max(number) FROM pass)") == 1
    assert texts(again(finished)) == texts(before)
    assert scored


@pytest.mark.parametrize("place", ["one file is in its place", "nothing is kept"])
def test_killed_while_the_files_are_put_in_their_place_it_ends_as_if_it_had_not_been(
    finished, scored, monkeypatch, place
):
    """What is kept is of files that are there: an answer changed, and the process died before the pass was kept."""
    answer_otherwise(finished, "something else")
    asked = []

    class KilledError(BaseException):
        """Death."""

    def die(*_):
        raise KilledError

    with monkeypatch.context() as dying:
        if place == "nothing is kept":
            dying.setattr(outcomes, "keep", die)
        else:
            unfinished = sample_files.SampleFiles._unfinished

            def until_the_second(self, label, task):
                asked.append(label)
                # Each is asked for when it is begun, and once more when it is put in its place.
                return die() if len(asked) == 4 else unfinished(self, label, task)

            dying.setattr(sample_files.SampleFiles, "_unfinished", until_the_second)
        assert finished.here(*WORDS).returncode != 0
    scored.clear()
    finished.here(*WORDS, check=0)
    assert scored
    after = files(finished)
    assert b'"something else"' in b"".join(texts(samples(after)).values())
    sql(finished, "DROP TABLE pass")
    assert texts(again(finished)) == texts(after)
