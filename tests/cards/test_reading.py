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


def test_tables_in_blocks_of_code_are_counted_as_not_checked():
    block = f"```python\n{GOOD.strip()}\n```\n"
    found = audit(card(GOOD + block + block))
    assert (found.checked, found.findings) == (1, ())
    assert [(one.row, one.reason) for one in found.unchecked] == [
        ("block 1", "a table inside a block of code"),
        ("block 2", "a table inside a block of code"),
    ]
    assert found.notices == ("2 tables inside code blocks were not read",)
    assert audit(card(GOOD + block)).notices == ("1 table inside code blocks was not read",)


@pytest.mark.parametrize("times", ["x", ""])
def test_rates_with_a_k_and_a_unit_stand_in_a_row(times):
    head = "| Metric | Nova BF16 | Nova INT8 | Speedup |\n|---|---|---|---|\n"
    row = "| Throughput | 950 tok/s | 1.40k tok/s | {} |\n"
    found = audit(card(head + row.format(f"1.47{times}")))
    assert (found.checked, found.findings, found.unchecked) == (1, (), ())
    (finding,) = audit(card(head + row.format(f"1.74{times}"))).findings
    assert (finding.right, [ref.text for ref in finding.rests]) == ("1.47", ["950 tok/s", "1.40k tok/s"])


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
    "text", [GOOD * MOST_TABLES, GOOD.strip() + "\n" + "MMLU | 71.40 | 70.50 | 98.74\n" * (MOST_ROWS - 1)]
)
def test_what_just_fits_is_not_said_to_be_cut(text):
    found = card(text)
    assert (found.notices, found.unchecked) == ((), ())


def test_columns_of_blanks_beyond_the_limit_are_counted():
    rows = "".join(f"task {at:04}  71.40  70.50  98.74%\n" for at in range(MOST_ROWS + 3))
    found = audit(card("Task       BF16   FP8    Recovery\n" + rows))
    assert (found.checked, len(found.unchecked)) == (MOST_ROWS, 3)


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
