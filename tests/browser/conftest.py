"""A real headless Chromium, and a page in it that notes whatever it asks for and says."""

import os
import shutil
from dataclasses import dataclass, field

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")


# Not for the session: as long as it is open, its event loop stands in the way of every test that runs one of its own.
@pytest.fixture(scope="module")
def chromium():
    """The browser. Without one the tests fail: a page that was never opened is not tested."""
    if os.environ.get("EVALKIT_NO_BROWSER") == "1":
        pytest.skip("EVALKIT_NO_BROWSER=1")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.fail("no Chromium on PATH: apt-get install chromium, or set EVALKIT_NO_BROWSER=1 to do without")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page that was opened, with all that a careful reader would want to know of it."""

    page: object
    requests: list = field(default_factory=list)
    said: list = field(default_factory=list)
    dialogs: list = field(default_factory=list)

    @property
    def outside(self):
        """Addresses that were asked for, other than the page's own file and what it carries."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "about:"))]


@pytest.fixture
def opened(chromium):
    """Open a file in a window of its own: ``opened(path, width=400, color_scheme="dark")``."""
    contexts = []

    def opening(path, width=1280, height=800, **more):
        context = chromium.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.said.append(message.text))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        found.page.goto(path.as_uri())
        return found

    yield opening
    for context in contexts:
        context.close()
