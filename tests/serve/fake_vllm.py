"""Plays a vLLM server in the tests: a real process with a real port. What it does is told in $FAKE, a JSON object."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PLAY = json.loads(os.environ.get("FAKE", "{}"))


def flag(name):
    return sys.argv[sys.argv.index(name) + 1]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            self.answer(PLAY.get("health", 200), b"")
        elif self.path == "/v1/models":
            name = PLAY.get("name") or flag("--served-model-name")
            if "page" in PLAY or "models" in PLAY:
                self.answer(PLAY.get("models", 200), PLAY.get("page", "no").encode())
                return
            self.answer(200, json.dumps({"data": [{"id": name, "max_model_len": 128}]}).encode())
        else:
            self.answer(404, b"")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Listener(ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


def note_signal(number, frame):
    print(f"got {signal.Signals(number).name}", flush=True)
    if number == signal.SIGTERM and not PLAY.get("ignores_term"):
        os._exit(0)


def start_others():
    if "escapes" in PLAY:
        # A grandchild in a session of its own, whose parent is gone: neither the group nor the family tree shows it.
        sleeper = f"import time; open({PLAY['escapes']!r}, 'a').write('.'); time.sleep(600)"
        start = f"subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True)"
        subprocess.Popen([sys.executable, "-c", f"import subprocess, sys; {start}"]).wait()
    if "child" in PLAY:
        code = f"import time; {PLAY['child']}; print('x', flush=True); time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE).stdout.read(1)


def talk():
    for _ in range(PLAY.get("log_mib", 0)):
        sys.stdout.write(("x" * 1023 + "\n") * 1024)
        sys.stdout.flush()
    for line in PLAY.get("says", []):
        print(line, flush=True)
        time.sleep(PLAY.get("between_s", 0))


def main():
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note_signal)
    print("first words", flush=True)
    start_others()
    talk()
    if "exit" in PLAY:
        sys.exit(PLAY["exit"])
    if "tells" in PLAY:
        with socket.create_connection(("127.0.0.1", PLAY["tells"])) as other:
            other.sendall(flag("--port").encode())
            other.recv(1)
    if PLAY.get("listens", True):
        Thread(target=Listener(("127.0.0.1", int(flag("--port"))), Handler).serve_forever, daemon=True).start()
    end = time.monotonic() + PLAY.get("crashes_after_s", 600)
    while time.monotonic() < end:
        time.sleep(0.02)
        if PLAY.get("chatters"):
            print("still busy", flush=True)
    print(f"ended at {time.time()}", flush=True)
    os._exit(PLAY.get("status", 7))


main()
