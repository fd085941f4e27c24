"""Short questions to a real server, and what is said when it does not answer them."""

import json
import socket

import pytest
from servers import ModelServer, Reply

from evalkit.control import healthy, is_local, proxy_for, served_models, server_root, version
from evalkit.errors import InfrastructureError, UsageError


class Says(ModelServer):
    """A server whose control answers are one given reply."""

    def __init__(self, reply):
        super().__init__()
        self.reply = reply

    async def other(self, path, body):
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
