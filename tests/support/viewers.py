"""A viewer as a process of its own, and the words that open it."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

import requests

from evalkit.records import history
from evalkit.view import index
from evalkit.view.samples import Samples


class Visit:
    """A browser's part: it has the cookie."""

    def __init__(self, address, process):
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


def indexed(folder):
    """The samples of a stored run, from an index that is made where there is none."""
    (run,) = [one for one in history.past_runs(folder.parent) if one.id == folder.name]
    files = index.Files.of(run)
    return Samples(index.ready(files) or index.build(files, lambda _read, _all: None), files)
