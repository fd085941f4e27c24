"""How long a request for many answers is waited for, against a real server."""

import asyncio
import json
import time

import pytest

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import Client, Request, SendingPolicy
from evalkit.testing import ModelServer, Reply, chat

POLICY = SendingPolicy(window=2, tries=3, first_wait_s=0, deadline_s=0.5, slowest_tokens_per_s=1000)
MORE = 250
WAITS_S = 1.5


def part(asked):
    """Says something soon to ``quick`` requests, late to the others."""
    return Reply(body=chat(asked).body, wait_s=0.02 if b"quick" in asked.body else WAITS_S)


def request(name, more_tokens=0):
    body = json.dumps({"model": "tiny", "messages": [{"role": "user", "content": name}]}).encode()
    return Request(name, lambda: body, more_tokens=more_tokens)


def ask(url, *requests):
    async def main():
        async with Client(url, "tiny", POLICY) as client:
            found = {one.key: outcome async for one, outcome in client.ask(requests)}
            return found, client.patience

    return asyncio.run(main())


def test_more_tokens_lengthen_the_deadline_of_a_silent_server_and_it_is_met_once():
    with ModelServer(part="never") as server:
        started = time.monotonic()
        found, patience = ask(server.url, request("many", MORE))
        assert time.monotonic() - started >= 0.75
        assert found["many"] == Failure(
            FailureKind.DEADLINE,
            "no complete response within 0.75 s (0.5 s, and 250 more tokens at 1000 a second), "
            "nor any other response meanwhile",
            pytest.approx(0.75, abs=1),
            1,
        )
        assert server.asked.total() == 1
        assert (patience.heard, patience.under_way) == (0, 0)


def test_a_server_that_answers_others_is_waited_for():
    with ModelServer(part=part) as server:
        quick = [request(f"quick {number}") for number in range(int(2 * WAITS_S / 0.02))]
        found, _ = ask(server.url, request("many", MORE), *quick)
        assert all(isinstance(outcome, Answer) for outcome in found.values())
        assert found["many"].latency_s >= WAITS_S
        assert found["many"].tries == 1


def test_what_asks_one_answer_keeps_its_deadline_whatever_else_is_answered():
    with ModelServer(part=part) as server:
        quick = [request(f"quick {number}") for number in range(60)]
        found, _ = ask(server.url, request("one"), *quick)
        assert (found["one"].kind, found["one"].tries) == (FailureKind.DEADLINE, 3)
        assert found["one"].message == "no complete response within 0.5 s"
