"""A store of the format before: opened once it is one of today's, and nothing in it was lost or is asked again."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from evalkit.base.errors import EvalkitError, ExitCode, FullDiskError, StoreError
from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.records import formats, storefile
from evalkit.records.store import FILE, Store
from support import keep_store
from support.commands import evalkit
from support.keep_store import asking, baseline, candidate, question, said

KEPT = Path(__file__).parent / "stores/format_3"
MESSAGES = {"HTTP 400: This model's maximum context length is 8 tokens.", "HTTP 500: the engine died"}


@pytest.fixture
def place(tmp_path):
    """A folder with a copy of the store, in its place, and with what its run was given."""
    for name in keep_store.KEPT:
        shutil.copy(KEPT / name, tmp_path / name)
    (tmp_path / "runs").mkdir()
    (tmp_path / FILE).rename(tmp_path / "runs" / FILE)
    return tmp_path


def rows(folder, query):
    connection = sqlite3.connect(folder / FILE)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def version(folder):
    return rows(folder, "PRAGMA user_version")[0][0]


def outcomes(folder, *, write):
    """Everything under every fingerprint."""
    keys = [key for (key,) in rows(folder, "SELECT fingerprint FROM response")]
    with Store(folder, write=write) as store:
        return store.outcomes(keys)


def test_the_kept_store_is_of_the_format_before():
    assert version(KEPT) == 3 < formats.VERSION


def test_it_opens_and_is_brought_to_today_once(place):
    runs = place / "runs"
    before = outcomes(runs, write=False)
    assert {one.message for one in before.values() if isinstance(one, Failure)} == MESSAGES
    assert sum(isinstance(one, Answer) for one in before.values()) == len(before) - 3
    assert outcomes(runs, write=True) == before
    assert version(runs) == formats.VERSION
    kept = "SELECT * FROM response ORDER BY fingerprint"
    moved = rows(runs, kept)
    assert {row for (row,) in rows(runs, "SELECT message FROM response WHERE failure IS NOT NULL")} == MESSAGES
    assert rows(runs, "SELECT COUNT(*) FROM response WHERE failure IS NOT NULL AND text IS NOT NULL") == [(0,)]
    assert outcomes(runs, write=True) == outcomes(runs, write=False) == before
    assert rows(runs, kept) == moved
    with Store(runs) as store:
        assert store.judgement(keep_store.JUDGED[0]) == keep_store.JUDGED[1]
        assert store.epoch(keep_store.SET_ASIDE) == 1


def test_the_same_command_asks_nothing_that_was_answered(place):
    asked = []

    def noted(part):
        def reply(request):
            asked.append((request.model, question(request)))
            return part(request)

        return reply

    with chdir(place), asking("runs", noted(baseline), noted(candidate)) as (_, _, words):
        ended = evalkit(*words)
    assert ended.code == ExitCode.INCOMPLETE, ended.err
    # A server that evalkit did not start is asked again what it refused, and what failed; with that the noise floor's.
    assert {one for one in asked if one[0] == "cand"} == set()
    assert {number for _, number in asked} == {keep_store.REFUSED, keep_store.FAILED}
    kept = [json.loads(line) for line in (place / "samples.jsonl").read_text().splitlines()]
    assert [as_then(line) for line in said(place / "runs")] == kept


def as_then(line):
    """A line with what a score had when the store was kept."""
    then = ("value", "parsed", "note", "left_out")
    scores = {name: {key: score[key] for key in then} for name, score in line.get("scores", {}).items()}
    return {**line, "scores": scores} if scores else line


def test_its_report_is_made_from_a_copy_that_is_only_read(place):
    before = (place / "runs" / FILE).read_bytes()
    with chdir(place):
        ended = evalkit("report", "latest", "--runs", "runs", "--output", "again", "--format", "json,html")
    assert ended.code == 0, ended.err
    (row,) = json.loads((place / "again/results.json").read_text())["tasks"]
    assert row["scores"]["base"]["failures"] == {"bad_row": 1, "refused": 1, "server_error": 1}
    assert (place / "runs" / FILE).read_bytes() == before
    assert version(place / "runs") == 3


def test_a_row_that_was_damaged_before_is_named_after(place):
    runs = place / "runs"
    with sqlite3.connect(runs / FILE) as connection:
        connection.execute("UPDATE response SET text = 'HTTP 418' WHERE failure = 'server_error'")
        ((key,),) = connection.execute("SELECT fingerprint FROM response WHERE failure = 'server_error'").fetchall()
    with Store(runs) as store, pytest.raises(StoreError, match="a row of 'response'"):
        store.outcome(key)


def in_a_process(folder, code):
    """Run a program in the folder of the store, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=folder, capture_output=True, text=True, check=False
    )


KILLED = """
    import os, signal
    from pathlib import Path
    from evalkit.records import formats
    from evalkit.records.store import Store
    moving = formats._move_messages
    def killed(connection):
        moving(connection)
        assert connection.execute("SELECT COUNT(*) FROM response WHERE message IS NOT NULL").fetchone()[0] == 3
        os.kill(os.getpid(), signal.SIGKILL)
    formats._move_messages = killed
    Store(Path()).__enter__()
"""


def test_a_kill_in_the_middle_leaves_the_store_as_it_was(place):
    runs = place / "runs"
    before = outcomes(runs, write=False)
    done = in_a_process(runs, KILLED)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert version(runs) == 3
    assert outcomes(runs, write=False) == before
    assert outcomes(runs, write=True) == before
    assert version(runs) == formats.VERSION


WAITING = """
    import sys
    from pathlib import Path
    from evalkit.records import formats
    from evalkit.records.store import Store
    moving = formats._move_messages
    def slow(connection):
        moving(connection)
        print("in the middle", flush=True)
        sys.stdin.readline()
    formats._move_messages = slow
    with Store(Path()):
        print("done", flush=True)
"""


def test_of_two_processes_at_once_one_brings_it_and_the_other_writes_nothing(place):
    runs = place / "runs"
    before = outcomes(runs, write=False)
    command = [sys.executable, "-c", textwrap.dedent(WAITING)]
    with (
        subprocess.Popen(command, cwd=runs, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first,
        Store(runs, write=False) as reader,
    ):
        assert first.stdout.readline() == "in the middle\n"
        with pytest.raises(StoreError, match=f"in use by process {first.pid}"):
            Store(runs).__enter__()
        # Who only reads has the old state until all of it is done, and the new one from then on.
        assert reader.outcomes(list(before)) == before
        first.stdin.write("on\n")
        first.stdin.flush()
        assert first.stdout.readline() == "done\n"
        assert reader.outcomes(list(before)) == before
        assert {row for (row,) in rows(runs, "SELECT message FROM response WHERE failure IS NOT NULL")} == MESSAGES
    assert first.returncode == 0
    assert outcomes(runs, write=True) == before


READ_ONLY = """
    import os, sys
    from pathlib import Path
    from evalkit.base.errors import EvalkitError
    from evalkit.records.store import Store
    if os.geteuid() == 0:
        os.setuid(65534)
    with Store(Path(), write=False) as store:
        keys = [key for (key,) in store._connection.execute("SELECT fingerprint FROM response")]
        print(len(store.outcomes(keys)))
    try:
        Store(Path()).__enter__()
    except EvalkitError as error:
        print(error.message)
"""


def test_a_store_that_cannot_be_written_is_read_as_it_is():
    # Where whoever runs the tests may write everything, the program gives that up: the way to the file must be open.
    with TemporaryDirectory() as name:
        runs = Path(name)
        shutil.copy(KEPT / FILE, runs / FILE)
        (runs / FILE).chmod(0o444)
        runs.chmod(0o555)
        try:
            done = in_a_process(runs, READ_ONLY)
        finally:
            runs.chmod(0o755)
        assert done.returncode == 0, done.stderr
        count, told = done.stdout.splitlines()
        assert int(count) == len(rows(runs, "SELECT 1 FROM response"))
        assert "Permission denied" in told
        assert version(runs) == 3


def with_failures(folder, count):
    """Add failures as format 3 has them, so that bringing them to today takes room."""
    with sqlite3.connect(folder / FILE) as connection:
        for number in range(count):
            row = (f"more{number}", "deadline", f"slow {number} " * 90, None, None, None, 0.5, 1, "run", None)
            connection.execute(
                "INSERT INTO response VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, storefile.seal(*row))
            )


def unsealed(folder):
    """Make it a store of format 2."""
    with sqlite3.connect(folder / FILE) as connection:
        for table in storefile.SEALED:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN seal")
        connection.execute("DROP TABLE sealed")
        connection.execute("PRAGMA user_version=2")
        connection.commit()
        connection.execute("VACUUM")


def test_a_full_disk_leaves_the_store_as_it_was(place, monkeypatch):
    runs = place / "runs"
    with_failures(runs, 600)
    unsealed(runs)
    before = outcomes(runs, write=False)
    pages = rows(runs, "PRAGMA page_count")[0][0]
    connected = Store._connected

    def small(store):
        connection = connected(store)
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(Store, "_connected", small)
        with pytest.raises(FullDiskError, match="full") as caught:
            Store(runs).__enter__()
    assert "room" in caught.value.fix
    assert version(runs) == 2
    assert outcomes(runs, write=False) == before
    assert outcomes(runs, write=True) == before
    assert version(runs) == formats.VERSION


LIMITED = """
    import resource, signal
    from pathlib import Path
    from evalkit.base.errors import EvalkitError
    from evalkit.records.store import Store
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        Store(Path()).__enter__()
    except EvalkitError as error:
        print(error.message, error.fix)
"""


def test_a_file_that_may_not_grow_leaves_the_store_as_it_was(place):
    runs = place / "runs"
    with_failures(runs, 600)
    before = outcomes(runs, write=False)
    assert "ulimit -f" in in_a_process(runs, LIMITED).stdout
    assert version(runs) == 3
    assert outcomes(runs, write=False) == before
    assert outcomes(runs, write=True) == before


def test_an_older_one_goes_all_the_way(place):
    runs = place / "runs"
    before = outcomes(runs, write=False)
    unsealed(runs)
    assert outcomes(runs, write=False) == outcomes(runs, write=True) == before
    assert version(runs) == formats.VERSION


def test_a_failure_and_an_answer_have_columns_of_their_own(tmp_path):
    with Store(tmp_path) as store:
        store.put("failed", Failure(FailureKind.REFUSED, "no \ud800"), "run")
        store.put("answered", Answer("no", "stop", 1, 1, 0.5), "run")
        assert store.outcome("failed") == Failure(FailureKind.REFUSED, "no ?")
    found = rows(tmp_path, "SELECT fingerprint, failure, text, message FROM response ORDER BY fingerprint")
    assert found == [("answered", None, "no", None), ("failed", "refused", None, "no ?")]
    for change in ("text = message, message = NULL", "message = 'yes'", "message = NULL"):
        with sqlite3.connect(tmp_path / FILE) as connection:
            connection.execute(f"UPDATE response SET {change} WHERE fingerprint = 'failed'")
        with Store(tmp_path) as store, pytest.raises(EvalkitError, match="damaged"):
            store.outcome("failed")
        with Store(tmp_path) as store:
            store.put("failed", Failure(FailureKind.REFUSED, "no ?"), "run")
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("UPDATE response SET message = text, text = NULL WHERE fingerprint = 'answered'")
    with Store(tmp_path) as store, pytest.raises(EvalkitError, match="damaged"):
        store.outcome("answered")
