"""The viewer's list of runs in a real browser: a run with many candidates stays within its card."""

import pytest

from support.browsers import windows
from support.pastruns import recovery, write_run
from support.viewers import within

CANDIDATES = [f"a-candidate-with-a-long-name.w{bits}a16" for bits in range(4, 10)]


@pytest.mark.parametrize("width", [390, 800, 1280, 1400])
def test_a_run_and_the_history_of_many_candidates_stay_within_the_window(chromium, tmp_path, width):
    lines = {label: {name: [] for name in ("pages", "charts")} for label in ("base", *CANDIDATES)}
    found = recovery(98.75, [86.85, 107.34], verdict="undecided")
    write_run(tmp_path / "runs", lines=lines, recoveries=dict.fromkeys(("pages", "charts"), found))
    with within(tmp_path / "runs", tmp_path / "cache") as viewer, windows(chromium) as window:
        page = window(width=width).page
        page.goto(viewer.address)
        page.locator(".card h2 a").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Row by candidate first; a row's name leads to its line below, under the names of the columns.
        matrix = page.locator(".matrix tbody tr")
        assert [row.locator("td").count() for row in matrix.all()] == [len(CANDIDATES)] * 2
        matrix.last.locator("a").click()
        row = page.locator("tr:target")
        assert row.inner_text().startswith("Charts")
        assert 0 <= row.bounding_box()["y"] < 800
        page.get_by_role("link", name="History").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        frame = page.locator("section .scroll >> nth=0")
        assert frame.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


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
