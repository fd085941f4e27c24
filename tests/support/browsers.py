"""A real headless Chromium for a test, and windows that note all that their page asks for and says.

``PYTHONPATH=tests python -m support.browsers`` finds the browser, or installs one where that can be done, and says so
in one line.
"""

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from support import wants

WITHOUT = "EVALKIT_NO_BROWSER"
NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "brave-browser"),
)
"""What Chromium and what is made of it are called on PATH."""
APPLICATIONS = ("Google Chrome", "Chromium", "Google Chrome for Testing", "Microsoft Edge", "Brave Browser")
ROOT = Path("/")
PLACES = ("opt/google/chrome/chrome", "snap/bin/chromium", "usr/lib/chromium/chromium", "usr/lib64/chromium/chromium")
FETCHED = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
"""Where ``playwright install chromium`` puts it, in its own cache."""
_ASKING = "AutofillServerCommunication,AimEnabled,PreconnectToSearch,NetworkTimeServiceQuerying,OptimizationHints"
"""What asks Google: for the meaning of fields, whether its search has an AI mode, to be connected ahead of time,
for the time, for hints on pages. The flag takes the place of Playwright's own list."""
FLAGS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={_ASKING}",
]


def candidates():
    """Programs that may be the browser, best first: on PATH, in usual places of the system and of the user."""
    home = Path.home()
    yield from filter(None, map(shutil.which, NAMES))
    yield from (str(ROOT / place) for place in PLACES)
    for above in (ROOT, home):
        yield from (str(above / "Applications" / f"{name}.app/Contents/MacOS/{name}") for name in APPLICATIONS)
    caches = [home / ".cache/ms-playwright", home / "Library/Caches/ms-playwright"]
    if named := os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        caches.insert(0, Path(named))
    for pattern in FETCHED:
        for place in caches:
            yield from (str(path) for path in sorted(place.glob(pattern), reverse=True))


def starts(program):
    """Whether a program is there and finds all that it is linked with."""
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    return False


@cache
def found():
    """The browser's program; without one, or where none is wanted, the test that asks is left out."""
    if os.environ.get(WITHOUT) == "1":
        wants.missing("a browser", f"{WITHOUT}=1")
    return next(filter(starts, candidates()), None) or wants.missing("a browser")


@contextmanager
def launched():
    """The browser. As long as it is open, its event loop stands in the way of every test that runs one of its own."""
    program = found()
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
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def install():
    """Have the system install a Chromium, or Playwright fetch one; the words of what failed, or "" for success."""
    ways = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        ways.insert(0, [["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]])
    said = []
    for way in ways:
        done = None
        for words in way:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode == 0 and any(map(starts, candidates())):
            return ""
        last = (done.stderr.strip() or done.stdout.strip() or "it cannot be started").splitlines()[-1]
        said.append(f"{' '.join(way[-1][:4])}: {last.strip()}")
    return "; ".join(said)


def main():
    if os.environ.get(WITHOUT) == "1" or any(map(starts, candidates())):
        return
    print("no Chromium here: installing one for the tests", flush=True)
    if failed := install():
        print(f"no Chromium, and none can be installed: the browser tests are left out ({failed})")


if __name__ == "__main__":
    main()
