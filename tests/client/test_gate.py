"""A server that refuses for a while is waited for by time; one that is gone or mute is not waited for in vain."""

import asyncio
import json
import random
import socket
import threading
import time
from contextlib import suppress

import pytest

from evalkit.base.errors import InfrastructureError
from evalkit.base.types import Answer, FailureKind
from evalkit.client import Client, Request, SendingPolicy
from evalkit.testing import ModelServer, Reply, chat, error

COUNT = 60
POLICY = SendingPolicy(
    window=8, tries=2, first_wait_s=0.02, longest_wait_s=0.2, patience_s=30.0, look_s=0.3, deadline_s=20.0
)


def requests(count=COUNT):
    for number in range(count):
        body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": str(number)}]}).encode()
        yield Request(str(number), lambda body=body: body)


def ask(url, policy=POLICY, count=COUNT):
    async def main():
        async with Client(url, "tiny", policy) as client:
            return [outcome async for _, outcome in client.ask(requests(count))]

    return asyncio.run(main())


def until(moment, refusal):
    """Refuses until a moment, then answers."""
    return lambda asked: chat(asked) if time.monotonic() > moment else refusal


@pytest.mark.parametrize(
    "refusal",
    [
        error(503, "starting"),
        error(429, "too many"),
        error(429, "", headers={"Retry-After": "0.2"}),
        # What stands before a server says these while the server starts: the short questions wait for it as well.
        error(502, "bad gateway"),
        error(504, "gateway timeout"),
    ],
)
def test_a_server_that_refuses_for_a_while_costs_no_sample_and_is_not_stormed(refusal):
    with ModelServer(part=until(time.monotonic() + 1.5, refusal)) as server:
        outcomes = ask(server.url)
        assert [outcome for outcome in outcomes if not isinstance(outcome, Answer)] == []
        # The first window, and then one request at a time: a tenth of what a window would send.
        assert server.asked.total() < COUNT + 60


def test_a_server_that_is_started_again_costs_no_sample():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = bound.getsockname()
    started = []

    def start():
        time.sleep(1.0)
        started.append(ModelServer(address=address).__enter__())

    threading.Thread(target=start).start()
    try:
        outcomes = ask(f"http://127.0.0.1:{address[1]}")
    finally:
        started[0].__exit__()
    assert all(isinstance(outcome, Answer) for outcome in outcomes)


def test_patience_ends_by_time_and_then_quickly():
    began = time.monotonic()
    with ModelServer(part="status:503") as server, pytest.raises(InfrastructureError, match="in a row failed"):
        ask(server.url, SendingPolicy(window=4, tries=2, first_wait_s=0.02, longest_wait_s=0.1, patience_s=1.0))
    assert 1.0 <= time.monotonic() - began < 60


def test_one_request_that_is_always_refused_ends_while_others_are_answered():
    def part(asked):
        return error(503, "not this one") if b'"7"' in asked.body else chat(asked)

    with ModelServer(part=part, delay_s=0.02) as server:
        policy = SendingPolicy(window=2, tries=2, first_wait_s=0.02, longest_wait_s=0.1, patience_s=0.5)
        outcomes = ask(server.url, policy)
    assert [outcome.kind for outcome in outcomes if not isinstance(outcome, Answer)] == [FailureKind.SERVER_ERROR]


def test_a_limit_of_a_few_at_a_time_is_lived_with():
    here = []

    def part(asked):
        here.append(1)
        return chat(asked) if len(here) % 3 == 0 else error(429, "too many")

    with ModelServer(part=part) as server:
        assert all(isinstance(outcome, Answer) for outcome in ask(server.url))


def test_a_server_that_is_gone_is_noticed_by_its_health_and_not_by_the_deadline():
    """Its requests stay open, as behind a network that has lost it; nobody listens any more."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def accept():
        with suppress(OSError):
            while len(held) < 2:
                held.append(listener.accept()[0])
            listener.close()

    threading.Thread(target=accept, daemon=True).start()
    began = time.monotonic()
    policy = SendingPolicy(window=2, tries=1, patience_s=0, look_s=0.3, deadline_s=60.0, first_wait_s=0)
    outcomes = ask(f"http://127.0.0.1:{listener.getsockname()[1]}", policy, 2)
    assert time.monotonic() - began < 40
    assert {outcome.kind for outcome in outcomes} == {FailureKind.DISCONNECTED}
    assert all("gone" in outcome.message for outcome in outcomes)
    for connection in held:
        connection.close()


def test_a_server_that_says_nothing_at_all_ends_the_asking_after_its_patience():
    class Mute(ModelServer):
        async def other(self, path, body):
            await asyncio.sleep(3600)

    began = time.monotonic()
    with Mute(part="never") as server, pytest.raises(InfrastructureError, match="nor from /health"):
        ask(server.url, SendingPolicy(window=2, patience_s=0.8, look_s=0.3, deadline_s=60.0), 4)
    assert time.monotonic() - began < 40


def test_a_server_that_works_long_is_left_alone():
    with ModelServer(part=lambda asked: Reply(body=chat(asked).body, wait_s=1.5)) as server:
        (outcome,) = ask(server.url, SendingPolicy(patience_s=0.5, look_s=0.2), 1)
    assert isinstance(outcome, Answer)


def test_waits_draw_nothing_from_the_generator_of_the_process():
    """lm-eval's code draws examples from it in another thread, while requests wait."""
    random.seed(3)
    with ModelServer("tiny", until(time.monotonic() + 0.2, error(503, "not yet"))) as server:
        outcomes = ask(server.url, count=10)
    assert all(isinstance(one, Answer) for one in outcomes)
    assert max(one.tries for one in outcomes) > 1
    assert random.random() == random.Random(3).random()
