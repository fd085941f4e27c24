"""Entries of a listing in little memory are the same entries."""

from hashlib import sha256

from evalkit.records.listing import Entries, Listed, packed


def digest(text):
    return sha256(text.encode()).hexdigest()


ROWS = [
    (digest("a"), digest("b")),
    (digest("c"), ""),  # a row that cannot be asked
    (digest("d"), "a harness's own"),
    (digest("e").upper(), digest("f")),
    ("ab " * 32, digest("g")[:32]),
    (digest("h"), digest("i")),
]


def test_digests_and_whatever_else_come_back_in_their_order():
    found = Entries(ROWS)
    assert list(found) == [Listed(*row) for row in ROWS]
    assert list(found.requests()) == [request for _, request in ROWS]
    assert (len(found), found[-1], found[2]) == (len(ROWS), Listed(*ROWS[-1]), Listed(*ROWS[2]))
    assert found[1:5:2] == [Listed(*ROWS[1]), Listed(*ROWS[3])]
    assert list(packed(found)) == list(found)


def test_none_is_none():
    assert (len(Entries([])), list(Entries([])), list(Entries([]).requests())) == (0, [], [])
