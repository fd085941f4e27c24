"""A webhook that keeps what it is sent."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

KEY = "T0/B0/unspeakable"
"""The part of the address that is a key."""


@dataclass
class Hook:
    url: str = ""
    messages: list = field(default_factory=list)
    """Texts, in the order in which they came."""
    paths: list = field(default_factory=list)


@contextmanager
def webhook(status=200, **headers):
    """A hook that answers with ``status``."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            assert list(body) == ["text"]
            hook.messages.append(body["text"])
            hook.paths.append(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/{KEY}"
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
