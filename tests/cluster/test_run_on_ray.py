"""Servers on the nodes of a Ray cluster, through the command line; a stand-in answers for vLLM on each."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from evalkit.base.errors import ServerFailedError
from evalkit.base.types import Model
from evalkit.cluster.orders import HostFacts
from evalkit.serve import Serving
from support.servers import ENGINE

pytestmark = pytest.mark.ray

SAMPLES = 70
SETTINGS = "[serve.ray_resources]\nseat = 1\n"
SLOWLY = ("--serve-arg", 'delay-until=["seen"]', "--serve-arg", "delay-s=0.5", "--window", "2")
"""An answer takes half a second, until the test has seen what it waited for."""


def wait_for(seen, within_s=120.0):
    until = time.monotonic() + within_s
    while not seen():
        assert time.monotonic() < until
        time.sleep(0.1)


def servers_of(folder):
    """Living servers of this test, each below the actor that keeps it, which is below its node's raylet."""
    every = psutil.process_iter(["cmdline", "cwd"])
    return [one for one in every if one.info["cwd"] == str(folder) and "--port" in (one.info["cmdline"] or [])]


def engines_of(folder):
    """The processes of these servers that would live on without them."""
    every = psutil.process_iter(["cmdline", "cwd"])
    return [one for one in every if one.info["cwd"] == str(folder) and ENGINE in (one.info["cmdline"] or [])]


def raylet_of(server):
    return next(one for one in server.parents() if one.name() == "raylet")


def stored(folder):
    with sqlite3.connect(f"file:{folder / 'runs/store.sqlite3'}?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*) FROM response").fetchone()[0]


def asked_again(workplace):
    """Requests that came to servers beyond the first of each: equal questions of two samples are one."""
    asked = workplace.journal()
    return len(asked) - len({*asked})


def words(*more):
    tasks = ("--tasks-dir", "tasks", "--task", "pages", "--task", "charts", "--json")
    return ("run", "--baseline", "base", *tasks, "--serve-arg", 'journal=["journal"]', *SLOWLY, *more)


def on(cluster):
    return ("--config", "evalkit.toml", "--ray", cluster.address)


class Going:
    """A run that goes on beside the test."""

    def __init__(self, workplace, *given):
        (workplace.folder / "evalkit.toml").write_text(SETTINGS)
        self.workplace, self.told = workplace, workplace.folder / "told"
        with self.told.open("w") as stderr:
            self.process = subprocess.Popen(
                workplace.command(*given), cwd=workplace.folder, stdout=subprocess.PIPE, stderr=stderr, text=True
            )

    def ready(self):
        return self.told.read_text().count('"state": "ready"')

    def ended(self, within_s=300):
        out, _ = self.process.communicate(timeout=within_s)
        assert self.process.returncode == 0, self.told.read_text()
        return json.loads(out)

    def answering(self, servers, answers):
        """Wait until so many servers are ready and so many questions were asked."""
        wait_for(lambda: self.process.poll() is not None or self.ready() >= servers)
        wait_for(lambda: self.process.poll() is not None or len(self.workplace.journal()) >= answers)
        assert self.process.poll() is None, self.told.read_text()


def nothing_failed(results):
    return {one["failed"] for row in results["tasks"] for one in row["scores"].values()} == {0}


def test_replicas_on_three_nodes_share_one_model(workplace, nodes):
    cluster, _ = nodes(3)
    going = Going(workplace, *words(*on(cluster)))
    going.answering(3, SAMPLES // 4)
    assert len({raylet_of(one).pid for one in servers_of(workplace.folder)}) == 3
    (workplace.folder / "seen").touch()
    assert nothing_failed(going.ended())
    assert stored(workplace.folder) == SAMPLES
    assert asked_again(workplace) == 0
    assert not servers_of(workplace.folder)
    logs = sorted(path.name for path in workplace.runs()[0].glob("server/*.log"))
    assert logs == ["base.1.log", "base.2.log", "base.3.log"]
    # Where servers ran is no part of an answer's identity: this machine has nothing left to ask.
    asked = len(workplace.journal())
    workplace.evalkit(*words(), check=0)
    assert len(workplace.journal()) == asked
    assert len(workplace.runs()) == 1


def test_a_node_that_is_killed_costs_no_answer(workplace, nodes):
    cluster, (_, last) = nodes(3)
    going = Going(workplace, *words(*on(cluster)))
    going.answering(3, SAMPLES // 4)
    cluster.remove_node(last, allow_graceful=False)
    wait_for(lambda: len(servers_of(workplace.folder)) == 2, within_s=60)
    (workplace.folder / "seen").touch()
    assert nothing_failed(going.ended())
    assert stored(workplace.folder) == SAMPLES
    # What the lost server had under way (`--window`), and no more.
    assert asked_again(workplace) <= 2
    assert not servers_of(workplace.folder)


def test_a_killed_driver_leaves_no_server_and_the_same_command_continues(workplace, nodes):
    cluster, _ = nodes(2)
    given = words(*on(cluster), "--serve-arg", "with-engine=true")
    going = Going(workplace, *given)
    going.answering(2, SAMPLES // 4)
    assert len(engines_of(workplace.folder)) == 2
    going.process.kill()
    going.process.communicate()
    # Before another keeper comes to these hosts, which would end what it finds.
    wait_for(lambda: not servers_of(workplace.folder) and not engines_of(workplace.folder), within_s=60)
    answered, asked = stored(workplace.folder), len(workplace.journal())
    assert 0 < answered < SAMPLES
    (workplace.folder / "seen").touch()
    assert nothing_failed(Going(workplace, *given).ended())
    assert stored(workplace.folder) == SAMPLES
    assert len(workplace.journal()) - asked == SAMPLES - answered
    assert not engines_of(workplace.folder)


def test_a_host_that_falls_silent_costs_a_minute_and_no_answer(workplace, nodes):
    cluster, _ = nodes(2)
    going = Going(workplace, *words(*on(cluster)))
    going.answering(2, SAMPLES // 4)
    head = next(raylet_of(one) for one in servers_of(workplace.folder) if "--head" in raylet_of(one).cmdline())
    (server,) = (one for one in servers_of(workplace.folder) if raylet_of(one) != head)
    host = [raylet_of(server), *raylet_of(server).children(recursive=True)]
    for one in host:
        one.send_signal(signal.SIGSTOP)
    try:
        (workplace.folder / "seen").touch()
        assert nothing_failed(going.ended(within_s=240))
    finally:
        for one in host:
            if one.is_running():
                os.kill(one.pid, signal.SIGCONT)
    assert stored(workplace.folder) == SAMPLES
    # What the lost server had under way (`--window`), and no more.
    assert asked_again(workplace) <= 2
    # Once it runs again it sees that nobody has asked it for a minute.
    wait_for(lambda: not servers_of(workplace.folder), within_s=90)


@pytest.mark.parametrize("named", ["ray://head:10001", "local", "head"])
def test_what_ray_would_take_for_auto_is_refused_as_what_is_named(workplace, named):
    done = workplace.evalkit(*words("--ray", "auto"), RAY_ADDRESS=named, check=2)
    assert f"--ray auto: RAY_ADDRESS is '{named}'" in done.stderr


def test_a_server_that_has_no_place_yet_is_not_asked_to_stop(tmp_path, monkeypatch):
    from evalkit.cluster import remote  # it imports Ray

    asked, killed = [], []

    class NoPlace:
        """An actor that Ray has not put anywhere: what it is asked nobody hears."""

        def __getattr__(self, name):
            return SimpleNamespace(remote=lambda *_: asked.append(name) or name)

    def wait(refs, timeout):
        if timeout:
            server.stop()
        return [], refs

    monkeypatch.setattr(remote, "ray", SimpleNamespace(wait=wait, kill=killed.append, exceptions=remote.ray.exceptions))
    like = HostFacts("", {}, ())
    what = (Serving(), Model("tiny", "tiny", "x"), "sesame", like)
    server = remote.RemoteServer(what, tmp_path / "log", lambda *_: None, NoPlace)
    with pytest.raises(ServerFailedError, match="while it waited for a place"):
        server.__enter__()
    assert (asked, len(killed)) == (["start"], 1)


def test_paths_in_settings_mean_the_same_on_every_host(tmp_path, monkeypatch):
    from evalkit.cluster.remote import everywhere  # it imports Ray

    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve.py").touch()
    (tmp_path / "python").symlink_to(sys.executable)
    found = everywhere(Serving(python="./python", args={"chat-template": "serve.py", "dtype": "half"}))
    assert (found.python, dict(found.args)) == (
        str(tmp_path / "python"),
        {"chat-template": str(tmp_path / "serve.py"), "dtype": "half"},
    )
    own = everywhere(Serving(command=("python", "serve.py", "--fast")))
    assert (own.command, own.python) == (("python", str(tmp_path / "serve.py"), "--fast"), "")


OTHER_RELEASE = """
import sys, ray
ray.__version__ = "1.0.0"
from evalkit.cli import main
main()
"""


def test_what_a_cluster_cannot_do_is_one_line_with_what_is_there(workplace, nodes):
    cluster, _ = nodes(1)
    (workplace.folder / "evalkit.toml").write_text(SETTINGS)
    busy = workplace.evalkit(*words(*on(cluster)), "--replicas", "2", check=5)
    assert "room for 1 server, not for 2" in busy.stderr
    assert "1 of 1 seat free" in busy.stderr
    (workplace.folder / "evalkit.toml").write_text("[serve.ray_resources]\nseat = 3\n")
    none = workplace.evalkit(*words(*on(cluster)), check=5)
    assert "no room for a server, which takes 1 CPU, 3 seat: " in none.stderr
    (workplace.folder / "evalkit.toml").write_text(SETTINGS)
    command = workplace.command(*words(*on(cluster)))
    other = [command[0], "-c", OTHER_RELEASE, *command[3:]]
    done = subprocess.run(other, cwd=workplace.folder, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "1.0.0" in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    nobody = workplace.evalkit(*words("--config", "evalkit.toml", "--ray", "127.0.0.1:9"), check=5)
    assert "--ray 127.0.0.1:9: nothing answers there" in nobody.stderr
    told = workplace.evalkit("plan", *words(*on(cluster))[1:], check=0)
    assert json.loads(told.stdout)["placement"] == ["base on the Ray cluster (1 server)"]
    assert not servers_of(workplace.folder)
