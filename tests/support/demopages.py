"""What the pages of a run of the demonstration have to show, whoever opens them."""

from hashlib import sha256

from support.demoruns import BASELINE, QUANTIZED


def files(folder):
    return {path: sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def quiet(shown, frontier):
    """No script of the data ran, and nothing was asked of another machine."""
    assert shown.page.evaluate("typeof window.planted") == "undefined"
    assert shown.dialogs == []
    assert shown.said == []
    assert frontier[1] == []


def percent(score):
    return f"{100 * score:.2f}"


def drawn(image):
    """The width of a picture as it came, once it is there and drawn."""
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    assert min(box["width"], box["height"]) > 40
    return image.evaluate("one => one.decode().then(() => one.naturalWidth)")


def ids(page):
    """The ids of the samples in a list of the viewer, in its order."""
    return [text.rpartition(" · ")[2] for text in page.locator("table.stack tbody th .tag").all_inner_texts()]


def show(page, **wanted):
    """Set the filters of the viewer's list; the number of samples that are left."""
    for name, value in wanted.items():
        page.select_option(f"select[name={name}]", value)
    with page.expect_navigation():
        page.get_by_role("button", name="Show").click()
    return int(page.locator("p[aria-live] strong").inner_text().replace(",", ""))


def shows(page, flip):
    """The page of a sample has to show it whole."""
    assert flip.id in page.locator("h1").inner_text()
    assert drawn(page.locator(".asked img")) > 40
    for text in flip.question:
        assert text in page.locator(".asked").inner_text()
    for text in flip.references:
        assert text in page.locator(".refs").inner_text()
    panes = page.locator(".panes .card")
    assert panes.count() == 2
    first, second = (pane.bounding_box() for pane in panes.all())
    assert first["y"] == second["y"]
    assert first["x"] + first["width"] <= second["x"]
    for pane, label, line in zip(panes.all(), (BASELINE, QUANTIZED), (flip.baseline, flip.candidate), strict=True):
        assert label in pane.locator("h3").inner_text()
        assert pane.locator(".answer").text_content() == line["answer"]
        assert percent(line["score"]) in pane.locator("tbody tr").first.inner_text()
    assert flip.direction in panes.last.locator("h3").inner_text()


def fits_its_window(page):
    """Neither the page nor a part of it has to be moved sideways."""
    wide = """() => [document.documentElement, ...document.querySelectorAll("main, section, table, .scroll, figure")]
        .filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"
            || one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 200))"""
    assert page.evaluate(wide) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
