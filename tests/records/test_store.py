import json
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from evalkit.base.errors import ExitCode, FullDiskError, OutputError, StoreError
from evalkit.base.identity import digest
from evalkit.base.types import Answer, Elsewhere, Failure, FailureKind, Image, Sample, Text, Turn
from evalkit.records import formats
from evalkit.records.responses import is_final, settled
from evalkit.records.store import FILE, RunRow, Store
from evalkit.records.storefile import SEALED

ANSWER = Answer("B", "stop", 10, 2, 0.5)


def sample(number, text="what?"):
    return Sample(f"s{number}", (Image.of(b"pixels"), Text(text)), ["yes"], cluster="c")


def identity(request):
    return f"print-{request}"


def test_an_answer_survives_closing(tmp_path):
    with Store(tmp_path) as store:
        store.put("a", ANSWER, "run")
    with Store(tmp_path) as store:
        assert store.outcome("a") == ANSWER
        assert store.outcome("b") is None


def test_null_content_comes_back_as_none_and_empty_text_as_empty(tmp_path):
    with Store(tmp_path) as store:
        store.put("null", Answer(None, "stop", 1, 0, 0.1), "run")
        store.put("empty", Answer("", "stop", 1, 0, 0.1), "run")
        assert store.outcome("null").text is None
        assert store.outcome("empty").text == ""


def test_an_answer_is_never_replaced_and_a_failure_is(tmp_path):
    with Store(tmp_path) as store:
        store.put("a", Failure(FailureKind.DEADLINE, "slow"), "run")
        store.put("a", ANSWER, "run")
        store.put("a", Failure(FailureKind.DEADLINE, "slow"), "run")
        assert store.outcome("a") == ANSWER


def test_several_outcomes_are_kept_all_or_none(tmp_path):
    slow = Failure(FailureKind.DEADLINE, "slow")
    with Store(tmp_path) as store:
        store.put("a", ANSWER, "run")
        store.put_all([("a", slow), ("b", ANSWER), ("c", slow)], "run")
        assert store.outcomes(["a", "b", "c"]) == {"a": ANSWER, "b": ANSWER, "c": slow}
        with pytest.raises(AttributeError):
            store.put_all([("d", ANSWER), ("e", "no outcome")], "run")
        assert store.outcomes(["d", "e"]) == {}
        store.put("e", ANSWER, "run")  # what failed left nothing open
        assert store.outcome("e") == ANSWER


def test_samples_are_found_by_their_keys(tmp_path):
    with Store(tmp_path) as store:
        _, entries = store.write_listing([(sample(number), f"r{number}") for number in range(1200)], note="t")
        keys = [entry.sample for entry in entries]
        assert [one.id for one in store.samples(keys).values()] == [f"s{number}" for number in range(1200)]
        assert store.samples([keys[7]])[keys[7]] == store.sample(keys[7])
        with pytest.raises(StoreError):
            store.samples([keys[0], "nobody's"])


@pytest.mark.parametrize("kind", list(FailureKind))
def test_only_final_failures_are_settled(tmp_path, kind):
    with Store(tmp_path) as store:
        store.put("a", Failure(kind, "why"), "run")
        assert settled(store.outcome("a")) == (kind in {FailureKind.REFUSED, FailureKind.BAD_ROW})


def test_a_lone_surrogate_can_be_stored(tmp_path):
    with Store(tmp_path) as store:
        store.put("a", Answer("ok \ud800", "stop", 1, 1, 0.1), "run")
        assert store.outcome("a").text == "ok ?"


def test_records_come_in_order_with_their_outcomes_and_without_image_bytes(tmp_path):
    with Store(tmp_path) as store:
        listing, entries = store.write_listing([(sample(1), "r1"), (sample(2), "r2")], note="t")
        store.put("print-r2", ANSWER, "run")
        first, second = store.records(listing, identity)
    assert [entry.request for entry in entries] == ["r1", "r2"]
    assert (first.outcome, second.outcome) == (None, ANSWER)
    assert second.sample.content == (Image(b"", Image.of(b"pixels").sha256), Text("what?"))
    assert second.sample.references == ["yes"]
    assert second.sample.cluster == "c"


def test_a_row_that_cannot_be_asked_keeps_its_place(tmp_path):
    bad = Sample("row-000000", (Text("no image"),), None)
    with Store(tmp_path) as store:
        listing, _ = store.write_listing([(bad, ""), (sample(1), "r1")], note="t")
        first, second = store.records(listing, identity)
    assert first.outcome == Failure(FailureKind.BAD_ROW, "no image")
    assert second.outcome is None


def test_the_same_samples_are_the_same_listing_and_are_stored_once(tmp_path):
    rows = [(sample(1), "r1"), (sample(2), "r2")]
    with Store(tmp_path) as store:
        first, _ = store.write_listing(rows, note="t")
        again, _ = store.write_listing(rows, note="t")
        other, _ = store.write_listing([(sample(1), "r1"), (sample(2, "how?"), "r3")], note="t")
    assert first == again != other
    counted = sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM sample").fetchone()
    assert counted == (3,)


def test_an_iterator_that_fails_leaves_no_half_listing(tmp_path):
    def broken():
        yield sample(1), "r1"
        raise RuntimeError("disk")

    with Store(tmp_path) as store, pytest.raises(RuntimeError, match="disk"):
        store.write_listing(broken(), note="t")
    assert sqlite3.connect(tmp_path / FILE).execute("SELECT count(*) FROM sample").fetchone() == (0,)


def test_the_latest_run_of_a_plan(tmp_path):
    with Store(tmp_path) as store:
        store.keep_run(RunRow("20260101-a", "plan", finished=True, body={"x": 1}))
        store.keep_run(RunRow("20260102-b", "plan", finished=False, body={}))
        store.keep_run(RunRow("20260103-c", "other", finished=False, body={}))
        assert store.latest_run("plan").id == "20260102-b"
        assert store.run("20260101-a").body == {"x": 1}
        assert store.latest_run("none") is None


def test_a_new_epoch_is_counted_per_identity(tmp_path):
    with Store(tmp_path) as store:
        assert [store.epoch("m"), store.next_epoch("m"), store.next_epoch("m"), store.epoch("n")] == [0, 1, 2, 0]


def test_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path):
    with Store(tmp_path):
        code = (
            "import sys; from pathlib import Path\n"
            "from evalkit.records.store import Store\n"
            "from evalkit.base.errors import ExitCode, OutputError, StoreError\n"
            "try:\n    Store(Path(sys.argv[1])).__enter__()\nexcept StoreError as error:\n    print(error.message)"
        )
        said = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert f"in use by process {os.getpid()}" in said.stdout
        with Store(tmp_path, write=False) as reader:
            assert reader.outcome("a") is None
    with Store(tmp_path):
        pass


def test_a_killed_writer_frees_the_store_and_loses_nothing_committed(tmp_path):
    code = (
        "import sys, os, signal; from pathlib import Path\n"
        "from evalkit.records.store import Store; from evalkit.base.types import Answer\n"
        "store = Store(Path(sys.argv[1])).__enter__()\n"
        "for n in range(500): store.put(str(n), Answer(str(n), 'stop', 1, 1, 0.1), 'run')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    with Store(tmp_path) as store:
        assert [store.outcome(str(n)).text for n in range(500)] == [str(n) for n in range(500)]


def test_a_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database at all, but long enough to look at" * 10)
    with pytest.raises(StoreError, match=FILE), Store(tmp_path):
        pass


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(OutputError) as caught, Store(tmp_path / "runs"):
        pass
    assert "--output" in caught.value.fix
    assert caught.value.exit_code == ExitCode.USAGE


def put_all(store, answers):
    for key, answer in answers.items():
        store.put(key, answer, "run")


def test_a_full_disk_is_one_clear_error(tmp_path):
    with Store(tmp_path) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count={pages + 4}")
        answers = {str(number): Answer("x" * 2000, "stop", 1, 1, 0.1) for number in range(1000)}
        with pytest.raises(FullDiskError, match="full") as caught:
            put_all(store, answers)
        assert "room" in caught.value.fix
        assert caught.value.exit_code == ExitCode.INFRASTRUCTURE
        assert store.outcome("0") is not None


def test_a_newer_format_is_refused(tmp_path):
    with Store(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version=99")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="newer"), Store(tmp_path):
        pass


def test_reading_where_nothing_is(tmp_path):
    with pytest.raises(StoreError, match="no store"), Store(tmp_path / "none", write=False):
        pass


def test_reading_a_file_in_which_nothing_was_kept(tmp_path):
    (tmp_path / FILE).touch()
    with pytest.raises(StoreError, match="nothing was ever kept") as caught, Store(tmp_path, write=False):
        pass
    assert "--runs" in caught.value.fix
    with Store(tmp_path):
        pass
    with Store(tmp_path, write=False) as store:
        assert store.run_ids() == []


def test_references_of_any_json_shape_come_back(tmp_path):
    shapes = [["a", 1, None], {"answer": "x"}, "text", 3.5, [{"answer": "yes", "answer_id": 1}]]
    with Store(tmp_path) as store:
        listing, _ = store.write_listing(
            [(Sample(str(n), (Text("q"),), shape), f"r{n}") for n, shape in enumerate(shapes)], note="t"
        )
        assert [record.sample.references for record in store.records(listing, identity)] == json.loads(
            json.dumps(shapes)
        )


def of_format_1(folder, *rows):
    """A store as the first format had it, with some responses: fingerprint, failure, text, finish reason."""
    with Store(folder) as store:
        path = store.path
    with sqlite3.connect(path) as connection:
        for table in SEALED:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN seal")
        connection.execute("DROP TABLE sealed")
        connection.execute("ALTER TABLE response DROP COLUMN elsewhere")
        connection.execute("ALTER TABLE response DROP COLUMN message")
        connection.executemany("INSERT INTO response VALUES (?, ?, ?, ?, 10, 2, 0.5, 1, 'run')", rows)
        connection.execute("PRAGMA user_version=1")
    return folder


KEPT = [
    ("whole", None, "B", "stop"),
    ("long", None, "B B", "length"),
    ("old", None, "B", None),
    ("cut", None, "seve", "abort"),
    ("taken", None, "", "content_filter"),
    ("late", "deadline", "slow", None),
]
JUDGED = {"cut": FailureKind.CUT_OFF, "taken": FailureKind.CONTENT_FILTER, "late": FailureKind.DEADLINE}


def test_answers_that_their_server_had_ended_are_withdrawn_when_a_store_is_opened(tmp_path):
    with Store(of_format_1(tmp_path, *KEPT)) as store:
        assert store.withdrawn == 2
        assert {key: store.outcome(key).kind for key in JUDGED} == JUDGED
        assert store.outcome("whole") == ANSWER
        assert store.outcome("old").finish_reason is None
        store.put("cut", ANSWER, "run")  # asked again
    with Store(tmp_path) as store:
        assert store.withdrawn == 0
        assert store.outcome("cut") == ANSWER
    # What was there has a seal now: what changes from here on is seen.
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE response SET text = 'C' WHERE fingerprint = 'whole'")
    with Store(tmp_path) as store, pytest.raises(StoreError, match="a row of 'response'"):
        store.outcome("whole")


def test_a_store_of_format_1_is_read_as_it_is_and_judged_alike(tmp_path):
    with Store(of_format_1(tmp_path, *KEPT), write=False) as store:
        assert {key: store.outcome(key).kind for key in JUDGED} == JUDGED
        assert store.outcome("whole") == ANSWER
    with sqlite3.connect(tmp_path / FILE) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


def test_an_ending_that_is_an_answers_no_more_is_a_failure_that_is_asked_again(tmp_path):
    with Store(tmp_path) as store:
        store.put("old", Answer("B", "function_call", 10, 2, 0.5), "run")
        store.put("whole", ANSWER, "run")
        store.put("unsaid", Answer("B", None, 10, 2, 0.5), "run")
        found = store.outcome("old")
        assert (found.kind, "function_call" in found.message) == (FailureKind.CUT_OFF, True)
        assert store.kinds(["old", "whole", "unsaid", "none"]) == {
            "old": FailureKind.CUT_OFF,
            "whole": None,
            "unsaid": None,
        }
        store.put("old", ANSWER, "run")
        store.put("whole", Failure(FailureKind.DEADLINE, "slow"), "run")
        assert store.outcome("old") == store.outcome("whole") == ANSWER
        assert store.kinds(["old"]) == {"old": None}


def test_opening_a_large_store_of_an_earlier_format_says_how_far_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_TOLD_EVERY", 2)
    said = []
    with Store(of_format_1(tmp_path, *KEPT[:3], KEPT[-1]), tell=said.append) as store:
        assert store.outcome("whole") == ANSWER
    what = "a store of an earlier evalkit gets its seals, once"
    assert said == [f"{what}: 2 of 4 rows", f"{what}: 4 of 4 rows"]
    with Store(tmp_path, tell=said.append):
        assert len(said) == 2


def test_text_that_stood_elsewhere_is_kept_with_its_answer(tmp_path):
    answer = Answer(None, "length", 10, 2, 0.5, elsewhere=Elsewhere("reasoning", "so \ud800 seven"))
    with Store(tmp_path) as store:
        store.put("a", answer, "run")
        assert store.outcome("a") == answer


@pytest.mark.parametrize("use", [lambda store: store.put("a", ANSWER, "run"), lambda store: store.next_epoch("m")])
def test_a_fault_of_the_code_around_it_is_not_told_as_one_of_the_store(tmp_path, use):
    with Store(tmp_path) as store, ThreadPoolExecutor(1) as other:
        fault = other.submit(use, store).exception()
    assert isinstance(fault, sqlite3.ProgrammingError)


def test_kinds_of_outcomes_and_outcomes_are_found_among_many(tmp_path):
    with Store(tmp_path) as store:
        for number in range(0, 1200, 3):
            store.put(f"key{number}", ANSWER, "run")
        store.put("key1", Failure(FailureKind.REFUSED, "no"), "run")
        store.put("key2", Failure(FailureKind.SERVER_ERROR, "no"), "run")
        keys = [f"key{number}" for number in range(1200)]
        found = store.kinds(keys)
        assert len(found) == 402
        assert {key for key in found if is_final(found[key])} == {key for key in keys if settled(store.outcome(key))}
        assert (found["key1"], found["key2"]) == (FailureKind.REFUSED, FailureKind.SERVER_ERROR)
        assert store.outcomes(keys) == {key: store.outcome(key) for key in found}
        assert store.kinds([]) == store.outcomes([]) == {}


def test_a_full_disk_is_named_also_where_sqlite_has_rolled_back_by_itself(tmp_path):
    with Store(tmp_path) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count={pages + 4}")
        store._connection.execute("PRAGMA cache_size=4")
        planned = ((Sample(str(at), (Text("x" * 9000),), ("7",)), str(at)) for at in range(1000))
        with pytest.raises(FullDiskError, match="full"):
            store.write_listing(planned, note="doc")


def test_a_file_that_may_not_grow_is_told_with_what_stops_it(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from evalkit.base.errors import InfrastructureError\n"
        "from evalkit.records.store import Store\n"
        "from evalkit.base.types import Answer\n"
        "with Store(Path(sys.argv[1])) as store:\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "    try:\n"
        "        for number in range(100):\n"
        "            store.put(str(number), Answer('x' * 9000, 'stop', 1, 1, 0.1), 'run')\n"
        "    except InfrastructureError as error:\n"
        "        print(error.message, error.fix)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert "store.sqlite3: " in done.stdout, done.stderr
    assert "ulimit -f" in done.stdout
    assert "rollback" not in done.stdout


@pytest.mark.parametrize(
    "damage",
    [
        "INSERT INTO listing SELECT listing, 7, sample, request FROM listing WHERE position = 0",
        "DELETE FROM listing WHERE position = 1",
        "UPDATE listing SET position = 9 WHERE position = 0",
    ],
)
def test_a_damaged_list_of_samples_hands_out_none(tmp_path, damage):
    with Store(tmp_path) as store:
        planned = [(Sample(str(at), (Text("q"),), ("7",)), str(at)) for at in range(3)]
        listing, entries = store.write_listing(planned, note="doc")
        store._connection.execute(damage)
        with pytest.raises(StoreError, match="list of samples is damaged"):
            next(store.records(listing, str))
    assert len(entries) == 3


def test_earlier_messages_come_back_and_change_no_key_of_a_sample_without_them(tmp_path):
    plain = Sample("s", (Text("what?"),), ["yes"])
    shots = (Turn("system", (Text("Be short."),)), Turn("user", (Image.of(b"pixels"), Text("1+0?"))))
    with Store(tmp_path) as store:
        _, (old, new) = store.write_listing([(plain, "a"), (replace(plain, turns=shots, prefix="So"), "b")], note="t")
        kept = store.sample(new.sample)
        assert (kept.turns[0], kept.prefix) == (shots[0], "So")
        assert kept.turns[1].content[0].sha256 == shots[1].content[0].sha256
        # Written down before samples had turns.
        assert old.sample == digest({"id": "s", "content": ["what?"], "references": ["yes"], "cluster": None})
        assert store.sample(old.sample) == plain
