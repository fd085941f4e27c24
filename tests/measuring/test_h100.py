"""What was measured on one H100 stands in the docs as the run's own cells give it."""

from pathlib import Path

import pytest

from evalkit import cards, report
from evalkit.measuring import folder

DOCS = Path(__file__).parents[2] / "docs/explanation"
PAGE = (DOCS / "perf-h100.md").read_text()


@pytest.fixture(scope="module")
def found():
    return folder.result(Path(__file__).with_name("h100"))[0]


def test_the_page_is_made_of_the_cells(found):
    _, _, tables = report.perf_markdown(found).partition("\n")
    assert tables.lstrip() == PAGE.partition("\n---\n\n")[2]


def test_an_audit_of_the_page_finds_nothing():
    told = cards.audit(cards.card(PAGE))
    assert not told.findings
    assert told.checked == 18 + 4, "queries per dollar, and average ratios"


def test_the_figures_beside_the_published_ones_are_those_of_the_cells(found):
    beside = (DOCS / "perf.md").read_text()
    words = {"random": "float16", "random.w8a8": "W8A8", "random.fp8": "FP8"}
    for stream, name, unit in (("single-stream", "latency", " s"), ("multi-stream", "queries a second", "")):
        for model, called in words.items():
            rows = [one for one in found.rows if (one.model, one.stream) == (model, stream)]
            cells = " | ".join(f"{one.figure.value:.3g}{unit}" for one in rows)
            assert f"| {name}, {called} | {cells} |" in beside
    for model in ("random.w8a8", "random.fp8"):
        told = {one.stream: one for one in found.savings if one.model == model}
        means = [told[stream].mean for stream in ("single-stream", "multi-stream")]
        cells = " | ".join(f"x {one.ratio:.2f} | x {one.spread:.2f}" for one in means)
        assert f"| {words[model]}, average cost ratio | {cells} |" in beside
