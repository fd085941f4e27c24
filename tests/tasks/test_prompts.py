import json
import subprocess
import sys
import threading
import tomllib
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evalkit.base.errors import InfrastructureError, PromptError
from evalkit.base.task_parts import PublishedPrompt
from evalkit.files import scratch
from evalkit.tasks import prompts

TEXT = 'Look at the "chart".\nThen end with\n\tFinal: <value> – done \\ '
COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILE = "eval/tasks/charts.py"
PROMPT = PublishedPrompt("someone/mistral-evals", COMMIT, FILE, "PROMPT", sha256(TEXT.encode()).hexdigest())

REPOSITORY = Path(__file__).resolve().parents[2]
PROTOCOL = REPOSITORY.parent / "shared" / "prompt_cases.json"


def module(text=TEXT):
    return f'"""A task."""\nimport re\n\nOTHER = "other"\nPROMPT = {text!r}\n'.encode()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """A home of its own, nothing configured, and no proxy between the test and its server."""
    for name in (
        prompts.CHECKOUT,
        "EVALKIT_OFFLINE",
        "HF_HUB_OFFLINE",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def checkout(tmp_path):
    """A checkout that holds the prompt."""
    path = tmp_path / "checkout" / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(module())
    return tmp_path / "checkout"


class Served:
    """A server of files on a real socket; ``asked`` lists what was asked of it."""

    def __init__(self, url):
        self.url = url
        self.asked = []
        self.status = 200
        self.headers = {}
        self.body = module()
        self.stop = threading.Event()


@contextmanager
def serving(speak):
    served = Served("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            speak(self, served)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()


def plainly(handler, served):
    handler.send_response(served.status)
    for name, value in ({"Content-Length": str(len(served.body))} | served.headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(served.body)


@pytest.fixture
def server():
    with serving(plainly) as served:
        yield served


def refused(**kwargs):
    """The error that reading the prompt ends in: the user's to mend."""
    return ended(PromptError, **kwargs)


def not_given(**kwargs):
    """The error that reading the prompt ends in: the network's."""
    return ended(InfrastructureError, **kwargs)


def ended(kind, **kwargs):
    prompt = kwargs.pop("prompt", PROMPT)
    with pytest.raises(kind) as caught:
        prompts.read(prompt, **kwargs)
    return caught.value


def test_an_inline_prompt_is_itself_and_needs_nothing():
    assert prompts.read("Say yes.", offline=True) == "Say yes."
    assert prompts.cached("Say yes.")


def test_a_prompt_is_fetched_once_and_then_cached(server, cache):
    assert not prompts.cached(PROMPT, cache)
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT
    assert server.asked == [f"/someone/mistral-evals/{COMMIT}/{FILE}"]
    assert prompts.cached(PROMPT, cache)
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT
    assert prompts.read(PROMPT, cache=cache, offline=True) == TEXT
    assert len(server.asked) == 1
    assert [path.name for path in cache.iterdir()] == [f"{PROMPT.sha256}.txt"]


def test_what_a_kill_in_the_middle_of_keeping_a_prompt_left_is_swept(server, cache, monkeypatch):
    monkeypatch.setattr(scratch, "_YOUNG_S", 0.0)
    cache.mkdir()
    code = (
        "import os, sys; from pathlib import Path; from evalkit.files.scratch import Scratch\n"
        "one = Scratch(Path(sys.argv[1])); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, cache], check=False)
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT
    assert [path.name for path in cache.iterdir()] == [f"{PROMPT.sha256}.txt"]


def test_the_cache_is_the_user_s(server):
    prompts.read(PROMPT, base_url=server.url)
    assert prompts.cached(PROMPT)
    assert prompts.read(PROMPT, offline=True) == TEXT


def test_a_checkout_needs_no_network(checkout, cache):
    assert prompts.read(PROMPT, checkout=checkout, cache=cache, offline=True) == TEXT
    assert prompts.cached(PROMPT, cache)


def test_the_environment_names_a_checkout(checkout, cache, monkeypatch):
    monkeypatch.setenv(prompts.CHECKOUT, str(checkout))
    assert prompts.read(PROMPT, cache=cache, offline=True) == TEXT


def test_the_environment_s_checkout_is_not_taken_for_another_repository(checkout, cache, monkeypatch):
    monkeypatch.setenv(prompts.CHECKOUT, str(checkout))
    error = refused(prompt=replace(PROMPT, repository="someone/else"), cache=cache, offline=True)
    assert "offline" in error.message
    assert prompts.CHECKOUT not in error.fix
    assert "prompt = " in error.fix


@pytest.mark.parametrize("variable", ["EVALKIT_OFFLINE", "HF_HUB_OFFLINE"])
@pytest.mark.parametrize("value", ["1", "true", "ON"])
def test_offline_asks_nobody(variable, value, server, cache, monkeypatch):
    monkeypatch.setenv(variable, value)
    error = refused(cache=cache, base_url=server.url)
    assert "not in the cache" in error.message
    assert server.asked == []


def test_zero_does_not_mean_offline(server, cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT


def test_the_error_names_the_source_and_both_ways_out(cache):
    error = refused(cache=cache, offline=True)
    assert "PROMPT in eval/tasks/charts.py of someone/mistral-evals at 0123456" in error.message
    assert f"EVALKIT_MISTRAL_EVALS to a checkout of someone/mistral-evals at commit {COMMIT}" in error.fix
    assert "prompt = " in error.fix


def test_another_text_is_refused_and_not_cached(server, cache):
    server.body = module(TEXT + " ")
    error = refused(cache=cache, base_url=server.url)
    assert PROMPT.sha256 in error.message
    assert sha256((TEXT + " ").encode()).hexdigest() in error.message
    assert not prompts.cached(PROMPT, cache)


def test_a_checkout_with_another_text_is_refused(checkout, cache):
    (checkout / FILE).write_bytes(module("something else"))
    error = refused(checkout=checkout, cache=cache)
    assert str(checkout) in error.message
    assert "another text" in error.message


def test_a_checkout_without_the_file_is_refused(tmp_path, cache):
    assert "No such file" in refused(checkout=tmp_path, cache=cache).message


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", TEXT.encode()[:-1]])
def test_a_damaged_cache_is_fetched_again(damage, server, cache):
    prompts.read(PROMPT, cache=cache, base_url=server.url)
    (cache / f"{PROMPT.sha256}.txt").write_bytes(damage)
    assert not prompts.cached(PROMPT, cache)
    assert "damaged in the cache" in refused(cache=cache, offline=True).message
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT
    assert prompts.cached(PROMPT, cache)


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert prompts.read(PROMPT, cache=tmp_path / "file", base_url=server.url) == TEXT
    assert not prompts.cached(PROMPT, tmp_path / "file")


def test_a_hostile_file_is_read_and_not_run(server, cache, tmp_path):
    trap = tmp_path / "sprung"
    server.body = (
        f"open({str(trap)!r}, 'w').close()\n"
        f"raise SystemExit(3)\n"
        f"PROMPT = open({str(trap)!r}, 'w').name\n"
        f"class Late:\n    PROMPT = open({str(trap)!r}, 'w')\n"
        f"PROMPT: str = {TEXT!r}\n"
    ).encode()
    assert prompts.read(PROMPT, cache=cache, base_url=server.url) == TEXT
    assert not trap.exists()


@pytest.mark.parametrize(
    "source",
    [
        'PROMPT = "one two"',
        'PROMPT: Final[str] = "one two"',
        'PROMPT = "one " "two"',
        'PROMPT = ("one "\n    "two")',
        'PROMPT = "one" + " " + ("t" + "wo")',
        'OTHER = PROMPT = """one two"""',
        'PROMPT = "older"\nPROMPT = "one two"',
        "PROMPT = 'one\\x20two'\r\nX = 1\r\n",
        "# -*- coding: latin-1 -*-\nPROMPT = 'one two'  # \xe9",
        "PROMPT = " + " + ".join(["''"] * 300) + " + 'one two'",
    ],
)
def test_forms_of_a_constant(source, checkout, cache):
    (checkout / FILE).write_bytes(source.encode("latin-1"))
    prompt = replace(PROMPT, sha256=sha256(b"one two").hexdigest())
    assert prompts.read(prompt, checkout=checkout, cache=cache) == "one two"


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"OTHER = 'one two'",
        b"PROMPT = 3",
        b"PROMPT = b'one two'",
        b"PROMPT = 'one two'.strip()",
        b"PROMPT = 'one' * 2",
        b"PROMPT = f'{x}'",
        b"PROMPT: str",
        b"def f():\n    PROMPT = 'one two'",
        b"PROMPT = 'one two",
        b"PROMPT = '\0'",
        b"\xff\xfe\xfa",
        b"PROMPT = " + b"(" * 5000 + b"'one two'" + b")" * 5000,
        b"PROMPT = " + b"-" * 50_000 + b"1",
        b"PROMPT = 'one two'\nPROMPT = input()",
    ],
)
def test_a_file_without_such_a_constant_is_refused(source, checkout, cache):
    (checkout / FILE).write_bytes(source)
    assert "no text constant" in refused(checkout=checkout, cache=cache).message


def test_a_text_that_is_no_unicode_is_another_text(checkout, cache):
    (checkout / FILE).write_bytes(b"PROMPT = '\\ud800'")
    assert "another text" in refused(checkout=checkout, cache=cache).message


@pytest.mark.parametrize(
    ("status", "kind"), [(204, PromptError), (404, PromptError), (429, InfrastructureError), (500, InfrastructureError)]
)
def test_a_server_that_says_no(status, kind, server, cache):
    server.status, server.body = status, b""
    assert f"answered {status}" in ended(kind, cache=cache, base_url=server.url).message
    assert len(server.asked) == 1


def test_a_redirect_is_not_followed(server, cache):
    with serving(plainly) as elsewhere:
        server.status, server.body = 302, b""
        server.headers = {"Location": f"{elsewhere.url}/{FILE}"}
        assert "answered 302" in refused(cache=cache, base_url=server.url).message
        assert elsewhere.asked == []


def test_nobody_listens(cache):
    with serving(plainly) as served:
        url = served.url
    error = not_given(cache=cache, base_url=url)
    assert "cannot be read" in error.message
    assert error.evidence
    assert prompts.CHECKOUT in error.fix


def test_half_a_file_is_not_a_file(server, cache):
    server.headers = {"Content-Length": str(len(server.body) + 100)}
    assert "cannot be read" in not_given(cache=cache, base_url=server.url).message


def test_a_huge_file_is_refused(server, checkout, cache):
    server.body = module() + b"#" * 300_000
    assert "more than 262144 bytes" in refused(cache=cache, base_url=server.url).message
    (checkout / FILE).write_bytes(server.body)
    assert "more than 262144 bytes" in refused(checkout=checkout, cache=cache).message


def test_a_server_that_drips_does_not_outlast_the_deadline(cache):
    def drip(handler, served):
        handler.send_response(200)
        handler.end_headers()
        while not served.stop.wait(0.01):
            try:
                handler.wfile.write(b"#")
            except OSError:
                return

    with serving(drip) as served:
        error = not_given(cache=cache, base_url=served.url, deadline_s=0.2)
    assert "took longer than 0.2 s" in error.message


def published_digests():
    """The digests that are known of the published prompts: written here, and in the protocol's file where it is."""
    yield {
        "chartqa": "a7d40aef32daf796495ab0140378ddc0407204f671eb5ae74bba67c63c2a519c",
        "docvqa": "c0525726b5f8551852d97e2e9914c289cf81dc22d8b31a5b1cac0e747b2c34fe",
        "mathvista": "4d9af97182017ad2db3e63b626fb8d620bf249cfaeed00faee5c8afe87fe130f",
        "mmmu": "4d9af97182017ad2db3e63b626fb8d620bf249cfaeed00faee5c8afe87fe130f",
        "vqav2": "b45d5de911fe59cf9e191d4c14fb5e6d71a87e2662ed252502e3e8624f099882",
    }
    if PROTOCOL.exists():
        digests = json.loads(PROTOCOL.read_text(encoding="utf-8"))["prompt_sha256"]
        yield {task: digest for tasks, digest in digests.items() for task in tasks.split("_and_")}


@pytest.mark.parametrize("digests", list(published_digests()))
def test_the_tasks_name_the_published_prompts(digests):
    for task, digest in digests.items():
        described = tomllib.loads((REPOSITORY / "tasks" / f"{task}.toml").read_text(encoding="utf-8"))
        prompt = PublishedPrompt(**described["prompt"])
        assert prompt.sha256 == digest
        assert (prompt.constant, prompt.file) == ("PROMPT", f"eval/tasks/{task}.py")
