import re
import time

from hypothesis import given
from hypothesis import strategies as st

from evalkit.report.marks import SHOWN, cut, pieces, visible

WORDS = st.text("ab ,.\n\u05d0", max_size=60)


@given(WORDS, WORDS)
def test_nothing_of_a_text_is_lost(own, other):
    for text, found in zip((own, other), pieces(own, other), strict=True):
        assert "".join(piece.text for piece in found) == text


@given(WORDS, WORDS)
def test_what_is_not_marked_stands_on_both_sides_alike(own, other):
    one, two = (
        re.findall(r"\w+|[^\w\s]", " ".join(piece.text for piece in found if not piece.differs))
        for found in pieces(own, other)
    )
    assert one == two


@given(WORDS)
def test_equal_texts_have_no_marks(text):
    assert not any(piece.differs for found in pieces(text, text) for piece in found)


def test_the_changed_word_alone_is_marked():
    found, _ = pieces("The bar is 12 high.", "The bar is 13 high.")
    assert [piece.text for piece in found if piece.differs] == ["12"]


def test_a_replaced_sentence_is_one_stretch():
    found, _ = pieces("Yes. It was late then. End", "Yes. Nobody came. End")
    assert [piece.text for piece in found if piece.differs] == ["It was late then"]


def test_hidden_signs_are_written_out():
    assert visible("a\u202eb\x00c\u200bd\U000e0041") == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩d⟨U+E0041⟩"
    assert visible("\u2066\u2069 \x1b[2J \ud83d \ufeff") == "⟨U+2066⟩⟨U+2069⟩ ⟨U+001B⟩[2J ⟨U+D83D⟩ ⟨U+FEFF⟩"


@given(st.text())
def test_nothing_that_acts_unseen_stays(text):
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", visible(text))


def test_words_of_any_script_and_joined_emoji_stay_as_they_are():
    text = "ملف שלום नमस्ते\u200d 👩\u200d👩\u200d👧 line\nnext\ttab"
    assert visible(text) == text


def test_a_long_text_is_cut_with_a_count():
    assert cut("x" * SHOWN) == ("x" * SHOWN, "")
    assert cut("x" * (SHOWN + 1234)) == ("x" * SHOWN, "… 1,234 more characters")


def test_two_long_texts_take_no_long_time():
    began = time.process_time()
    found, _ = pieces(("x y " * SHOWN)[:SHOWN], ("y z " * SHOWN)[:SHOWN])
    assert any(piece.differs for piece in found)
    assert time.process_time() - began < 2.0
