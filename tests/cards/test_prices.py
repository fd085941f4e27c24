from evalkit.cards import audit, card

HEAD = "Hardware | Model | Average Cost Reduction | a Latency (s) | a QPD | b Latency (s) | b QPD\n-|-|-|-|-|-|-\n"
RATES = "Hardware | Model | a QPS | a QPD | b QPS | b QPD\n-|-|-|-|-|-\n"


def found(text):
    return audit(card(text))


def findings(text):
    return [(one.row, one.column, one.printed, one.right) for one in found(text).findings]


# At 2 dollars an hour a query of L seconds costs L / 1800: 1800 / L queries per dollar.
GOOD = "| L4 | base | | 5.7 | 316 | 4.8 | 375 |\n| L4 | int8 | {} | 3.7 | {} | 3.1 | 581 |\n"


def test_figures_that_agree_on_one_price_follow():
    one = found(HEAD + GOOD.format("1.55", 486))
    assert (one.checked, one.findings) == (5, ())
    (price,) = one.prices
    assert price.low <= 2.0 <= price.high
    assert (price.hardware, price.figures, price.agree) == ("L4", 4, 4)


def test_queries_per_dollar_that_need_another_price():
    rows = found(HEAD + GOOD.format("", 600)).findings
    assert [(one.row, one.column) for one in rows] == [("L4, int8", "a, queries per dollar")]
    assert rows[0].low <= 1800 / 3.7 <= rows[0].high
    assert "3600 / (price x 3.7 s)" in rows[0].because


def test_of_two_figures_that_disagree_neither_follows():
    one = found(RATES + "| L4 | base | 1.0 | 1800 | 1.0 | 3600 |\n")
    assert len(one.findings) == 2
    assert one.prices == ()
    assert all(f.because.endswith("an hour, by the only other figure of this hardware") for f in one.findings)


def test_of_three_figures_one_is_wrong_by_the_two_that_agree():
    one = found(RATES + "| L4 | base | 1.0 | 1800 | 1.0 | 3600 |\n| L4 | int8 | 2.0 | 3600 | - | - |\n")
    (finding,) = one.findings
    assert finding.printed == "3600"
    assert finding.because.endswith("an hour, on which most figures agree")


def test_one_figure_tells_no_price():
    one = found(RATES + "| L4 | base | 1.0 | 1800 | - | - |\n")
    assert (one.checked, one.findings) == (0, ())
    assert "one figure alone" in one.unchecked[0].reason


def test_hardware_has_one_price_in_all_tables_of_a_card():
    single = HEAD + GOOD.format("1.55", 486) + "\n"
    assert findings(single + RATES + "| L4 | base | 1.0 | 1800 | 2.0 | 3600 |\n") == []
    other = findings(single + RATES + "| L4 | base | 1.0 | 2800 | 2.0 | 3600 |\n")
    assert [(row, column) for row, column, *_ in other] == [("L4, base", "a, queries per dollar")]


def test_other_hardware_has_its_own_price():
    assert findings(RATES + "| L4 | m | 1.0 | 1800 | 2.0 | 3600 |\n| H100 | m | 1.0 | 1000 | 2.0 | 2000 |\n") == []


def test_tables_that_agree_within_themselves_on_different_prices_are_one_finding():
    single = HEAD + GOOD.format("1.55", 486) + "\n"
    one = found(single + RATES + "| L4 | base | 1.0 | 3600 | 2.0 | 7200 |\n| L4 | int8 | 3.0 | 10800 | 4.0 | 14400 |\n")
    (clash,) = one.findings
    assert (clash.table, clash.row, clash.column) == ("table 2 (line 6)", "L4", "price of an hour")
    assert clash.low <= 2.0 <= clash.high
    assert "table 1" in clash.because
    assert [(price.table, price.agree) for price in one.prices] == [("table 1 (line 1)", 4), ("table 2 (line 6)", 4)]
    assert one.checked == 5 + 4 + 1
