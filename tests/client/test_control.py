"""Short questions to a real server, and what is said when it does not answer them."""

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from threading import Thread

import pytest

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.client.control import (
    NotNowError,
    healthy,
    insist,
    is_local,
    patiently,
    proxy_for,
    served_models,
    server_root,
    session,
    version,
)
from evalkit.testing import ModelServer, Reply


class Says(ModelServer):
    """A server whose control answers are one given reply."""

    def __init__(self, reply):
        super().__init__()
        self.reply, self.times = reply, 0

    async def other(self, path, body):
        self.times += 1
        return self.reply


def says(said, status=200):
    return Says(Reply(status, said if isinstance(said, bytes) else json.dumps(said).encode()))


@pytest.fixture
def nobody():
    """The address of a port that is taken, and where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_model_server_is_known_by_its_answers():
    with ModelServer("org/model", max_model_len=25_000) as server:
        assert healthy(server.url)
        assert version(server.url) == "0.32.0"
        (entry,) = served_models(f"{server.url}/v1/")
        assert (entry["id"], entry["max_model_len"]) == ("org/model", 25_000)


def test_health_is_the_status_alone():
    with ModelServer(health=503) as server:
        assert not healthy(server.url)
    with Says(Reply(200, b"not JSON")) as server:
        assert healthy(server.url)
    with Says(Reply(200, endless=True)) as server:
        assert healthy(server.url)
    with Says(Reply(307, headers={"Location": "/v1/models"})) as server:
        assert not healthy(server.url)


def test_a_server_that_is_not_there(nobody):
    assert not healthy(nobody)
    assert version(nobody) is None
    with pytest.raises(InfrastructureError, match=r"/v1/models: no answer") as caught:
        served_models(nobody)
    assert caught.value.fix


def test_a_server_that_stays_silent_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert not healthy(url, timeout_s=0.05)
        assert version(url, timeout_s=0.05) is None
        with pytest.raises(InfrastructureError, match="no answer"):
            served_models(url, timeout_s=0.05)


@pytest.mark.parametrize("said", [{}, [], {"version": 3}, b"0.32", b""])
def test_a_version_that_is_not_stated_is_unknown(said):
    with says(said) as server:
        assert version(server.url) is None


@pytest.mark.parametrize("said", [{}, [], {"data": {}}, {"data": ["tiny"]}, {"data": [{"name": "tiny"}]}])
def test_what_is_no_list_of_models_is_named(said):
    with says(said) as server, pytest.raises(InfrastructureError, match="not a list of models"):
        served_models(server.url)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(404, b'{"detail": "Not Found"}'), "HTTP 404, not 200"),
        (Reply(200, b"<html>"), "HTTP 200, and no JSON"),
        (Reply(200, endless=True), "HTTP 200, and no JSON"),
        (Reply(200, b'{"data": []}', bytes_sent=90), "no answer"),
        (Reply(307, headers={"Location": "/health"}), "HTTP 307, not 200"),
    ],
)
def test_what_is_no_answer_is_named(reply, words):
    with Says(reply) as server, pytest.raises(InfrastructureError, match=words):
        served_models(server.url)


@pytest.mark.parametrize(
    "url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/", "http://h:8000//"]
)
def test_a_base_url_has_one_root(url):
    assert server_root(url) == "http://h:8000"


def test_a_path_in_front_is_kept():
    assert server_root("https://h/models/a/v1") == "https://h/models/a"


@pytest.mark.parametrize(
    "url",
    ["h:8000", "localhost", "", "ftp://h", "http://", "http://h:x", "http://h:99999", "http://h?a=1", "http://[::1"],
)
def test_what_is_no_address_is_the_users_mistake(url):
    with pytest.raises(UsageError, match="not the address of a server") as caught:
        server_root(url)
    assert "http://127.0.0.1:8000" in caught.value.fix


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "127.9.8.7", "[::1]", "0.0.0.0", "[::]"])
def test_this_machine_has_many_names(host):
    assert is_local(f"http://{host}:8000")


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org"])
def test_other_machines_are_others(host):
    assert not is_local(f"http://{host}:8000")


def test_a_proxy_is_for_other_machines(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", "proxy:3128")
    monkeypatch.setenv("https_proxy", "https://secure:3129")
    monkeypatch.setenv("no_proxy", "inside.example.org,10.0.0.7")
    assert proxy_for("http://example.org:8000") == "http://proxy:3128"
    assert proxy_for("https://example.org") == "https://secure:3129"
    assert proxy_for("http://inside.example.org:8000") is None
    assert proxy_for("http://10.0.0.7:8000") is None
    assert proxy_for("http://127.0.0.1:8000") is None


def test_proxy_variables_do_not_capture_this_machine(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ModelServer() as server:
        assert healthy(server.url)
        assert served_models(server.url)


@contextmanager
def trickling(first):
    """A server that sends something, then a byte every tenth of a second, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    Thread(target=trickle, args=(connection,), daemon=True).start()

        def trickle(connection):
            with suppress(OSError), connection:
                connection.sendall(first)
                while True:
                    time.sleep(0.1)
                    connection.sendall(b"x")

        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    "first",
    [b"", b"HTTP/1.1 200 OK\r\nx-", b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["status", "header", "body", "body without length"],
)
def test_an_answer_that_trickles_is_given_up_in_time(first):
    with trickling(first) as url:
        began = time.monotonic()
        if b"\r\n\r\n" not in first:
            assert not healthy(url, timeout_s=0.3)
        assert version(url, timeout_s=0.3) is None
        with pytest.raises(InfrastructureError):
            served_models(url, timeout_s=0.3)
        assert time.monotonic() - began < 30


def test_a_server_that_is_not_there_yet_is_waited_for():
    troubles = [Reply(503), Reply(429, headers={"Retry-After": "0"}), Reply(bytes_sent=0)]
    troubles.append(Reply(200, b'{"data": []}', bytes_sent=90))
    told = []
    with ModelServer() as server:
        fine = server.other

        async def trouble(path, body):
            return troubles.pop() if troubles else await fine(path, body)

        server.other = trouble
        assert [one["id"] for one in patiently(server.url, 60.0, told.append)] == ["tiny"]
    assert len(told) == 1


def test_patience_ends_and_an_unknown_host_is_given_none(nobody):
    began = time.monotonic()
    with pytest.raises(NotNowError):
        patiently(nobody, 0.5, lambda _: None)
    with pytest.raises(InfrastructureError, match="no answer"):
        patiently("http://no-such-host.invalid", 60.0, lambda _: None)
    assert time.monotonic() - began < 50


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_definite_refusal_is_not_waited_out(status):
    with says({}, status) as server, pytest.raises(InfrastructureError, match=f"HTTP {status}"):
        patiently(server.url, 60.0, lambda _: None)


def test_a_question_with_a_body_is_bounded_and_follows_nothing():
    asking = {"deadline_s": 5.0, "most": 1000, "patience_s": 0.0, "body": {"prompt": "x"}}
    with says(b"1" * 5000) as server, session(server.url) as own:
        said = insist(own, f"{server.url}/tokenize", **asking)
        assert (len(said.body), said.whole) == (1000, False)
        with pytest.raises(ValueError, match="longer than"):
            said.json()
    with says({}) as other, Says(Reply(307, headers={"Location": other.url})) as server, session(other.url) as own:
        assert insist(own, f"{server.url}/tokenize", **asking).status == 307
    with says(b"[" * 100_000) as server, session(server.url) as own:
        said = insist(own, f"{server.url}/tokenize", **{**asking, "most": 10**6})
    with pytest.raises(ValueError, match="nested too deep"):
        said.json()


def test_a_server_that_stumbles_over_a_question_is_asked_a_few_times():
    with says({}, 500) as server, session(server.url) as own:
        said = insist(own, f"{server.url}/tokenize", body={}, deadline_s=5.0, most=1000, patience_s=60.0)
    assert said.status == 500


@pytest.mark.parametrize("later", ["3600", "Thu, 01 Jan 2099 00:00:00 GMT"])
def test_a_server_that_wants_to_be_left_alone_longer_than_the_patience_is_asked_once(later):
    asking = {"deadline_s": 5.0, "most": 1000, "patience_s": 60.0, "body": {}}
    with Says(Reply(503, headers={"Retry-After": later})) as server, session(server.url) as own:
        assert insist(own, f"{server.url}/tokenize", **asking).status == 503
        assert server.times == 1
        with pytest.raises(NotNowError, match="HTTP 503"):
            patiently(server.url, 60.0, lambda _: None)
        assert server.times == 2


def test_tables_that_guess_encodings_are_imported_by_nobody_but_who_asks_for_them():
    code = "import sys, evalkit.client.control; print('chardet' in sys.modules); import chardet; print(bool(chardet))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    # Where `requests` cannot be imported, the tables can be by others.
    code = (
        "import sys; sys.modules['requests'] = None\n"
        "try: import evalkit.client.control\nexcept ImportError: print('chardet' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
