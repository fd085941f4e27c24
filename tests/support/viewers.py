"""A viewer as a process of its own or within the test's, and the words that open it."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from unittest import mock

import requests
import uvicorn

from evalkit.records import history
from evalkit.view import Viewer, index
from evalkit.view.samples import Samples


class Visit:
    """A browser's part: it has the cookie. A viewer within the test's process has no ``process`` of its own."""

    def __init__(self, address, process=None):
        self.address, self.process = address, process
        self.base = address.split("/?")[0].split("/runs/")[0]
        self.session = requests.Session()

    def enter(self):
        reply = self.session.get(self.address)
        assert reply.status_code == 200, reply.text
        return self

    def get(self, path, **more):
        """What an address shows; while it shows how far the samples are read, look again as a browser would."""
        while (reply := self.session.get(self.base + path, **more)).status_code == 202:
            time.sleep(0.05)
        return reply


@contextmanager
def started(output, cache, *words):
    """Start the viewer on a folder, and stop it."""
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "evalkit", "view", "-o", str(output), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            address = process.stdout.readline().strip()
            assert address, process.stderr.read()
            yield Visit(address, process)
        finally:
            process.terminate()
            process.wait(20)


class Stoppable(uvicorn.Server):
    """The web server as evalkit starts it, which the test can end: no signal reaches a thread."""

    def __init__(self, config, made):
        super().__init__(config)
        made(self)


@contextmanager
def within(output, cache):
    """The viewer in a thread of this process, over a socket all the same: for what is no affair of the command."""
    servers, there = [], Event()

    def made(server):
        servers.append(server)
        there.set()

    interval = sys.getswitchinterval()
    env = mock.patch.dict(os.environ, {"XDG_CACHE_HOME": str(cache), "HF_HUB_OFFLINE": "1"})
    with env, mock.patch.object(uvicorn, "Server", lambda config: Stoppable(config, made)):
        viewer = Viewer(Path(output), print)
        thread = Thread(target=viewer.serve, daemon=True)
        thread.start()
        try:
            yield Visit(viewer.address())
        finally:
            assert there.wait(60)
            servers[0].should_exit = True
            thread.join(60)
            sys.setswitchinterval(interval)
            assert not thread.is_alive()


def indexed(folder):
    """The samples of a stored run, from an index that is made where there is none."""
    (run,) = [one for one in history.past_runs(folder.parent) if one.id == folder.name]
    files = index.Files.of(run)
    return Samples(index.ready(files) or index.build(files, lambda _read, _all: None), files)
