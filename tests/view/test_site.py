"""evalkit export --site: pages of flips that need no server, ask for nothing, and obey nothing that stands in them."""

import re
from html.parser import HTMLParser

import pytest

from evalkit.base.errors import OutputError
from evalkit.base.types import Answer, Sample, Score, Text
from evalkit.comparison.flips import Flip, FlipList, FlipReply
from evalkit.records import history
from evalkit.view import site
from support import browsers
from support.demoruns import PLANTED
from support.pastruns import sample, write_run

RUN = "20260101-000000-aaaaaa"


def reply(text, value):
    return FlipReply(Answer(text, "stop", 1, 1, 0.1), {"anls": Score(value, text)}, value)


@pytest.fixture
def run(tmp_path):
    """Two flips, one of them with an attack in everything, and an answer too long for a page."""
    attack = {
        "content": [{"text": PLANTED}, {"image_sha256": "ab" * 32}],
        "references": [PLANTED],
        "id": f"<b>{PLANTED}",
    }
    base = [sample(0, "right", 1.0), sample(1, "word1", 0.0), sample(2, f"old {PLANTED}", 1.0, **attack)]
    cand = [sample(0, "right", 1.0), sample(1, "long " * 20_000, 1.0), sample(2, f"new {PLANTED}", 0.0, **attack)]
    write_run(tmp_path / "runs", RUN, lines={"base": {"pages": base}, "cand": {"pages": cand}})
    return history.past_run(tmp_path / "runs", RUN)


@pytest.fixture
def flips():
    ids = ("s1", f"<b>{PLANTED}")
    chosen = [
        Flip("improved", Sample(ids[0], (Text("q"),), []), reply("a", 0.0), reply("b", 1.0)),
        Flip("regressed", Sample(ids[1], (Text("q"),), []), reply("a", 1.0), reply("b", 0.0)),
    ]
    return [FlipList("pages", "cand", 1, 1, tuple(chosen))]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_a_folder_of_pages_that_lead_to_each_other_and_nowhere_else(run, flips, tmp_path):
    folder = tmp_path / "site"
    assert site.write(run, flips, folder) == 2
    names = {path.name for path in folder.iterdir()}
    assert names == {"index.html", "sample-1.html", "sample-2.html", "answer-1-1.txt"}
    for path in folder.glob("*.html"):
        for tag, attrs in Tags(path.read_text(encoding="utf-8")).found:
            assert tag not in {"script", "link", "iframe", "form", "object", "base", "svg"}, tag
            assert not [name for name in attrs if name.startswith("on")]
            target = attrs.get("href", attrs.get("src", "#"))
            assert target in names | {"#", "#main"} or target.startswith("data:image/"), target
    whole = (folder / "answer-1-1.txt").read_text()
    assert whole == "long " * 20_000
    index = (folder / "index.html").read_text()
    assert index.index("sample-1.html") < index.index("sample-2.html")
    page = (folder / "sample-2.html").read_text()
    assert 'href="sample-1.html"' in page
    assert "<mark>" in page
    assert "The image is missing." in page


def test_every_page_lets_nothing_but_its_own_style_be(run, flips, tmp_path):
    site.write(run, flips, tmp_path / "site")
    for path in (tmp_path / "site").glob("*.html"):
        (policy,) = re.findall(r'content-security-policy" content="([^"]*)"', path.read_text())
        assert "default-src" in policy
        assert "script-src" not in policy
        assert "http" not in policy


def test_what_an_earlier_export_left_goes_and_what_others_left_stays(run, flips, tmp_path):
    folder = tmp_path / "site"
    site.write(run, flips, folder)
    site.write(run, [FlipList("pages", "cand", 1, 0, flips[0].chosen[1:])], folder)
    assert {path.name for path in folder.iterdir()} == {"index.html", "sample-2.html"}
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"mine\.txt"):
        site.write(run, flips, folder)
    assert (folder / "sample-2.html").is_file()
    site.write(run, [], tmp_path / "none")
    assert "No answer that was compared changed its score." in (tmp_path / "none/index.html").read_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_the_folder_is_read_from_list_to_answer_and_nothing_acts(run, flips, tmp_path, width):
    folder = tmp_path / "site"
    site.write(run, flips, folder)
    with browsers.launched() as browser, browsers.windows(browser) as window:
        one = window(width=width)
        one.page.goto((folder / "index.html").as_uri())
        assert one.page.locator("table.samples tbody tr").count() == 2
        one.page.locator("tbody th a").first.click()
        assert one.page.locator(".panes .card").count() == 2
        assert "by edit distance" in one.page.locator(".why").first.inner_text()
        one.page.locator("a[rel=next], a[rel=prev]").first.click()
        assert one.page.locator(".panes .card").count() == 2
        for page in folder.glob("*.html"):
            one.page.goto(page.as_uri())
            assert one.page.evaluate("document.documentElement.scrollWidth") <= width, page.name
            assert one.page.evaluate("typeof window.planted") == "undefined"
        assert not one.outside
        assert not one.dialogs
        assert not one.said
