"""Every test of this folder opens a page in a real browser."""

import pytest

from support.browsers import launched, windows


def pytest_collection_modifyitems(items):
    for item in items:
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker("browser")


@pytest.fixture(scope="module")
def chromium():
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def seen(chromium):
    """A file in a window that tests share and only look at: ``seen(path, width)``, from its top, 800 high."""
    with windows(chromium) as window:
        shown = {}

        def looking(path, width=1280):
            if path not in shown:
                shown[path] = window()
                shown[path].page.goto(path.as_uri())
            shown[path].page.set_viewport_size({"width": width, "height": 800})
            shown[path].page.evaluate("window.scrollTo(0, 0)")
            return shown[path]

        yield looking


@pytest.fixture
def opened(chromium):
    """Open a file in a window of its own: ``opened(path, width=400, color_scheme="dark")``."""
    with windows(chromium) as window:

        def opening(path, **more):
            found = window(**more)
            found.page.goto(path.as_uri())
            return found

        yield opening
