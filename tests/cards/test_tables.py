import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.cards.text import MOST_ROWS, contents
from evalkit.cards.text.table import MOST_COLUMNS, plain


def tables(text):
    return contents(text).tables


def cells(text):
    (table,) = tables(text)
    return [row.cells for row in table.rows]


def test_a_markdown_table_with_and_without_outer_pipes():
    wanted = [("Task", "A", "B"), ("MMLU", "1", "2"), ("GSM8K", "3", "4")]
    assert cells("| Task | A | B |\n|:--|--:|:-:|\n| MMLU | 1 | 2 |\n| GSM8K | 3 | 4 |\n") == wanted
    assert cells("Task | A | B\n---|---|---\nMMLU | 1 | 2\nGSM8K | 3 | 4\n\nafter | it\n") == wanted


def test_rows_and_heading_that_are_broken_over_lines():
    text = (
        "Kind | Metric |\nA | B |\n---|---|---|---|\nVision | first\nline of | 48.00 |\n46.22 |\n"
        "Text | MMLU | 1 | 2 |\nthe end\n"
    )
    assert cells(text) == [
        ("Kind", "Metric", "A", "B"),
        ("Vision", "first line of", "48.00", "46.22"),
        ("Text", "MMLU", "1", "2"),
    ]


def test_a_short_row_is_filled_and_does_not_swallow_the_next():
    assert cells("a | b | c\n---|---|---\nx | 1 |\ny | 2 | 3 |\n")[1:] == [("x", "1", ""), ("y", "2", "3")]
    assert cells("|a|b|c|\n|-|-|-|\n|x|\n|y|\n")[1:] == [("x", "", ""), ("y", "", "")]


def test_an_escaped_pipe_is_text():
    assert cells("a | b\n---|---\nx \\| y | 1\n")[1] == ("x | y", "1")


def test_html_with_spans_and_without_closing_tags():
    text = """
<table border="1"><thead>
<tr><th rowspan=2>Hardware<th colspan="2">Use<br>64/128
<tr><th>Latency (s)<th>QPD
</thead><tbody>
<tr><td rowspan="2"><b>A6000</b></td><td>5.7</td><td>796</td></tr>
<tr><td>3.7<td>1&#50;20
</table>"""
    assert cells(text) == [
        ("Hardware", "Use 64/128", "Use 64/128"),
        ("Hardware", "Latency (s)", "QPD"),
        ("A6000", "5.7", "796"),
        ("A6000", "3.7", "1220"),
    ]
    assert [row.head for row in tables(text)[0].rows] == [True, True, False, False]


def test_tables_come_in_the_order_of_the_text_with_their_lines():
    text = "a|b\n-|-\n1|2\n\n<table><tr><td>3</td></tr></table>\n\nc|d\n-|-\n4|5\n"
    assert [(table.line, table.loose) for table in tables(text)] == [(1, True), (5, False), (7, True)]


def test_comments_and_closed_code_blocks_hold_no_tables():
    text = "<!--\na|b\n-|-\n1|2\n-->\n```bash\na|b\n-|-\n1|2\n```\nc|d\n-|-\n3|4\n"
    (table,) = tables(text)
    assert (table.line, table.rows[1].cells) == (11, ("3", "4"))


def test_a_fence_that_is_never_closed_hides_nothing():
    assert cells("``` tool --data\na|b\n-|-\n1|2\n")[1] == ("1", "2")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("**48.00**", "48.00"),
        ("_48.00_", "48.00"),
        ("`explicit_prompt_relaxed_correctness`", "explicit_prompt_relaxed_correctness"),
        ("[model](https://example.org/a_b)", "model"),
        ("![badge](x.png) MMLU", "MMLU"),
        ("70.07<sup>1</sup>", "70.07"),
        ("one<br/>two", "one two"),
        ("<strong>A</strong>&nbsp;&amp;", "A &"),
        ("\\*\\*", "**"),
        ("red\x1b[31m\u202etext", "red [31m text"),
    ],
)
def test_a_cell_becomes_plain_words(cell, text):
    assert plain(cell) == text


def test_sizes_are_bounded():
    (wide,) = tables("|".join("a" * 5000) + "\n" + "|".join("-" * 5000) + "\n" + "|".join("1" * 5000))
    assert len(wide.rows[0].cells) == MOST_COLUMNS
    (long,) = tables("a|b\n-|-\n" + "1|2\n" * 5000)
    assert len(long.rows) == MOST_ROWS + 1
    (spanned,) = tables("<table>" + "<tr><td colspan=9999 rowspan=9999>1" * 5000 + "</table>")
    assert (len(spanned.rows), len(spanned.rows[0].cells)) == (MOST_ROWS, MOST_COLUMNS)


PIECES = [
    "|",
    "-|-",
    "\n",
    "<table>",
    "</table>",
    "<tr>",
    "<td colspan=3>",
    "<th rowspan=2>",
    "</td>",
    "1.5",
    "a",
    "\\",
    "<!--",
    "```",
    " ",
    "<br>",
]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_text_gives_rectangles(text):
    for table in tables(text):
        assert len({len(row.cells) for row in table.rows}) == 1
        assert 1 <= table.line <= text.count("\n") + 1
