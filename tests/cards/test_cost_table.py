from fractions import Fraction

from evalkit.cards import card

HEAD = (
    "Hardware | Model | Average Cost Reduction | Docs Latency (s) | Docs Queries Per Dollar | "
    "Chat Latency (s) | Chat QPD |\n---|---|---|---|---|---|---|\n"
)


def table(text):
    found = card(text)
    (one,) = found.costs
    return one, found.notices


def texts(figures):
    return [figure and figure.text for figure in figures]


def test_columns_pair_by_use_case():
    one, notices = table(HEAD + "| L4 | base | | 5.7 | 796 | 4.8 | 929 |\n| | int8 | 1.54 | 3.7 | 1220 | - | 1,437 |\n")
    assert (one.stream, one.uses, notices) == (
        "single-stream",
        ("Docs", "Chat"),
        (),
    )
    assert [(row.hardware, row.model, row.ratio and row.ratio.text) for row in one.rows] == [
        ("L4", "base", None),
        ("L4", "int8", "1.54"),
    ]
    assert texts(one.rows[1].measured) == ["3.7", None]
    assert texts(one.rows[1].per_dollar) == ["1220", "1,437"]


def test_an_empty_cell_that_moved_to_the_end_is_put_back():
    one, notices = table(HEAD + "L4 | base | 5.7 | 796 | 4.8 | 929 | |\nL4 | int8 | 1.54 | 3.7 | 1220 | 3.1 | 1437 |\n")
    assert one.rows[0].ratio is None
    assert texts(one.rows[0].per_dollar) == ["796", "929"]
    assert len(notices) == 1
    assert "1 row ends with its empty cell" in notices[0]


def test_a_missing_last_figure_is_not_taken_for_a_moved_cell():
    one, notices = table(
        HEAD + "L4 | base | 1.00 | 5.7 | 796 | 4.8 | |\nL4 | int8 | 1.54 | 3.7 | 1220 | 3.1 | 1437 |\n"
    )
    assert one.rows[0].ratio.text == "1.00"
    assert texts(one.rows[0].per_dollar) == ["796", None]
    assert not notices


def test_with_one_use_case_whole_numbers_tell_a_moved_cell():
    head = "Hardware | Model | Average Cost Reduction | Latency (s) | QPD\n-|-|-|-|-\n"
    moved, _ = table(head + "L4 | base | 5.7 | 796 | |\nL4 | int8 | 1.53 | 3.7 | 1220 |\n")
    assert (moved.rows[0].ratio, texts(moved.rows[0].per_dollar)) == (None, ["796"])
    missing, _ = table(head + "L4 | base | | 5.7 | 796 |\nL4 | int8 | 1.53 | 3.7 | |\n")
    assert len(missing.rows) == 1


def test_rates_are_multi_stream_and_milliseconds_become_seconds():
    rates, _ = table("GPU | Model | Maximum throughput (QPS) | QPD |\n-|-|-|-|\nL4 | base | 0.6 | 2632 |\n")
    assert rates.stream == "multi-stream"
    times, _ = table("GPU | Model | Latency (ms) | QPD |\n-|-|-|-|\nL4 | base | 570 | 796 |\n")
    assert times.rows[0].measured[0].range.low == Fraction(5695, 10000)


def test_queries_per_dollar_alone_have_no_stream():
    alone, _ = table("GPU | Model | QPD |\n-|-|-|\nL4 | base | 796 |\n")
    assert (alone.stream, alone.uses, alone.rows[0].measured) == (None, ("use case 1",), (None,))


def test_html_with_two_heading_rows():
    one, _ = table(
        '<table><thead><tr><th></th><th></th><th></th><th colspan="2">Documents<br>64/128</th></tr>'
        "<tr><th>Hardware</th><th>Model</th><th>Average Cost Reduction</th>"
        "<th>Latency (s)</th><th>Queries Per Dollar</th></tr></thead>"
        '<tbody><tr><th rowspan="2">L4</th><th>base</th><td></td><td>5.7</td><td>796</td></tr>'
        "<tr><th>int8</th><td>1.53</td><td>3.7</td><td>1220</td></tr></tbody></table>"
    )
    assert one.uses == ("Documents 64/128",)
    assert [row.hardware for row in one.rows] == ["L4", "L4"]
