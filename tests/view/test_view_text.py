"""Text from outside: nothing hidden stays hidden, and differences are marked."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.view.text import SHOWN, pieces, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 漢字 👩‍💻\n\tkept", "plain, ünïcode 漢字 👩‍💻\n\tkept"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩"),
        ("nul\0 escape\x1b[2J", "nul⟨U+0000⟩ escape⟨U+001B⟩[2J"),
        ("half \ud83d", "half ⟨U+D83D⟩"),
        ("tag \U000e0041", "tag ⟨U+E0041⟩"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
    ],
)
def test_signs_that_act_unseen_are_written_out(text, shown):
    assert visible(text) == shown


def marked(own, other):
    return [piece.text for piece in pieces(own, other) if piece.differs]


def test_the_words_that_differ_are_marked():
    assert marked("Final answer: 4 apples", "Final answer: 8 apples") == ["4"]
    assert marked("one two three", "one three") == ["two "]
    assert marked("one three", "one two three") == []


def test_nothing_is_marked_without_another_side():
    assert marked("words", None) == []


@given(st.text("ab \n.", max_size=60), st.text("ab \n.", max_size=60))
def test_the_pieces_are_the_text(own, other):
    found = pieces(own, other)
    assert "".join(piece.text for piece in found) == own
    assert own != other or not any(piece.differs for piece in found)
    assert all(one.differs != two.differs for one, two in pairwise(found))


def test_a_long_text_is_cut_and_takes_no_long_time():
    own, other = "x y " * 250_000, "y z " * 250_000
    began = time.process_time()
    found = pieces(own, other)
    assert sum(len(piece.text) for piece in found) == SHOWN
    assert time.process_time() - began < 2.0
