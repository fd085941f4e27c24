"""What lives on a host of a cluster, without one: a keeper and its server, and what becomes of it when nobody asks."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from evalkit.base.types import Model
from evalkit.client import control
from evalkit.cluster import leftovers
from evalkit.cluster.keeper import Keeper, file_sizes
from evalkit.cluster.orders import OVER, Order
from evalkit.serve import Gpu, Serving
from support.workplaces import FAKE_VLLM, model_folder

ALONE = """
import os, sys, time
from evalkit.base.types import Model
from evalkit.cluster import keeper
from evalkit.cluster.orders import Order
from evalkit.serve import Serving
# As Ray does in the process of an actor with one CPU, where its host has none.
os.environ.setdefault("OMP_NUM_THREADS", "1")
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
    said, phase = [], "starting"
    until = time.monotonic() + 60
    while (news := one.news(len(said), phase)).phase not in phases:
        assert time.monotonic() < until
        said, phase = [*said, *news.said], news.phase
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
    ready, _ = told(keeper, {"ready", *OVER})
    psutil.Process(keeper._server.pid).kill()
    news, _ = told(keeper, OVER)
    assert (news.phase, "killed (signal 9)" in news.reason) == ("died", True)
    # Whoever was asking it still has to know where.
    assert news.url == ready.url != ""
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


def here(**other):
    """What the run takes this host to be, and what of that is another."""
    one = Keeper()
    facts = one.look([""])
    one.stop()
    return replace(facts, **other)


def test_a_host_as_the_run_takes_it_to_be_serves(keeper):
    keeper.start(replace(order(), like=here()))
    assert told(keeper, {"ready", *OVER})[0].phase == "ready"


@pytest.mark.parametrize("other", [{"evalkit": "0.0.0"}, {"vllm": {"": {"vllm": "0.0.0"}}}])
def test_a_host_with_other_packages_than_the_runs_is_refused_when_it_is_to_serve(keeper, other):
    keeper.start(replace(order(), like=here(**other)))
    news, _ = told(keeper, {"ready", *OVER})
    assert (news.phase, "than the host of the run" in news.reason, keeper._server) == ("failed", True, None)


@pytest.mark.parametrize(("kinds", "phase"), [(("H100",), "failed"), (("H200",), "ready"), ((), "ready")])
def test_a_host_with_another_gpu_than_the_runs_is_refused_when_it_is_to_serve(keeper, monkeypatch, kinds, phase):
    monkeypatch.setattr("evalkit.serve.gpus", lambda: [Gpu(0, "x", "H200", 1, 1, 0, "1")])
    keeper.start(replace(order(), like=here(gpus=kinds)))
    news, _ = told(keeper, {"ready", *OVER})
    assert (news.phase, "it has a H200, the run is of H100" in news.reason) == (phase, phase == "failed")


def test_a_host_is_asked_for_its_gpus_though_ray_shows_its_actor_none(keeper, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    keeper.look([])
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    keeper.look([])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_another_phase_is_news_without_a_word(keeper, monkeypatch):
    keeper.start(order())
    _, said = told(keeper, {"ready", *OVER})
    monkeypatch.setattr("evalkit.cluster.keeper.BEAT_S", 300.0)
    with ThreadPoolExecutor() as beside:
        news = beside.submit(keeper.news, len(said), "starting")
        assert news.result(timeout=60).phase == "ready"


def test_a_server_that_cannot_be_looked_at_is_told_dead(keeper, monkeypatch):
    keeper.start(order())
    told(keeper, {"ready", *OVER})

    def no_more():
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(keeper._server, "alive", no_more)
        news, _ = told(keeper, OVER)
    assert (news.phase, "Too many open files" in news.reason) == ("died", True)


@pytest.mark.parametrize("given", [None, "1"])
def test_a_server_does_not_have_the_one_thread_that_ray_gives_its_actor(monkeypatch, given):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    process, server, _ = alone(silence_s=60.0)
    try:
        assert server.environ().get("OMP_NUM_THREADS") == given
    finally:
        process.kill()
        process.wait()
    assert gone(server)


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
