"""Text from outside in Markdown: a real renderer shows it as it was, and acts on nothing in it."""

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evalkit.report import markup
from support.reports import HOSTILE

# As GitHub and the Hub render: raw HTML, tables and strikethrough on.
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
SPICY = st.lists(
    st.sampled_from([*"`*_~[]()<>!|\\#+-=.:&$\"'{}@/ \n\t1a", "www.", "http://", "&lt;", "```", "$$"]), max_size=20
).map("".join)
ANY = st.text(st.characters(codec=None), max_size=30)


class Page(HTMLParser):
    """What a page consists of: its tags, and the text of each cell or paragraph."""

    def __init__(self, markdown):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(MARKDOWN.render(markdown))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in {"p", "td", "th"}:
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data


def shown(text):
    """What a reader is to see of a text."""
    hidden = {"Cc", "Cf", "Cs", "Co"}
    signs = [" " if one in "\t\n\r" else "\ufffd" if unicodedata.category(one) in hidden else one for one in text]
    return " ".join("".join(signs).split())


@settings(max_examples=400)
@given(SPICY | ANY)
@example(HOSTILE)
@example("1. a")
@example("1)")
@example("---")
@example("[x]: http://a")
@example("    code")
def test_a_line_is_read_as_it_was_written(text):
    page = Page(f"before\n\n{markup.escaped(text)}\n\nafter")
    told = [shown(text)] if shown(text) else []
    assert page.tags == ["p"] * (2 + len(told))
    assert [one.strip() for one in page.texts] == ["before", *told, "after"]


@settings(max_examples=300)
@given(st.lists(SPICY | ANY, min_size=2, max_size=4))
@example([HOSTILE, "---", "|", "\\|"])
def test_a_row_keeps_its_cells(cells):
    head = [f"h{number}" for number in range(len(cells))]
    page = Page("\n".join(markup.table(head, [cells])))
    assert set(page.tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert [one.strip() for one in page.texts] == [*head, *map(shown, cells)]


@settings(max_examples=200)
@given(st.lists(SPICY | ANY, min_size=1, max_size=3))
def test_code_cannot_leave_its_block(lines):
    tokens = MARKDOWN.parse("\n".join([*markup.code(lines, "sh"), "", "after"]))
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.count("\n") <= len(lines)  # Markdown ends a line at no other sign


@pytest.mark.parametrize("name", ["explicit_prompt_relaxed_correctness", "96.29% [95.1, 97.4]", "MMMU (val, CoT)", "–"])
def test_what_means_nothing_stays_as_it_is(name):
    assert markup.escaped(name) == name


@pytest.mark.parametrize("text", ["http://evil.example", "www.evil.example", "mail @somebody"])
def test_nothing_becomes_a_link_by_itself(text):
    assert not re.search(r"(?<!\\)://|www\.|(?<!\\)@", markup.escaped(text))
