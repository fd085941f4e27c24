"""The committed card of the demonstration's pair has the figures that its runs left, in all of its three parts."""

import json
from pathlib import Path

import pytest

from evalkit import cards, report
from evalkit.measuring import folder

KEPT = Path(__file__).with_name("demo_card")
CARD = (Path(__file__).parents[2] / "docs/explanation/demo-card.md").read_text()
BASE, CANDIDATE = "demo-8m", "demo-8m.w8a8"


@pytest.fixture(scope="module")
def told():
    return json.loads((KEPT / "results.json").read_text())


def test_the_accuracies_are_those_of_the_run(told):
    lines = [line for line in CARD.splitlines() if line.startswith(("| Vision |", "| Text |"))]
    kept = [*told["tasks"], *told["averages"]]
    assert len(lines) == len(kept) == 8
    for row in kept:
        title = f" {row['title']} " if "title" in row else " Average Score "
        (line,) = [line for line in lines if title in line]
        recovery = row["recovery"][CANDIDATE]
        low, high = recovery["interval"]
        assert f"| {recovery['percent']:.2f}% [{low:.1f}, {high:.1f}] |" in line


def test_the_performance_is_that_of_the_cells():
    found, _ = folder.result(KEPT)
    assert {one.model for one in found.rows} == {BASE, CANDIDATE}
    assert len(found.rows) == 12
    tables = report.perf_markdown(found)
    for line in tables.splitlines():
        if line.startswith("| Intel"):
            assert line in CARD


def test_the_recipe_is_in_it_and_says_what_was_left_as_it_was():
    assert "evalkit quantize baseline --scheme w8a8" in CARD
    assert "ignore: ['re:.*lm_head', 're:.*vision_tower.*', 're:.*multi_modal_projector.*']" in CARD


def test_an_audit_of_it_finds_nothing_and_it_says_that_it_is_a_demonstration():
    audited = cards.audit(cards.card(CARD))
    assert not audited.findings
    # Seven recoveries and the average's, three averages of scores or recoveries, and what queries cost.
    assert audited.checked > 8
    assert "Demo data" in CARD
    assert "served on a CPU: these figures say nothing of a GPU" in CARD
