import pytest

from evalkit.cards import audit, card
from evalkit.cards.text import MOST_ROWS, MOST_TABLES

GOOD = "Task | A | B | Recovery\n-|-|-|-\nMMLU | 71.40 | 70.50 | 98.74\n\n"


def test_every_table_is_read_and_places_say_where():
    found = audit(card("# A card\n\n" + GOOD + "Words.\n" + GOOD.replace("98.74", "97.74")))
    assert [(one.table, one.printed) for one in found.findings] == [("table 2 (line 8)", "97.74")]


def test_a_text_without_tables_is_an_empty_card():
    found = card("nothing | here\nbut words")
    assert (found.accuracy, found.costs, found.notices) == ((), (), ())


def test_a_title_over_the_headings_is_left_out():
    text = (
        '<table><tr><td colspan="4">Results</td></tr><tr><td>Task</td><td>A</td><td>B</td><td>Recovery</td></tr>'
        "<tr><td>MMLU</td><td>71.40</td><td>70.50</td><td>98.74</td></tr></table>"
    )
    (found,) = card(text).accuracy
    assert (found.models, [row.name for row in found.rows]) == (("A", "B"), ["MMLU"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD * (MOST_TABLES + 1), f"only the first {MOST_TABLES} tables"),
        (GOOD.strip() + "\n" + "MMLU | 1 | 1 | 100\n" * MOST_ROWS, f"only the first {MOST_ROWS} rows"),
    ],
)
def test_what_was_cut_is_said(text, said):
    assert any(said in notice for notice in card(text).notices)


@pytest.mark.parametrize(
    "text",
    [
        GOOD * (MOST_TABLES + 2),
        GOOD.strip() + "\n" + "MMLU | 71.40 | 70.50 | 98.74\n" * (MOST_ROWS + 1),
        "<table><tr><td>Task</td><td>A</td><td>B</td><td>Recovery</td></tr>"
        + "<tr><td>MMLU</td><td>71.40</td><td>70.50</td><td>98.74</td></tr>" * (MOST_ROWS + 1)
        + "</table>",
    ],
    ids=["tables", "rows", "rows of HTML"],
)
def test_what_was_cut_is_counted_as_not_checked(text):
    cut = [one.row for one in audit(card(text)).unchecked]
    assert len(cut) == 2, cut
