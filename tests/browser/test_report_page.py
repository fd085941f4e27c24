"""The report in a real browser: what is seen first, filtering, the keyboard, narrow windows, and data that attack."""

import http.server
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit import report
from evalkit.base.types import Answer, Text
from evalkit.report import Evidence, categories
from evalkit.report.marks import visible
from support.browsers import windows
from support.groups import with_groups
from support.rich_report import LABELS, Cast, many, played, rich, templates

HOSTILE = (
    '<script>window.pwned=1</script>"><img src=x onerror="window.pwned=2"><svg onload="window.pwned=3">'
    "</style><style>body{display:none}</style></script>]]>-->"
    "<iframe srcdoc='<script>parent.pwned=4</script>'></iframe>"
    "<a href='javascript:window.pwned=5' id=bait>x</a> [x](javascript:window.pwned=6) "
    "{{ 7*7 }} {% raw %} ' onclick='window.pwned=7' "
    "\u202egnp.exe\u2066 \x00\x1b[2J\u2028 &lt;script&gt; \ud800 </details></main></textarea></title>"
)


def written(folder, name, built, evidence):
    path = folder / name
    path.write_text(report.html(built, templates(), evidence), encoding="utf-8", errors="backslashreplace")
    return path


@pytest.fixture(scope="module")
def found():
    return rich(150)


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    return written(tmp_path_factory.mktemp("report"), "report.html", *found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_answers_what_it_cost_and_whether_to_trust_it(opened, page, found, scheme):
    one = opened(page, color_scheme=scheme)
    for place in (".claim .value >> nth=0", ".trust li >> nth=0", ".accuracy tbody tr >> nth=0", ".strip >> nth=0"):
        box = one.page.locator(place).bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 800, place
    assert one.page.locator(".claim").count() == 2
    lines = 2 * (len(found[0].rows) + len(found[0].averages))
    assert one.page.locator(".accuracy tbody tr").count() == lines
    assert one.page.locator(".accuracy tbody .strip").count() == lines
    assert not one.outside
    assert not one.said


def test_marks_stand_where_the_axis_says(seen, page, found):
    one = seen(page)
    ticks = one.page.locator("th.plot .ticks text")
    at = {float(text.inner_html()): middle(text) for text in ticks.all()}
    (first, last) = min(at), max(at)
    scale = (at[last] - at[first]) / (last - first)
    row, strips = found[0].rows[0], one.page.locator("td.plot .strip .mark > *")
    for label, mark in zip(LABELS[1:], strips.all()[:2], strict=True):
        recovery = row.judgements[label].comparison.recovery.percent
        assert abs(middle(mark) - (at[first] + scale * (recovery - first))) < 2


def middle(located):
    box = located.bounding_box()
    return box["x"] + box["width"] / 2


@pytest.mark.parametrize("width", [390, 800, 900, 1024, 1280, 1400])
def test_several_candidates_are_beside_their_intervals_and_none_is_cut(seen, page, found, width):
    """One under the other in each task, the whole table within the window."""
    one = seen(page, width)
    table = one.page.locator(".accuracy")
    assert table.evaluate("one => one.parentElement.scrollWidth - one.parentElement.clientWidth") <= 0
    for line, label in zip(table.locator("tbody tr").all(), LABELS[1:] * len(found[0].rows), strict=False):
        assert label in line.locator(".candidate").inner_text().replace("\n", "")
        plot = line.locator(".strip").bounding_box()
        assert 0 <= plot["x"] < plot["x"] + plot["width"] <= width
        assert plot["width"] > 80


def test_a_row_says_how_many_samples_changed(seen, page, found):
    one = seen(page)
    said = one.page.locator(".accuracy .changed").all_inner_texts()
    judged = [row.judgements[label].comparison.flips for row in found[0].rows for label in LABELS[1:]]
    for flips in judged:
        if flips.regressed or flips.improved:
            assert any(f"↓ {flips.regressed:,}" in text and f"↑ {flips.improved:,}" in text for text in said)


EXAMPLE = Path(__file__).parents[2] / "reports/example/report.html"
SHEET = 703
"""Pixels of A4 within its margins."""
SHAPES = ((1, 7), (2, 7), (6, 7), (7, 7), (12, 7), (3, 40))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Pages by the number of their candidates and rows."""
    folder = tmp_path_factory.mktemp("shapes")
    return {shape: written(folder, f"{shape}.html", *many(*shape, 20)) for shape in SHAPES}


@pytest.mark.parametrize("width", [800, 1280])
@pytest.mark.parametrize("shape", [(1, 7), (2, 7), (6, 7), (3, 40)])
def test_one_to_six_candidates_and_seven_to_forty_rows_fit_the_window(seen, shapes, shape, width):
    one = seen(shapes[shape], width)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    candidates, rows = shape
    matrix = one.page.locator(".matrix")
    assert matrix.count() == (candidates > 2)
    for table in one.page.locator(".accuracy, .matrix").all():
        # Six columns of figures need their width; on a narrow screen the matrix moves under the finger.
        if width == 1280 or "matrix" not in table.get_attribute("class"):
            assert table.evaluate("one => one.parentElement.scrollWidth - one.parentElement.clientWidth") <= 0
        assert table.locator("tbody:not(.average)").count() == rows
    if matrix.count():
        assert matrix.bounding_box()["y"] < one.page.locator(".accuracy").bounding_box()["y"]
        cells = matrix.locator("td")
        assert cells.count() == candidates * matrix.locator("tbody").count()
        assert all(cells.evaluate_all("all => all.map(one => /recovered|degraded|undecided/.test(one.innerText))"))
        # A row's name leads to the row of the table.
        one.page.set_viewport_size({"width": width, "height": 700})
        matrix.locator("a").last.click()
        row = one.page.locator("tbody:target th[scope=row]")
        assert row.inner_text().startswith(matrix.locator("a").last.inner_text())
        assert 0 <= row.bounding_box()["y"] <= 700
    assert not one.said


@pytest.mark.parametrize("width", [1000, 1280, 1920])
@pytest.mark.parametrize("candidates", [6, 7, 12])
def test_a_matrix_of_many_candidates_is_reached_to_its_last_column(seen, shapes, candidates, width):
    one = seen(shapes[candidates, 7], width)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    frame = one.page.locator(".scroll:has(> .matrix)")
    frame.evaluate("one => { one.scrollLeft = one.scrollWidth; }")
    inside, last = frame.bounding_box(), one.page.locator(".matrix thead th").last.bounding_box()
    assert last["x"] >= inside["x"]
    assert last["x"] + last["width"] <= inside["x"] + inside["width"] + 1
    # In a frame that scrolls the head does not stay: it would stand over the first row.
    row = one.page.locator(".matrix tbody >> nth=0").bounding_box()
    assert last["y"] + last["height"] <= row["y"] + 1


@pytest.mark.parametrize("candidates", [6, 7])
def test_paper_has_the_matrix_as_far_as_there_is_room(opened, shapes, candidates):
    one = opened(shapes[candidates, 7], width=SHEET)
    one.page.emulate_media(media="print")
    assert one.page.locator(".accuracy").is_visible()
    assert one.page.locator(".matrix").is_visible() == (candidates == 6)
    assert one.page.get_by_text("leads to its scores").is_visible() == (candidates == 6)
    if candidates == 6:
        assert one.page.locator(".matrix").bounding_box()["width"] <= SHEET


@pytest.mark.parametrize("candidates", [1, 3])
def test_long_labels_cut_no_plot(opened, tmp_path, candidates):
    labels = [f"{at}-{'a-label-that-is-long-' * 6}"[: 60 + 30 * (at % 3)] for at in range(candidates + 1)]
    built, lists = played(Cast(labels, labels), 20)
    one = opened(written(tmp_path, "long.html", built, Evidence(lists, {}, "long")))
    for width in (1000, 1220, 1280, 1350):
        one.page.set_viewport_size({"width": width, "height": 800})
        table = one.page.locator(".accuracy")
        assert table.evaluate("one => one.parentElement.scrollWidth - one.parentElement.clientWidth") <= 0, width
        plot = table.locator(".strip >> nth=0").bounding_box()
        assert plot["x"] + plot["width"] <= width
        assert plot["width"] > 80


@pytest.mark.parametrize("shape", [(1, 7), (6, 7)])
def test_the_first_screen_shows_all_rows(opened, shapes, shape):
    one = opened(shapes[shape])
    # What is doubted of the invented baseline is no part of a usual first screen.
    one.page.evaluate("document.querySelectorAll('.doubt').forEach(one => one.remove())")
    first_table = one.page.locator(".matrix, .accuracy").first
    box = first_table.bounding_box()
    assert box["y"] + box["height"] <= 800


def test_the_first_screen_of_the_example_shows_all_rows_of_two_candidates(opened):
    """Seven tasks and an average, a sentence of doubt, and each metric by its whole name."""
    one = opened(EXAMPLE, width=1280)
    box = one.page.locator(".accuracy").bounding_box()
    assert box["y"] + box["height"] <= 800
    names = one.page.locator(".accuracy .metric:not(.own)")
    heights = {round(name.bounding_box()["height"]) for name in names.all()}
    assert len(heights) == 1, "a name takes two lines"


@pytest.mark.parametrize("shape", [(1, 7), (2, 7), (6, 7), (12, 7), (3, 40)])
def test_nothing_stands_beside_the_sheet(opened, shapes, shape):
    one = opened(shapes[shape], width=SHEET)
    one.page.emulate_media(media="print")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= SHEET
    for plot in one.page.locator(".accuracy .strip").all():
        box = plot.bounding_box()
        assert box["x"] + box["width"] <= SHEET
        assert box["width"] > 50


def test_what_the_groups_say_stands_on_paper_where_one_lost(opened, found, tmp_path):
    lost = with_groups(found[0], [26, 0, 0])
    one = opened(written(tmp_path, "lost.html", lost, found[1]), width=SHEET)
    said = categories.tables(lost)[0].sentence
    assert one.page.get_by_text(said).count() == 2
    assert not one.page.get_by_text(said).first.is_visible()
    one.page.emulate_media(media="print")
    assert one.page.locator("#groups").is_visible()
    assert [text.is_visible() for text in one.page.get_by_text(said).all()] == [True, False]


def test_paper_has_no_heading_of_groups_of_which_none_lost(opened, page):
    one = opened(page)
    assert one.page.locator("#groups").is_visible()
    one.page.emulate_media(media="print")
    assert not one.page.locator("#groups").is_visible()


def shown(page, table):
    return page.locator(f"{table} tbody th[scope=row]:visible bdi:first-child").all_inner_texts()


def lowest(page):
    """The lowest recovery of each row, from above."""
    return page.locator(".accuracy tbody").evaluate_all(
        """all => all.map(one => Math.min(...[...one.querySelectorAll("tr:not([hidden]) .recovery .value")]
            .map(cell => parseFloat(cell.textContent))))"""
    )


def test_rows_are_sorted_by_recovery_with_the_keyboard_and_back(opened, shapes):
    one = opened(shapes[2, 7])
    listed, button = shown(one.page, ".accuracy"), one.page.locator(".accuracy [data-sorts] button")
    head = one.page.locator(".accuracy [data-sorts]")
    assert head.get_attribute("aria-sort") == "none"
    button.focus()
    one.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert lowest(one.page) == sorted(lowest(one.page))
    assert shown(one.page, ".accuracy") != listed
    # Away from the others of its category, each row says which one it is of.
    assert {box["width"] > 20 for box in boxes(one.page.locator(".accuracy tbody .category bdi"))} == {True}
    one.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert lowest(one.page) == sorted(lowest(one.page), reverse=True)
    one.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert shown(one.page, ".accuracy") == listed


def boxes(located):
    return [one.bounding_box() for one in located.all()]


def test_the_matrix_is_sorted_by_one_candidate(opened, shapes):
    one = opened(shapes[3, 40])
    one.page.locator(".matrix [data-sorts='1'] button").click()
    values = one.page.locator(".matrix td[data-of='1'] .value").evaluate_all(
        "all => all.map(one => parseFloat(one.textContent))"
    )
    assert values == sorted(values)
    assert one.page.locator(".matrix [aria-sort=ascending]").count() == 1
    one.page.locator(".matrix [data-sorts='0'] button").click()
    assert one.page.locator(".matrix [aria-sort=ascending]").get_attribute("data-sorts") == "0"


def test_columns_and_candidates_can_be_left_out(opened, shapes):
    one = opened(shapes[3, 40])
    one.page.get_by_label("verdict", exact=True).uncheck()
    assert one.page.locator(".accuracy .judged:visible").count() == 0
    assert one.page.locator(".accuracy .recovery:visible").count() > 40
    # The first candidate is left out: what stood with it stands with the next one.
    before = shown(one.page, ".accuracy")
    one.page.locator("[data-candidate='0']").uncheck()
    assert shown(one.page, ".accuracy") == before
    assert (
        one.page.locator(".accuracy tbody tr:visible .candidate >> nth=0").inner_text().strip()
        == "pixtral-12b-w4a16-v1"
    )
    assert one.page.locator(".matrix td:visible").count() == 2 * one.page.locator(".matrix tbody").count()
    assert one.page.locator(".accuracy tbody >> nth=0").locator("th[scope=row]").get_attribute("rowspan") == "2"
    one.page.get_by_label("verdict", exact=True).check()
    one.page.locator("[data-candidate='0']").check()
    assert one.page.locator(".accuracy .judged:visible").count() > 40
    assert one.page.locator(".accuracy tbody >> nth=0").locator("th[scope=row]").get_attribute("rowspan") == "3"


def test_the_names_of_the_columns_stay_in_sight(opened, shapes):
    one = opened(shapes[3, 40])
    for table in (".matrix", ".accuracy"):
        one.page.locator(f"{table} tbody").nth(30).scroll_into_view_if_needed()
        one.page.evaluate("window.scrollBy(0, 300)")
        head = one.page.locator(f"{table} thead th").last.bounding_box()
        assert 0 < head["y"] < 120, table


def test_without_scripts_the_tables_are_whole_and_offer_nothing_that_does_not_work(opened, shapes):
    one = opened(shapes[3, 40], java_script_enabled=False)
    assert not one.page.locator("#columns").is_visible()
    assert one.page.locator(".accuracy button, .matrix button").count() == 0
    assert one.page.locator(".accuracy tr.goes-on, .accuracy tr:not(.goes-on)").count() > 3 * 40


@pytest.fixture(scope="module")
def unfolded(chromium, page):
    """The page in a window of its own, with everything open that can be."""
    with windows(chromium) as window:
        one = window()
        one.page.goto(page.as_uri())
        one.page.locator(".flip summary >> nth=0").click()
        one.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        yield one


@pytest.mark.parametrize("width", [400, 800, 1280, 1600])
def test_no_width_makes_the_page_scroll_sideways(unfolded, width):
    one = unfolded
    one.page.set_viewport_size({"width": width, "height": 800})
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    assert one.page.locator(".accuracy tbody th[scope=row] >> nth=0").bounding_box()["width"] > 60
    one.page.evaluate("window.scrollTo(0, 0)")
    plot = one.page.locator(".strip >> nth=0").bounding_box()
    assert plot["x"] >= 0
    assert plot["width"] > 150


def test_filters_narrow_the_flips_and_say_how_many_are_left(opened, page):
    one = opened(page)
    flips, count = one.page.locator(".flip:visible"), one.page.locator("#filter-count")
    everything = flips.count()
    assert count.inner_text() == f"{everything} of {everything} flips on this page"
    one.page.select_option("#filter-direction", "regressed")
    regressed = flips.count()
    assert 0 < regressed < everything
    assert one.page.locator(".flip:visible[data-direction=improved]").count() == 0
    one.page.select_option("#filter-candidate", LABELS[2])
    candidates = one.page.locator(".deck:visible").evaluate_all("all => all.map(one => one.dataset.candidate)")
    assert set(candidates) == {LABELS[2]}
    one.page.select_option("#filter-task", "ChartQA (test, CoT)")
    assert one.page.locator(".deck:visible").count() == 1
    name = one.page.locator(".flip:visible .id >> nth=0").inner_text()
    one.page.fill("#filter-text", name.upper())
    assert flips.count() == 1
    assert count.inner_text() == f"1 of {everything} flips on this page"
    # What is measured of an answer is none of its words.
    one.page.fill("#filter-text", one.page.locator(".flip dl dt >> nth=0").text_content())
    assert flips.count() == 0
    one.page.fill("#filter-text", "no such words anywhere")
    assert flips.count() == 0
    assert one.page.locator("#filter-none").is_visible()
    assert not one.said


def test_a_flip_opens_by_keyboard_and_shows_picture_and_both_answers(opened, page):
    one = opened(page)
    summary = one.page.locator(".flip:has(img) > summary >> nth=0")
    one.page.locator("#filter-direction").focus()
    for _ in range(400):
        one.page.keyboard.press("Tab")
        if summary.evaluate("one => one === document.activeElement"):
            break
    assert summary.evaluate("one => one === document.activeElement")
    assert summary.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    one.page.keyboard.press("Enter")
    flip = one.page.locator(".flip[open]")
    picture = flip.locator("img >> nth=0")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 100
    assert flip.locator(".answer").count() == 2
    assert all(box.is_visible() for box in flip.locator(".answer").all())
    assert flip.locator("mark").count() > 0
    assert not one.outside


def test_without_scripts_everything_but_filtering_works(opened, page, found):
    one = opened(page, java_script_enabled=False)
    assert not one.page.locator("#filter").is_visible()
    assert one.page.locator(".flip:visible").count() == sum(len(listed.chosen) for listed in found[1].flips)
    one.page.locator(".flip > summary >> nth=0").click()
    assert one.page.locator(".flip[open] .answer >> nth=0").is_visible()
    one.page.get_by_text("Versions and machine").click()
    assert one.page.get_by_text("NVIDIA H100 80GB HBM3, 81,559 MiB").is_visible()


def test_print_leaves_out_what_only_a_screen_needs_and_what_is_folded(opened, page):
    one = opened(page, color_scheme="dark")
    one.page.get_by_text("Versions and machine").click()
    one.page.emulate_media(media="print")
    assert not one.page.locator(".contents").is_visible()
    assert not one.page.locator("#filter").is_visible()
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert one.page.get_by_text("NVIDIA H100 80GB HBM3, 81,559 MiB").bounding_box()["height"] > 5, "it was opened"
    assert not one.page.get_by_text("Everything that was compared").is_visible()
    assert one.page.locator(".deck >> nth=1").locator(".flip:visible").count() == 3


def test_the_example_is_four_pages_on_paper(opened):
    one = opened(EXAMPLE)
    sheets = re.findall(rb"/Type\s*/Page\b(?!s)", one.page.pdf(format="A4"))
    assert 1 < len(sheets) <= 4


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A report in which every text that comes from outside attacks."""

    def spoilt(record):
        sample, outcome = record.sample, record.outcome
        content = tuple(Text(HOSTILE + part.text) if isinstance(part, Text) else part for part in sample.content)
        sample = replace(sample, id=HOSTILE + sample.id, content=content, cluster=HOSTILE)
        # Not the answers that have to be JSON to be scored.
        if isinstance(outcome, Answer) and not outcome.text.startswith("{"):
            outcome = replace(outcome, text=HOSTILE + outcome.text)
        return replace(record, sample=sample, outcome=outcome)

    labels = tuple(f"{name} {HOSTILE}" for name in ("base", "w8a8", "w4a16"))
    built, evidence = rich(40, labels=labels, change=spoilt, pictured=False)
    rows = []
    for row in built.rows:
        task = replace(row.part.task, title=row.part.task.title + HOSTILE, category=HOSTILE)
        told = {
            "exams": {label: {"method": HOSTILE, HOSTILE: HOSTILE} for label in labels},
            "checks": {HOSTILE: HOSTILE},
        }
        groups = {label: {HOSTILE: one.comparison} for label, one in row.judgements.items()}
        rows.append(replace(row, part=replace(row.part, revision=HOSTILE, task=task), groups=groups, **told))
    provenance = replace(built.provenance, others={HOSTILE: HOSTILE}, commands={HOSTILE: HOSTILE})
    evil = replace(built, rows=tuple(rows), averages=(), notices=(HOSTILE,), provenance=provenance)
    first = next(one for one in evidence.flips if one.chosen)
    reply = first.chosen[0].candidate
    long = replace(reply, answer=replace(reply.answer, text="A" * 1_000_000))
    flooded = replace(first, chosen=(replace(first.chosen[0], candidate=long), *first.chosen[1:]))
    evidence = replace(evidence, flips=[flooded if one is first else one for one in evidence.flips])
    assert sum(len(one.chosen) for one in evidence.flips) > 5
    return written(tmp_path_factory.mktemp("attacked"), "report.html", evil, evidence)


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_from_the_data_acts(opened, attacked, width):
    one = opened(attacked, width=width)
    one.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    one.page.fill("#filter-text", "window.pwned")
    one.page.locator("body").click(position={"x": 5, "y": 5})
    assert one.page.evaluate("typeof window.pwned") == "undefined"
    assert not one.dialogs
    assert not one.outside
    assert not one.said
    count = "name => document.querySelectorAll(name).length"
    assert one.page.evaluate(count, "script") == 1
    assert one.page.evaluate(count, "style") == 1
    for name in ("iframe", "#bait", "img", "[onload], [onerror], [onclick]", "bdi svg:not(.key):not(.key svg)"):
        assert one.page.evaluate(count, name) == 0, name
    assert one.page.locator("body").is_visible()
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visible(HOSTILE)[:60] in one.page.locator(".answer >> nth=0").inner_text()


def test_hidden_signs_are_seen(opened, attacked):
    one = opened(attacked)
    text = one.page.evaluate("document.documentElement.textContent")
    assert not re.search("[\x00\x1b\u202a-\u202e\u2066-\u2069\u2028]", text)
    assert "⟨U+202E⟩gnp.exe" in text
    assert "⟨U+0000⟩" in text
    assert "more characters in samples/" in text


def test_the_policy_holds_even_where_an_escape_would_not(opened, page):
    """A script, a handler, a style and a picture that are put into the page by force: none of them acts."""
    asked = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        one = opened(page)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        one.page.evaluate(
            """url => {
                const made = document.createElement("script");
                made.textContent = "window.pwned = 1";
                document.body.append(made);
                const box = document.createElement("div");
                box.innerHTML = `<img src="${url}/image"><img src="data:," onerror="window.pwned = 2">` +
                    `<link rel=stylesheet href="${url}/style"><iframe src="${url}/frame"></iframe>`;
                document.body.append(box);
                return fetch(url + "/fetch").catch(() => 0);
            }""",
            url,
        )
        one.page.wait_for_function("document.querySelector('img[src$=image]').complete")
        server.shutdown()
    assert one.page.evaluate("typeof window.pwned") == "undefined"
    assert not asked
    assert any("Content Security Policy" in text for text in one.said)


def test_a_real_run_leaves_a_page_with_pictures_that_needs_no_data_to_be_made_again(workplace, opened):
    workplace.evalkit(*workplace.comparison())
    (folder,) = workplace.runs()
    path = folder / "report.html"
    first = path.read_bytes()
    one = opened(path)
    assert one.page.locator(".accuracy tbody tr").count() == 3
    flip = one.page.locator(".flip:has(img) >> nth=0")
    flip.locator("summary").click()
    assert flip.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth)") >= 40
    assert flip.locator(".answer >> nth=0").inner_text() != flip.locator(".answer >> nth=1").inner_text()
    assert not one.outside
    assert not one.said
    for data in (workplace.folder / "tasks").glob("*.parquet"):
        data.unlink()
    workplace.here("report", folder.name, "--format", "html", check=0)
    assert path.read_bytes() == first
    workplace.here("report", folder.name, "--format", "html", "--output", "elsewhere", check=0)
    assert (workplace.folder / "elsewhere/report.html").read_bytes() == first
