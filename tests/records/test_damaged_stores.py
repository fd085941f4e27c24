"""A store that was damaged or is another program's: one clear error, or what was written; never other samples."""

import random
import sqlite3

import pytest

from evalkit.base.errors import EvalkitError, StoreError
from evalkit.base.types import Answer, Failure, FailureKind, Sample, Text
from evalkit.records.store import FILE, RunRow, Store

SAMPLES = [
    Sample(f"s{at}", (Text(f"What is {at} and {at}? " * 9),), [str(2 * at)], cluster=f"c{at % 5}") for at in range(60)
]
RUN = RunRow("20260101-a", "plan", finished=True, body={"notices": ["x" * 300], "plan": {"n": 1}})


def request(at):
    return f"request-{at}"


def outcome(at):
    if at % 7 == 3:
        return Failure(FailureKind.REFUSED, f"refused {at}", 0.5, 2)
    return Answer(f"answer {at} " * (at % 20), "stop", at, 2, 0.25)


def written(folder):
    """A store with everything in it; the key of its listing."""
    with Store(folder) as store:
        listing, _ = store.write_listing([(one, request(at)) for at, one in enumerate(SAMPLES)], note="t")
        for at in range(len(SAMPLES)):
            store.put(request(at), outcome(at), "run")
            store.put_judgement(f"verdict-{at}", {"base": "pass", "note": f"{at}"})
        store.keep_run(RUN)
        for _ in range(3):
            store.next_epoch("model")
    return listing


def look(folder, listing, *, write):
    """Read all of it: what is missing may be (it is asked again), what is there must be what was written."""
    with Store(folder, write=write) as store:
        records = list(store.records(listing, str))
        assert [record.sample for record in records] in ([], SAMPLES)
        for at, record in enumerate(records):
            assert record.outcome in (None, outcome(at))
        for at in range(len(SAMPLES)):
            assert store.judgement(f"verdict-{at}") in (None, {"base": "pass", "note": f"{at}"})
        assert store.latest_run("plan") in (None, RUN)
        assert store.run(RUN.id) in (None, RUN)
        # One that is not found is a model whose answers were never set aside: they are under other fingerprints.
        assert store.epoch("model") in (0, 3)
        if write:
            again, _ = store.write_listing([(one, request(at)) for at, one in enumerate(SAMPLES)], note="t")
            assert again == listing
            assert [record.sample for record in store.records(listing, str)] == SAMPLES
            for at in range(len(SAMPLES)):
                store.put(request(at), outcome(at), "run")


def damage(rng, data):
    kind = rng.choice(["bits", "bytes", "zeros", "page", "swap", "cut", "head"])
    at = rng.randrange(100 if kind == "head" else len(data))
    if kind == "bits":
        data[at] ^= 1 << rng.randrange(8)
    elif kind in {"bytes", "head"}:
        for _ in range(rng.randrange(1, 20)):
            data[(at + rng.randrange(40)) % len(data)] = rng.randrange(256)
    elif kind == "zeros":
        length = min(rng.randrange(1, 600), len(data) - at)
        data[at : at + length] = bytes(length)
    elif kind == "cut":
        del data[at:]
    else:
        one, other = (4096 * rng.randrange(len(data) // 4096) for _ in range(2))
        data[one : one + 4096] = data[other : other + 4096]
        if kind == "swap":
            data[other : other + 4096] = rng.randbytes(4096)


@pytest.mark.parametrize("write", [True, False])
def test_a_damaged_store_is_an_error_or_says_what_was_written(tmp_path, write):
    listing = written(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    rng = random.Random(12)
    told = []
    for trial in range(250):
        data = bytearray(whole)
        damage(rng, data)
        folder = tmp_path / f"{trial}"
        folder.mkdir()
        (folder / FILE).write_bytes(data)
        try:
            look(folder, listing, write=write)
        except EvalkitError as error:
            told.append((error, folder / FILE))
    assert len(told) > 50
    for error, place in told:
        assert str(place) in error.message
        assert "\n" not in error.message
        assert error.fix


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sample SET body = replace(body, 'What', 'That')",
        "DELETE FROM sample WHERE body LIKE '%s17%'",
        "UPDATE response SET text = text || 'x' WHERE failure IS NULL",
        "UPDATE response SET failure = NULL, finish_reason = 'stop'",
        "DELETE FROM listing WHERE position = 59",
        "DELETE FROM listing WHERE position = 5",
        "UPDATE listing SET request = 'request-1' WHERE position = 2",
        "UPDATE verdict SET body = replace(body, 'pass', 'fail')",
        "UPDATE run SET finished = 0",
        "UPDATE epoch SET number = 1",
        "DELETE FROM sealed",
        "DROP TABLE epoch",
        "ALTER TABLE response DROP COLUMN seal",
        "PRAGMA user_version = 2",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 77",
    ],
)
@pytest.mark.parametrize("write", [True, False])
def test_what_was_changed_behind_its_back_is_named(tmp_path, change, write):
    listing = written(tmp_path)
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StoreError, match=FILE):
        look(tmp_path, listing, write=write)


def test_another_programs_database_is_not_written_into(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(StoreError, match="another program's database"):
        Store(tmp_path).__enter__()
    assert (tmp_path / FILE).read_bytes() == before
