"""Cards made of unrounded numbers never raise a finding, and a figure moved beyond rounding always does."""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.cards import audit, card

PUBLISHED = Path(__file__).with_name("published_card.txt")
"""The tables of the published INT8 Pixtral card, as the text of its page has them."""


@dataclass
class Made:
    """A card as rows of texts, heading first, one list for each table."""

    accuracy: list
    cost: list
    style: str

    def text(self):
        return "\n\nSome words between.\n\n".join(written(rows, self.style) for rows in (self.accuracy, self.cost))


def written(rows, style):
    if style == "html":
        lines = ["".join(f"<td><b>{cell}</b></td>" for cell in row) for row in rows]
        return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
    if style == "markdown":
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
    # The plain text of a page: an empty cell has gone to the end of its row, and rows are broken after a label.
    moved = [[cell for cell in row if cell] + [""] * row.count("") for row in rows]
    lines = [" | ".join(row[:2]) + " |\n" + " | ".join(row[2:]) + " |" for row in moved]
    return "\n".join([lines[0], "---|" * len(rows[0]), *lines[1:]])


scores = st.floats(5, 99)


@st.composite
def cards(draw):
    decimals = draw(st.integers(1, 3))
    accuracy = [["Category", "Metric", "base", "cand", "Recovery (%)"]]
    for category in ("Vision", "Text")[: draw(st.integers(1, 2))]:
        pairs = draw(st.lists(st.tuples(scores, scores), min_size=2, max_size=6))
        means = tuple(sum(pair[at] for pair in pairs) / len(pairs) for at in (0, 1))
        names = [f"task {number}" for number in range(len(pairs))]
        for name, (base, cand) in zip([*names, "Average Score"], [*pairs, means], strict=True):
            accuracy.append(
                [category, name, f"{base:.{decimals}f}", f"{cand:.{decimals}f}", f"{100 * cand / base:.2f}%"]
            )
    uses = draw(st.integers(1, 4))
    cost = [["Hardware", "Model", "Average Cost Reduction"]]
    cost[0] += [name for use in range(uses) for name in (f"use {use} Latency (s)", f"use {use} Queries Per Dollar")]
    for hardware in ("L4x1", "H100x1"):
        price = draw(st.floats(0.3, 9))
        base = draw(st.lists(st.floats(0.8, 9), min_size=uses, max_size=uses))
        for number in range(draw(st.integers(2, 3))):
            times = [time * draw(st.floats(0.3, 1.2)) for time in base] if number else base
            ratio = f"{sum(b / t for b, t in zip(base, times, strict=True)) / uses:.2f}" if number else ""
            figures = [text for time in times for text in (f"{time:.1f}", f"{3600 / (price * time):.0f}")]
            cost.append([hardware, f"model {number}", ratio, *figures])
    return Made(accuracy, cost, draw(st.sampled_from(["markdown", "html", "plain"])))


def expected_count(made):
    averages = sum(row[1] == "Average Score" for row in made.accuracy)
    ratios = sum(bool(row[2]) for row in made.cost[1:])
    per_dollar = (len(made.cost) - 1) * (len(made.cost[0]) - 3) // 2
    return len(made.accuracy) - 1 + 2 * averages + ratios + per_dollar


@given(cards())
def test_a_card_of_unrounded_numbers_follows_in_every_style(made):
    found = audit(card(made.text()))
    assert found.findings == ()
    assert (found.checked, found.unchecked) == (expected_count(made), ())


@given(cards(), st.data())
def test_a_score_or_recovery_moved_beyond_rounding_is_found(made, data):
    row = data.draw(st.sampled_from(made.accuracy[1:]))
    column = data.draw(st.sampled_from([2, 3, 4]))
    figures = [float(other[4].rstrip("%")) for other in made.accuracy[1:]]
    # An average's recovery lies between those of its rows by any reading, and rounding moves none by 5 percent.
    further = data.draw(st.floats(1.05, 1.5))
    row[column] = f"{max(figures) * further:.2f}%" if column == 4 else f"{float(row[column]) + 7 * further:.2f}"
    found = audit(card(made.text())).findings
    named = f"{row[0]}: {row[1]}"
    assert any(one.row == named for one in found)
    if column == 4:
        assert [(one.row, one.printed) for one in found if one.row == named] == [(named, row[4])]


@given(cards(), st.data())
def test_the_last_figure_that_rounding_allows_follows_and_the_next_does_not(made, data):
    row = data.draw(st.sampled_from([row for row in made.accuracy[1:] if row[1] != "Average Score"]))
    half = Fraction(1, 2 * 10 ** len(row[2].partition(".")[2]))
    highest = 100 * (Fraction(row[3]) + half) / (Fraction(row[2]) - half)
    last = floor(100 * highest + Fraction(1, 2))  # in hundredths: what may still stand for the highest
    for hundredths, count in ((last, 0), (last + 1, 1)):
        row[4] = f"{hundredths // 100}.{hundredths % 100:02}%"
        named = f"{row[0]}: {row[1]}"
        own = [one for one in audit(card(made.text())).findings if one.row == named]
        assert len(own) == count


@given(cards(), st.data())
def test_a_cost_figure_moved_beyond_rounding_is_found(made, data):
    row = data.draw(st.sampled_from(made.cost[1:]))
    columns = [column for column in range(2, len(row)) if row[column] and column != 3 and column % 2 == 0]
    column = data.draw(st.sampled_from(columns))
    moved = float(row[column]) * 1.5 + 0.05
    row[column] = f"{moved:.2f}" if column == 2 else f"{moved:.0f}"
    found = audit(card(made.text())).findings
    assert any(one.row.startswith(row[0]) for one in found)


@settings(max_examples=200)
@given(st.text(alphabet="|-<>tablerdh/=\"'\\ \n0123456789.%AveragMMLU*`[]()!&#;", max_size=400))
def test_no_text_breaks_the_audit(text):
    found = audit(card("Task | A | B | Recovery\n-|-|-|-\n" + text))
    assert len(found.findings) <= found.checked


def test_the_published_card():
    found = audit(card(PUBLISHED.read_text(encoding="utf-8")))
    assert [(one.row, one.printed, one.right) for one in found.findings] == [
        ("Vision: Average Score", "70.07", "70.87"),
        ("Vision: Average Score", "70.09", "70.49"),
        ("Vision: Average Score", "100.03%", "99.47%"),
    ]
    # 7 recoveries, 2 averages with 1 recovery, 12 cost reductions, 2 x 9 x 3 queries per dollar.
    assert (found.checked, found.unchecked) == (7 + 3 + 12 + 54, ())
    assert {one.hardware: (round(one.low, 2), round(one.high, 2)) for one in found.prices} == {
        "A6000x1": (0.80, 0.80),
        "A100x1": (1.79, 1.80),
        "H100x1": (3.29, 3.29),
    }
    assert all(one.agree == one.figures == 18 for one in found.prices)
    assert len(found.noise) == 8
    assert [one.row.split()[1] for one in found.noise if not one.is_noise] == ["VQAv2"]
    overstated = next(one for one in found.savings if one.table.startswith("table 3") and one.model.endswith("w4a16"))
    assert (round(overstated.mean_ratio, 2), round(overstated.pooled_ratio, 2)) == (1.41, 1.30)
