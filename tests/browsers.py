"""A real headless Chromium for a test, and windows that note all that their page asks for and says."""

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

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
    "--disable-features=AutofillServerCommunication",  # else Google is asked what the fields of a form mean
]


@contextmanager
def launched():
    """The browser. Without one the tests fail: a page that was never opened is not tested.

    As long as it is open, its event loop stands in the way of every test that runs one of its own.
    """
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
    """What it wrote to the console, and its errors."""
    dialogs: list = field(default_factory=list)

    @property
    def outside(self):
        """Addresses that were asked for, other than the page's own file and what it carries."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "about:"))]


@contextmanager
def windows(browser, **always):
    """A function that makes an empty window: ``window(width=400, color_scheme="dark")``; they close at the end."""
    contexts = []

    def window(width=1280, height=800, **more):
        context = browser.new_context(viewport={"width": width, "height": height}, **always, **more)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.said.append(f"{message.text} {message.location['url']}"))
        found.page.on("pageerror", lambda error: found.said.append(str(error)))
        found.page.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        return found

    yield window
    for context in contexts:
        context.close()


@contextmanager
def frontier():
    """A proxy for all that is not this machine: its address, and what it was asked for. It lets nothing through."""
    asked = []

    class Guard(BaseHTTPRequestHandler):
        def handle_one_request(self):
            asked.append(self.rfile.readline(4096).decode("latin-1").strip())
            self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Guard) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
