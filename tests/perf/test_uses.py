"""Uses: the card's three, the Hub's of text, and those of a user."""

import pytest

from evalkit.base.errors import ConfigError
from evalkit.measuring.uses import built_in, chosen
from evalkit.perf.uses import CARD, use

GOOD = {"name": "glance", "title": "Glance", "prompt_tokens": 4, "output_tokens": 16, "width": 64, "height": 48}


def test_the_cards_three_come_first_in_its_order_and_its_shapes():
    assert tuple(built_in())[:3] == CARD
    assert [one.shape for one in chosen(())] == ["1680W x 2240H 64/128", "640W x 480H 128/128", "480W x 360H 0/128"]


def test_uses_of_text_have_no_picture():
    texts = [one for one in built_in().values() if not one.picture]
    assert {one.name: one.shape for one in texts} == {
        "chat": "512/256",
        "code-completion": "256/1024",
        "rag": "1024/128",
        "summarization": "4096/512",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 63}, "width: is 63; must be even"),
        ({"height": 0}, "height: is missing"),
        ({"output_tokens": 0}, "output_tokens: is 0; must be 1 or more"),
        ({"width": 0, "height": 0, "prompt_tokens": 0}, "a query has to hold something"),
        ({"name": "A b"}, "name: is 'A b'"),
        ({"title": " "}, "title: is empty"),
        ({"tokens": 4}, "tokens: unknown key"),
    ],
)
def test_what_a_use_cannot_be(change, said):
    with pytest.raises(ConfigError, match=said):
        use({**GOOD, **change}, "glance.toml")


def test_the_title_is_no_part_of_what_is_measured():
    assert use({**GOOD, "title": "Other"}, "a").identity == use(GOOD, "b").identity
    assert use({**GOOD, "width": 66}, "a").identity != use(GOOD, "b").identity
