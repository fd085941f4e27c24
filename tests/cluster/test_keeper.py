"""What lives on a host of a cluster, without one: a keeper and its server, and what becomes of it when nobody asks."""

import os
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from evalkit.base.types import Model
from evalkit.client import control
from evalkit.cluster import leftovers
from evalkit.cluster.keeper import Keeper, file_sizes
from evalkit.cluster.orders import OVER, Order
from evalkit.serve import Serving
from support.workplaces import FAKE_VLLM, model_folder

ALONE = """
import sys, time
from evalkit.base.types import Model
from evalkit.cluster import keeper
from evalkit.cluster.orders import Order
from evalkit.serve import Serving
one = keeper.Keeper()
one.start(Order(Serving(device="cpu"), Model("tiny", "tiny", "x"), "sesame"))
heard = 0
while (news := one.news(heard)).phase == "starting":
    heard += len(news.said)
print(news.phase, one._server.pid, one._server._watcher._process.pid, flush=True)
# From now on nobody asks it.
keeper.DRIVER_SILENCE_S = float(sys.argv[1])
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def host(tmp_path, monkeypatch):
    """A host whose vLLM is the stand-in, and whose temporary files are the test's."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE_VLLM))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield
    monkeypatch.setattr("tempfile.tempdir", None)


@pytest.fixture
def keeper():
    one = Keeper()
    yield one
    one.stop()


def told(one, phases):
    """The news, once the server is in one of these phases, and everything that was said until then."""
    said = []
    until = time.monotonic() + 60
    while (news := one.news(len(said))).phase not in phases:
        assert time.monotonic() < until
        said += news.said
    return news, [*said, *news.said]


def order(model=None, **more):
    return Order(Serving(device="cpu", args=more), model or Model("tiny", "tiny", "x"), "sesame")


def test_a_server_with_a_key_of_its_own(keeper):
    keeper.start(order())
    news, said = told(keeper, {"ready", *OVER})
    assert news.phase == "ready"
    assert [state for state, _ in said][-1] == "ready"
    assert psutil.Process(keeper._server.pid).environ()["VLLM_API_KEY"] == "sesame"
    assert "sesame" not in " ".join(psutil.Process(keeper._server.pid).cmdline())
    assert control.authorization(news.url) == {"Authorization": "Bearer sesame"}
    left, log = keeper.stop()
    assert (left, "Started server process" in log) == ("", True)
    assert list(leftovers.home().iterdir()) == []


def test_a_death_is_news_at_once_with_its_reason(keeper):
    keeper.start(order())
    told(keeper, {"ready", *OVER})
    psutil.Process(keeper._server.pid).kill()
    news, _ = told(keeper, OVER)
    assert (news.phase, "killed (signal 9)" in news.reason) == ("died", True)
    assert "by hand:" in news.last_words


def test_a_server_that_does_not_start_says_why(keeper):
    keeper.start(order(**{"exit-saying": "CUDA out of memory"}))
    news, _ = told(keeper, {"ready", *OVER})
    assert news.phase == "failed"
    assert news.reason.startswith("tiny: the server did not start: ")
    assert "CUDA out of memory" in news.last_words


def test_a_folder_that_is_another_one_on_the_host_is_refused(keeper, tmp_path):
    model_folder(tmp_path / "model", b"weights")
    files = file_sizes(tmp_path / "model")
    (tmp_path / "model/model.safetensors").write_bytes(b"other weights")
    model = Model("tiny", str(tmp_path / "model"), "x")
    keeper.start(Order(Serving(device="cpu"), model, "", {}, files))
    news, _ = told(keeper, {"ready", *OVER})
    assert (news.phase, news.reason.endswith("is another one on this host (model.safetensors differs)")) == (
        "failed",
        True,
    )


def test_the_drivers_variables_take_the_place_of_the_hosts(keeper, monkeypatch):
    monkeypatch.setenv("VLLM_ATTENTION_BACKEND", "HOST")
    monkeypatch.setenv("VLLM_OF_THE_HOST", "1")
    monkeypatch.setenv("VLLM_CACHE_ROOT", "/somewhere")
    keeper.start(Order(Serving(device="cpu"), Model("tiny", "tiny", "x"), "", {"VLLM_ATTENTION_BACKEND": "DRIVER"}))
    told(keeper, {"ready", *OVER})
    seen = psutil.Process(keeper._server.pid).environ()
    assert (seen["VLLM_ATTENTION_BACKEND"], seen["VLLM_CACHE_ROOT"]) == ("DRIVER", "/somewhere")
    assert "VLLM_OF_THE_HOST" not in seen


def alone(silence_s):
    """A keeper in a process of its own: the process, its server's and its watcher's pids."""
    words = [sys.executable, "-c", ALONE, str(silence_s)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    phase, server, watcher = process.stdout.readline().split()
    assert phase == "ready"
    return process, psutil.Process(int(server)), psutil.Process(int(watcher))


def gone(process):
    with suppress(psutil.NoSuchProcess):
        process.wait(timeout=60)
    return not process.is_running()


def test_a_keeper_that_nobody_asks_ends_its_server_and_itself():
    process, server, _ = alone(silence_s=1.0)
    assert process.wait(timeout=60) == 1
    assert gone(server)


def test_a_killed_keeper_takes_its_server_along():
    process, server, _ = alone(silence_s=60.0)
    process.kill()
    process.wait()
    assert gone(server)


def test_what_a_keeper_left_behind_is_cleared_by_the_next_one_and_a_living_ones_is_not():
    process, server, watcher = alone(silence_s=60.0)
    living, spared, _ = alone(silence_s=60.0)
    try:
        # Killed together, as by a container that runs out of memory: nobody is left who could end the server.
        os.kill(watcher.pid, 9)
        process.kill()
        process.wait()
        assert server.is_running()
        said = []
        leftovers.clear(said.append)
        assert gone(server)
        assert len(said) == 1
        assert str(server.pid) in said[0]
        assert spared.is_running()
        assert len(list(leftovers.home().iterdir())) == 1
    finally:
        living.kill()
        living.wait()
        assert gone(spared)
