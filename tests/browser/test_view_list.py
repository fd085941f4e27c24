"""The viewer's list of runs in a real browser: a run with many candidates stays within its card."""

import pytest

from support.browsers import windows
from support.pastruns import recovery, write_run
from support.viewers import within

CANDIDATES = [f"a-candidate-with-a-long-name.w{bits}a16" for bits in range(4, 10)]
BROKEN = """cells => cells.flatMap(cell => {
  const found = [], words = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), part = document.createRange();
  while (words.nextNode()) for (const word of words.currentNode.data.matchAll(/\\w+/g)) {
    part.setStart(words.currentNode, word.index); part.setEnd(words.currentNode, word.index + word[0].length);
    if (new Set([...part.getClientRects()].map(line => line.top)).size > 1) found.push(word[0]);
  }
  return found;
})"""
"""The words of some cells that go on in another line."""


@pytest.mark.parametrize("width", [390, 800, 1280, 1400])
def test_a_run_and_the_history_of_many_candidates_stay_within_the_window(chromium, tmp_path, width):
    lines = {label: {name: [] for name in ("pages", "charts")} for label in ("base", *CANDIDATES)}
    found = recovery(98.75, [86.85, 107.34], verdict="undecided")
    write_run(tmp_path / "runs", lines=lines, recoveries=dict.fromkeys(("pages", "charts"), found))
    with within(tmp_path / "runs", tmp_path / "cache") as viewer, windows(chromium) as window:
        page = window(width=width).page
        page.goto(viewer.address)
        page.locator(".card h2 a").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Row by candidate first; a row's name leads to its line below, under the names of the columns.
        matrix = page.locator(".matrix tbody tr")
        assert [row.locator("td").count() for row in matrix.all()] == [len(CANDIDATES)] * 2
        matrix.last.locator("a").click()
        row = page.locator("tr:target")
        assert row.inner_text().startswith("Charts")
        assert 0 <= row.bounding_box()["y"] < 800
        page.get_by_role("link", name="History").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        frame = page.locator("section .scroll >> nth=0")
        assert frame.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


@pytest.mark.parametrize("width", [740, 800, 1280])
def test_tasks_and_candidates_break_between_words_and_rows_of_the_matrix_keep_their_names(chromium, tmp_path, width):
    names = ("charts", "handwriting")
    lines = {label: {name: [] for name in names} for label in ("base", *CANDIDATES)}
    found = recovery(98.75, [86.85, 107.34], verdict="undecided")
    write_run(tmp_path / "runs", lines=lines, recoveries=dict.fromkeys(names, found))
    with within(tmp_path / "runs", tmp_path / "cache") as viewer, windows(chromium) as window:
        page = window(width=width).page
        page.goto(viewer.address)
        page.locator(".card h2 a").click()
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".matrix tbody th, .several :is(tbody th, .candidate)").evaluate_all(BROKEN) == []
        frame = page.locator(".scroll:has(.matrix)")
        frame.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
        assert frame.evaluate("one => one.scrollLeft") > 0
        for name in page.locator(".matrix th:first-child").all():
            assert name.bounding_box()["x"] >= frame.bounding_box()["x"]


@pytest.mark.parametrize("width", [400, 1600])
def test_many_candidates_stay_within_their_card(chromium, tmp_path, width):
    lines = {label: {"pages": []} for label in ("base", *CANDIDATES)}
    found = recovery(98.75, [36.85, 271.34], verdict="undecided")
    write_run(tmp_path / "runs", lines=lines, recoveries={"pages": found})
    with within(tmp_path / "runs", tmp_path / "cache") as viewer, windows(chromium) as window:
        page = window(width=width).page
        page.goto(viewer.address)
        page.locator(".card").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        card, table = page.locator(".card").bounding_box(), page.locator(".card .scroll").bounding_box()
        assert table["x"] + table["width"] <= card["x"] + card["width"]
        assert page.locator("tbody th >> nth=0").bounding_box()["width"] > 60
        for label in CANDIDATES:
            assert page.locator(f'td[data-label$="{label}"]').count() == 1
