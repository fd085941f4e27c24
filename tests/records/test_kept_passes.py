"""Passes over outcomes do not fill the store: the oldest make room for the newest."""

import random

import pytest

from evalkit.records import kept_passes
from evalkit.records.store import Store

SIZE = 20_000
"""About that of a pass in bytes; figures by chance are hardly packed."""


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_passes, "MOST_BYTES", 5 * SIZE // 2)
    with Store(tmp_path) as found:
        yield found


def parts(seed, count=4):
    """Parts of a pass, ``count`` times a quarter of ``SIZE``."""
    draw = random.Random(seed)
    return [draw.randbytes(SIZE // 4).hex() for _ in range(count)]


def test_the_oldest_pass_makes_room_and_one_that_was_kept_again_is_no_old_one(store):
    for at in range(2):
        store.keep_pass(f"pass {at}", "content", parts(at))
    store.keep_pass("pass 0", "other content", parts(9))
    store.keep_pass("pass 2", "content", parts(2))
    assert [store.has_pass(f"pass {at}") for at in range(3)] == [True, False, True]
    assert [*store.kept_pass("pass 0", "other content")] == parts(9)
    assert [*store.kept_pass("pass 2", "content")] == parts(2)


def test_the_newest_stays_however_large_it_is(store):
    store.keep_pass("small", "content", parts(1))
    store.keep_pass("large", "content", parts(2, count=20))
    assert [*store.kept_pass("large", "content")] == parts(2, count=20)
    assert not store.has_pass("small")
