"""Servers that ask for a key: it comes from the environment, and goes with every request."""

import asyncio
import json
from contextlib import aclosing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import Client, Request
from evalkit.client.control import API_KEY, authorization, forget_key, remember_key, served_models
from support.commands import evalkit
from support.workplaces import fitted_out

KEY = "sesame"


class Guarded(BaseHTTPRequestHandler):
    """Answers who shows the key."""

    def do_GET(self):
        self._say({"data": [{"id": "m"}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": "yes"}
        self._say({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]})

    def _say(self, said):
        shown = self.headers.get("Authorization") == f"Bearer {KEY}"
        body = json.dumps(said if shown else {"error": "no key"}).encode()
        self.send_response(200 if shown else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Say nothing."""


@contextmanager
def guarded():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def ask(url):
    async with Client(url, "m") as client, aclosing(client.ask([Request("k", lambda: b"{}")])) as outcomes:
        return [outcome async for _, outcome in outcomes]


def test_the_key_goes_with_every_request(monkeypatch):
    monkeypatch.setenv(API_KEY, KEY)
    with guarded() as url:
        assert [one["id"] for one in served_models(url)] == ["m"]
        (outcome,) = asyncio.run(ask(url))
    assert isinstance(outcome, Answer)
    assert outcome.text == "yes"


def test_without_the_key_the_message_names_the_variable(monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)
    with guarded() as url:
        with pytest.raises(InfrastructureError) as caught:
            served_models(url)
        (outcome,) = asyncio.run(ask(url))
    assert API_KEY in caught.value.fix
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.NOT_SERVED


def test_a_line_end_around_the_key_is_no_part_of_it(monkeypatch):
    monkeypatch.setenv(API_KEY, f" {KEY}\r\n")
    with guarded() as url:
        assert [one["id"] for one in served_models(url)] == ["m"]
        (outcome,) = asyncio.run(ask(url))
    assert outcome.text == "yes"


@pytest.mark.parametrize(
    "key", ["schl\N{LATIN SMALL LETTER U WITH DIAERESIS}ssel\N{EURO SIGN}", "se\nsame", "se same", "s\x7f"]
)
def test_a_key_that_no_header_can_hold_is_one_clear_line_without_the_key(monkeypatch, key, tmp_path):
    monkeypatch.setenv(API_KEY, key)
    with guarded() as url:
        with pytest.raises(
            UsageError, match=f"{API_KEY}: character . of [0-9]+ cannot stand in an HTTP header"
        ) as caught:
            served_models(url)
        with pytest.raises(UsageError):
            asyncio.run(ask(url))
        fitted_out(tmp_path)
        monkeypatch.chdir(tmp_path)
        ended = evalkit("run", "--baseline", "m", "--endpoint", f"m={url}", "--tasks-dir", "tasks", "--task", "pages")
    assert ended.code == 2
    for said in (str(caught.value), caught.value.fix, ended.err, ended.out):
        assert key not in said
        assert "Bearer" not in said


def test_a_key_is_checked_before_a_model_of_our_own_is_served(monkeypatch, tmp_path):
    monkeypatch.setenv(API_KEY, "se same")
    fitted_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    ended = evalkit("run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages")
    assert (ended.code, API_KEY in ended.err) == (2, True)


def test_a_server_of_ours_is_shown_its_own_key_and_no_other_server_is(monkeypatch):
    monkeypatch.setenv(API_KEY, "of-others")
    with guarded() as url, guarded() as other:
        remember_key(url, KEY)
        assert [one["id"] for one in served_models(url)] == ["m"]
        (outcome,) = asyncio.run(ask(url))
        with pytest.raises(InfrastructureError):
            served_models(other)
    assert isinstance(outcome, Answer)
    assert authorization(other) == {"Authorization": "Bearer of-others"}


def test_the_key_of_a_server_that_has_gone_is_shown_to_nobody_at_its_place(monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)
    remember_key("http://127.0.0.1:9", KEY)
    assert authorization("http://127.0.0.1:9/v1") == {"Authorization": f"Bearer {KEY}"}
    forget_key("http://127.0.0.1:9")
    forget_key("http://127.0.0.1:9")
    assert authorization("http://127.0.0.1:9/v1") == {}
