import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import requests

from evalkit.base.errors import ServerFailedError, UsageError
from evalkit.base.types import Model
from evalkit.serve import Server, Serving, orphans
from evalkit.serve.ports import free_port, listeners
from support import wants


class Heard(list):
    """What a server said about itself."""

    def __call__(self, state, detail):
        self.append((state, detail))

    @property
    def states(self):
        return [state for state, _ in self]


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_server_is_ready_inside_the_block_and_gone_after_it(serving, model, tmp_path):
    heard = Heard()
    log = tmp_path / "server" / "tiny.log"
    with Server(serving(), model, log, heard) as server:
        assert requests.get(f"{server.url}/health", timeout=60).status_code == 200
        assert server.url.startswith("http://127.0.0.1:")
        assert server.alive()
        assert listeners(int(server.url.rpartition(":")[2])) == [server.pid]
        assert os.getpgid(server.pid) == os.getsid(server.pid) == server.pid != os.getpgid(0)
        assert len(orphans(tmp_path)) == 1
        pid = server.pid
    assert gone(pid)
    assert not server.alive()
    assert heard.states == ["starting", "ready", "stopping", "stopped"]
    assert log.read_text().startswith("first words\n")
    assert [path.name for path in log.parent.iterdir()] == ["tiny.log"]


def test_ten_mebibytes_of_log_before_the_port_opens_block_nothing(serving, model, tmp_path):
    log = tmp_path / "tiny.log"
    with Server(serving(log_mib=10), model, log) as server:
        assert server.alive()
    assert log.stat().st_size > 10 * 2**20


def test_states_follow_the_log(serving, model, tmp_path):
    says = [
        "(Worker pid=1) INFO Starting to load model /models/tiny...",
        "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:00<00:00,  1.2it/s]",
        "(Worker pid=1) INFO Loading weights took 0.01 seconds",
        "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  40%|####      | 2/5",
    ]
    heard = Heard()
    with Server(serving(says=says, between_s=0.4), model, tmp_path / "log", heard):
        pass
    assert heard.states[-3:] == ["ready", "stopping", "stopped"]
    assert [one for one in heard if one[0] in {"loading weights", "warming up", "capturing graphs"}][-3:] == [
        ("loading weights", "50 %"),
        ("warming up", ""),
        ("capturing graphs", "40 %"),
    ]


def test_a_start_that_ends_with_a_reason_says_it(serving, model, tmp_path):
    says = ["noise", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."]
    begun = time.monotonic()
    with pytest.raises(ServerFailedError, match="tiny: the server did not start: the GPU ran out of memory") as caught:
        Server(serving(says=says, exit=1), model, tmp_path / "log").__enter__()
    assert time.monotonic() - begun < 15
    evidence = caught.value.evidence
    assert "max-num-seqs" in caught.value.fix
    assert "Tried to allocate 2.00 GiB." in evidence
    assert str(tmp_path / "log") in evidence
    assert "--served-model-name tiny" in evidence
    assert not list(tmp_path.glob("*.json"))


def test_the_telling_line_is_shown_however_much_follows_it(serving, model, tmp_path):
    says = ["(Worker pid=9) ERROR 11-23 10:53:26 [x.py:9] RuntimeError: Cannot find any model weights with `m`"]
    with pytest.raises(ServerFailedError, match="m has no weights") as caught:
        Server(serving(says=[*says, *["Traceback"] * 50, "last"], exit=1), model, tmp_path / "log").__enter__()
    lines = caught.value.evidence.splitlines()
    assert lines[:3] == ["RuntimeError: Cannot find any model weights with `m`", "...", "Traceback"]
    assert lines[19:21] == ["last", ""]


def test_the_command_in_an_error_really_starts_the_same_server(serving, model, tmp_path):
    with pytest.raises(ServerFailedError) as caught:
        Server(serving(says=["the very reason"], exit=3), model, tmp_path / "log").__enter__()
    by_hand = caught.value.evidence.rpartition("by hand: ")[2]
    again = subprocess.run(["/bin/sh", "-c", by_hand], capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 3
    assert "the very reason" in again.stdout


def test_a_secret_is_passed_on_but_never_shown(model, tmp_path, serving):
    settings = serving(says=[], exit=1)
    settings = Serving(command=settings.command, device="cpu", env={**settings.env, "HF_TOKEN": "hf_verysecret"})
    with pytest.raises(ServerFailedError) as caught:
        Server(settings, model, tmp_path / "log").__enter__()
    assert "hf_verysecret" not in caught.value.evidence + str(caught.value)
    assert "HF_TOKEN=***" in caught.value.evidence


def test_only_the_log_of_this_start_is_read(serving, model, tmp_path):
    log = tmp_path / "log"
    log.write_text("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n")
    with pytest.raises(ServerFailedError, match="exit status 4"):
        Server(serving(exit=4), model, log).__enter__()
    assert log.read_text().startswith("torch.OutOfMemoryError")


@pytest.mark.parametrize(
    ("play", "limits", "reason"),
    [
        ({"listens": False}, {"stall_s": 0.6}, "its log stood still for 0.6 s while starting"),
        ({"listens": False, "chatters": True}, {"stall_s": 0.6, "start_timeout_s": 1.5}, "not ready after 1.5 s"),
        ({"health": 503, "chatters": True}, {"start_timeout_s": 1.5}, "not ready after 1.5 s"),
        ({"name": "another"}, {}, "it serves another, not tiny"),
        ({"models": 401}, {}, "refuses to be asked: .*HTTP 401"),
        ({"models": 403}, {}, "refuses to be asked: .*HTTP 403"),
        ({"models": 404}, {}, "refuses to be asked: .*HTTP 404"),
        ({"models": 500}, {}, "refuses to be asked: .*HTTP 500"),
        ({"page": "<html>hello</html>"}, {}, "refuses to be asked: .*no JSON"),
        ({"page": '{"data": "none"}'}, {}, "refuses to be asked: .*not a list of models"),
        ({"models": 503, "chatters": True}, {"start_timeout_s": 1.5}, "not ready after 1.5 s"),
        ({"exit": 5}, {}, "exit status 5"),
    ],
)
def test_a_server_that_does_not_come_up_ends_in_an_error_in_bounded_time(
    serving, model, tmp_path, play, limits, reason
):
    begun = time.monotonic()
    with pytest.raises(ServerFailedError, match=reason):
        Server(serving(**play, **limits), model, tmp_path / "log").__enter__()
    assert time.monotonic() - begun < 20


def test_a_log_that_grows_keeps_a_slow_start_alive(serving, model, tmp_path):
    with Server(serving(says=["."] * 8, between_s=0.25, stall_s=1.0), model, tmp_path / "log") as server:
        assert server.alive()


class Stranger(BaseHTTPRequestHandler):
    """A server of somebody else's that looks exactly like ours."""

    def do_GET(self):
        body = json.dumps({"data": [{"id": "tiny"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class SharingListener(ThreadingHTTPServer):
    def server_bind(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


@pytest.mark.parametrize("ours_listens_too", [False, True], ids=["instead of ours", "beside ours"])
def test_a_stranger_on_the_port_is_never_measured(serving, model, tmp_path, ours_listens_too):
    with socket.create_server(("127.0.0.1", 0)) as told:
        strangers = []

        def race():
            connection, _ = told.accept()
            with connection:
                stranger = SharingListener(("127.0.0.1", int(connection.recv(16))), Stranger)
                strangers.append(stranger)
                threading.Thread(target=stranger.serve_forever, daemon=True).start()
                connection.sendall(b".")

        threading.Thread(target=race, daemon=True).start()
        play = serving(tells=told.getsockname()[1], listens=ours_listens_too)
        with pytest.raises(
            ServerFailedError, match=f"answered by .*pid {os.getpid()}.*not by the server that was started"
        ):
            Server(play, model, tmp_path / "log").__enter__()
    strangers[0].shutdown()
    strangers[0].server_close()


def test_a_chosen_port_that_is_taken_is_refused_before_anything_starts(serving, model, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} is taken by pid {os.getpid()} ") as caught:
            Server(serving(port=port), model, tmp_path / "log").__enter__()
    assert caught.value.exit_code == 2
    assert not (tmp_path / "log").exists()


def test_a_chosen_port_is_used(serving, model, tmp_path):
    port = free_port()
    with Server(serving(port=port), model, tmp_path / "log") as server:
        assert server.url == f"http://127.0.0.1:{port}"


def test_a_missing_interpreter_and_an_unwritable_folder_are_the_users_to_mend(model, tmp_path):
    with pytest.raises(UsageError, match=r"/no/such/python: cannot be started \(No such file"):
        Server(Serving(command=("/no/such/python",), device="cpu"), model, tmp_path / "log").__enter__()
    assert not list(tmp_path.glob("*.json"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        Server(Serving(command=("true",), device="cpu"), model, tmp_path / "file" / "log").__enter__()


def test_a_crash_is_noticed_at_once(serving, model, tmp_path):
    log = tmp_path / "log"

    async def wait():
        with Server(serving(crashes_after_s=1.5), model, log) as server:
            await asyncio.wait_for(server.died(), timeout=60)
            noticed = time.time()
            assert not server.alive()
            assert server.diagnose().reason == "it ended with exit status 7 for an unknown reason"
            return noticed

    noticed = asyncio.run(wait())
    ended = float(log.read_text().rpartition("ended at ")[2])
    assert noticed - ended < 10


def test_a_kill_is_noticed_at_once_and_named(serving, model, tmp_path):
    async def wait():
        with Server(serving(), model, tmp_path / "log") as server:
            begun = time.monotonic()
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.wait_for(server.died(), timeout=60)
            assert time.monotonic() - begun < 10
            return server.diagnose()

    assert "killed (signal 9)" in asyncio.run(wait()).reason


def test_the_loss_of_an_engine_process_is_noticed_at_once(serving, model, tmp_path):
    """vLLM's front end outlives its engine for some seconds."""
    if sys.platform != "linux":
        wants.missing("Linux", "processes are renamed as it does it")

    async def wait(name, patience_s):
        child = f"import ctypes; ctypes.CDLL(None).prctl(15, b'{name}')"
        with Server(serving(child=child), model, tmp_path / name) as server:
            (engine,) = psutil.Process(server.pid).children()
            begun = time.monotonic()
            os.kill(engine.pid, signal.SIGKILL)
            try:
                await asyncio.wait_for(server.died(), timeout=patience_s)
            except TimeoutError:
                return None
            assert time.monotonic() - begun < 10
            return server.diagnose().reason

    assert "left no reason in the log" in asyncio.run(wait("VLLM::Worker", 60))
    assert asyncio.run(wait("tracker", 1.0)) is None


def test_a_server_that_ignores_sigterm_is_killed_after_the_patience(serving, model, tmp_path):
    log = tmp_path / "log"
    with Server(serving(ignores_term=True, stop_patience_s=0.5), model, log) as server:
        pid, begun = server.pid, time.monotonic()
    assert gone(pid)
    assert 0.5 < time.monotonic() - begun < 30
    assert "got SIGTERM" in log.read_text()


def escaped(file):
    """The processes that the fake has let out of its group."""
    return [process.pid for process in psutil.process_iter(["cmdline"]) if _sleeps_for(process, file)]


def _sleeps_for(process, file):
    line = process.info["cmdline"] or []
    return len(line) == 3 and str(file) in line[2] and "subprocess" not in line[2]


@pytest.mark.parametrize("ends", ["asked", "crashed"])
def test_what_left_the_group_is_ended_too(serving, model, tmp_path, ends):
    file = tmp_path / "escaped"
    with Server(serving(escapes=str(file)), model, tmp_path / "log") as server:
        while not file.exists():
            time.sleep(0.02)
        pids = escaped(file)
        assert len(pids) == 1
        assert os.getpgid(pids[0]) != server.pid
        if ends == "crashed":
            os.kill(server.pid, signal.SIGKILL)
    assert all(map(gone, pids))


def test_children_that_survive_their_parents_crash_are_ended(serving, model, tmp_path):
    child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with Server(serving(child=child, stop_patience_s=0.3), model, tmp_path / "log") as server:
        children = [one.pid for one in psutil.Process(server.pid).children()]
        assert len(children) == 1
        os.kill(server.pid, signal.SIGKILL)
    assert gone(children[0])


def test_an_error_in_the_block_passes_through_and_the_server_still_stops(serving, model, tmp_path):
    pids = []

    def work():
        with Server(serving(), model, tmp_path / "log") as server:
            pids.append(server.pid)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert gone(pids[0])


def test_a_start_can_be_given_up_from_another_thread(serving, model, tmp_path):
    server = Server(serving(listens=False, chatters=True), model, tmp_path / "log")
    threading.Timer(0.7, server.stop).start()
    begun = time.monotonic()
    with pytest.raises(ServerFailedError, match="stopped while it started"):
        server.__enter__()
    assert time.monotonic() - begun < 20


USER = textwrap.dedent("""
    import json, sys, time
    from pathlib import Path
    from evalkit.serve import Server, Serving
    from evalkit.base.types import Model
    serving = Serving(command=tuple(json.loads(sys.argv[1])), device="cpu", stop_patience_s=30)
    with Server(serving, Model("tiny", "x", "y"), Path(sys.argv[2])) as server:
        print("ready", server.pid, flush=True)
        time.sleep(60)
""")


@pytest.fixture
def user(serving, tmp_path):
    """A function: what the fake plays -> somebody at a terminal who runs evalkit, the server's pid, and its log."""
    started = []

    def start(**play):
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", USER, json.dumps(serving().command), str(tmp_path / "log")],
                env={**os.environ, "FAKE": json.dumps(play)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
        word, pid = started[-1].stdout.readline().split()
        assert word == "ready"
        return started[-1], int(pid), tmp_path / "log"

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ctrl_c_reaches_the_server_only_as_an_orderly_stop(user):
    person, pid, log = user()
    os.killpg(person.pid, signal.SIGINT)
    assert "KeyboardInterrupt" in person.communicate(timeout=60)[1]
    assert gone(pid)
    assert "got SIGTERM" in log.read_text()
    assert "got SIGINT" not in log.read_text()


def test_a_second_ctrl_c_ends_the_patience(user):
    person, pid, log = user(ignores_term=True)
    os.killpg(person.pid, signal.SIGINT)
    while "got SIGTERM" not in log.read_text():
        time.sleep(0.02)
    os.killpg(person.pid, signal.SIGINT)
    person.communicate(timeout=60)
    assert gone(pid)


NVIDIA_SMI = """#!/bin/sh
echo called >> "{folder}/calls"
echo "0, GPU-aaaa, NVIDIA Test GPU, 81559, $(sh "{folder}/used"), 1000, 570.1"
"""


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    """A function: a shell script that prints the used MiB -> a machine with such a GPU."""
    folder = tmp_path / "gpu"
    folder.mkdir()
    (folder / "nvidia-smi").write_text(NVIDIA_SMI.format(folder=folder))
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def use(script):
        (folder / "used").write_text(script)
        return folder / "calls"

    return use


def test_a_stop_waits_until_the_gpu_has_its_memory_back(serving, model, tmp_path, gpu):
    calls = gpu("echo 1000")
    heard = Heard()
    settings = serving()
    with Server(Serving(command=settings.command, device="gpu", env=settings.env), model, tmp_path / "log", heard):
        before = len(calls.read_text().splitlines())
        gpu(f'if [ $(wc -l < "{calls}") -lt {before + 4} ]; then echo 40000; else echo 1100; fi')
    assert len(calls.read_text().splitlines()) == before + 4
    assert heard[-1] == ("stopped", "")


def test_gpu_memory_that_never_comes_back_is_said(serving, model, tmp_path, gpu):
    gpu("echo 1000")
    heard = Heard()
    settings = serving()
    settings = Serving(command=settings.command, device="gpu", env=settings.env, stop_patience_s=0.4)
    with Server(settings, model, tmp_path / "log", heard):
        gpu("echo 11240")
        begun = time.monotonic()
    assert heard[-1] == ("stopped", "more GPU memory is in use than before the start: GPU 0 10.0 GiB")
    assert time.monotonic() - begun < 30


def test_the_model_is_named_by_its_label(serving, tmp_path):
    model = Model(label="my label", source=str(Path("models/x")), digest="d")
    with Server(serving(), model, tmp_path / "log") as server:
        assert server.served_name == "my label"
        assert requests.get(f"{server.url}/v1/models", timeout=60).json()["data"][0]["id"] == "my label"
