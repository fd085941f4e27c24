"""A Ray cluster whose nodes are all on this machine, one at a time, and of which nothing is left."""

import os
import tempfile
import time

import psutil
import pytest

from support.leftovers import nothing_left_behind  # noqa: F401 - every test here

_NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "resources": {"seat": 1}}
_STARTS = 3
"""Ray gives a node 30 s to start; a busy machine may need a second try."""


@pytest.fixture
def nodes(workplace, monkeypatch, nothing_left_behind):  # noqa: F811
    """Makes a cluster of so many nodes with a seat for one server each; the first one is where drivers are."""
    for name, value in workplace.env.items():
        monkeypatch.setenv(name, value)
    # Every listener on loopback; nothing is told to anybody.
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("TMPDIR", str(workplace.folder / "tmp"))
    (workplace.folder / "tmp").mkdir()
    monkeypatch.chdir(workplace.folder)
    from ray.cluster_utils import Cluster  # reads the variables above

    clusters = []
    # The path of a socket may have 107 bytes.
    short = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    monkeypatch.setenv("RAY_TMPDIR", short.name)

    # Drivers find the cluster by the same variables.
    workplace.env |= {name: os.environ[name] for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_TMPDIR")}

    def make(count):
        clusters.append(started(lambda: Cluster(True, head_node_args={**_NODE, "include_dashboard": False})))
        return clusters[0], [started(lambda: clusters[0].add_node(**_NODE)) for _ in range(count - 1)]

    yield make
    for one in clusters:
        one.shutdown()
    end_of_ray(os.environ["TEST_RUN"])
    short.cleanup()


def started(start):
    """What is started, at the last try whatever comes of it."""
    for _ in range(_STARTS - 1):
        try:
            return start()
        except Exception as error:  # that is what Ray raises
            if "timed out" not in str(error).lower():
                raise
    return start()


def end_of_ray(run, within_s=20):
    """Ray's own processes end a moment after their cluster; those that do not are killed."""
    until = time.monotonic() + within_s
    while left := [one for one in psutil.process_iter() if is_rays(one, run)]:
        if time.monotonic() > until:
            for one in left:
                one.kill()
        time.sleep(0.2)


def is_rays(process, run):
    try:
        words = " ".join(process.cmdline())
        ours = process.environ().get("TEST_RUN") == run and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False
    return ours and ("/ray/" in words or words.startswith("ray::"))
