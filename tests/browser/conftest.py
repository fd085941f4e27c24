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


@pytest.fixture
def opened(chromium):
    """Open a file in a window of its own: ``opened(path, width=400, color_scheme="dark")``."""
    with windows(chromium) as window:

        def opening(path, **more):
            found = window(**more)
            found.page.goto(path.as_uri())
            return found

        yield opening
