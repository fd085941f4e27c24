"""Against a real server on a real socket that plays every part: each request ends in one outcome, by its own name."""

import asyncio
import gc
import json
import socket
import threading
import time
import warnings
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import AHEAD, Asks, Client, Request, SendingPolicy, read_chat
from evalkit.client.control import retry_after_s
from evalkit.client.tries import wait_before_try
from evalkit.testing import Asked, ModelServer, Reply, chat, part_named
from support.fake_client import AnswersAtOnce

QUICK = SendingPolicy(window=4, tries=3, patience_s=0, first_wait_s=0.002, longest_wait_s=0.01, deadline_s=10)


def body(number, size=0, model="tiny"):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": f"{number}" + "x" * size}]}).encode()


def asking(count, **options):
    return (Request(str(number), lambda number=number: body(number, **options)) for number in range(count))


async def collect(asks, requests):
    return [(request.key, outcome) async for request, outcome in asks.ask(requests)]


def ask(url, requests, policy=QUICK, model="tiny"):
    async def main():
        async with Client(url, model, policy) as client:
            return await collect(client, requests)

    return asyncio.run(main())


def ask_one(url, policy=QUICK, **options):
    ((_, outcome),) = ask(url, asking(1), policy, **options)
    return outcome


@pytest.fixture(autouse=True)
def nothing_is_left_behind(caplog):
    """No unclosed session, no exception that nobody saw, no thread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        yield
        gc.collect(1)
    assert not [record for record in caplog.records if record.name == "asyncio"], caplog.text
    assert not [thread for thread in threading.enumerate() if thread.name == "evalkit-lookahead"]


def test_outcomes_come_in_batches_of_what_is_there():
    async def main(url):
        batches, left = [], []
        async with Client(url, "tiny", SendingPolicy(window=8)) as client:
            async with aclosing(client.ask_in_batches(asking(40))) as found:
                async for batch in found:
                    batches.append([request.key for request, _ in batch])
                    client.taken(batch[0][0])
                    left.append(batch[0][0] not in client.first.under_way.values())
                    while client.first.answered < min(40, sum(map(len, batches)) + 3):  # noqa: ASYNC110 - answers are counted, nothing tells of them
                        await asyncio.sleep(0.001)
            return batches, left, dict(client.first.under_way)

    with ModelServer("tiny") as server:
        batches, left, under_way = asyncio.run(main(server.url))
    assert sorted((key for batch in batches for key in batch), key=int) == [str(number) for number in range(40)]
    assert all(batches)
    assert len(batches) <= 14  # one, then three and more
    assert all(left)
    assert under_way == {}


# --- every part ends in its own outcome --------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "kind", "tries", "words"),
    [
        ("status:400", FailureKind.REFUSED, 1, "HTTP 400: no: status 400"),
        ("status:404", FailureKind.NOT_SERVED, 1, "HTTP 404: no: status 404"),
        ("status:500", FailureKind.SERVER_ERROR, 3, "HTTP 500: no: status 500"),
        ("status:503", FailureKind.SERVER_ERROR, 3, "HTTP 503: no: status 503"),
        ("429:0", FailureKind.RATE_LIMITED, 3, "HTTP 429: too many"),
        ("empty", FailureKind.BAD_RESPONSE, 3, "the body is empty"),
        ("no-json", FailureKind.BAD_RESPONSE, 3, "not JSON: <html>hello</html>"),
        ("no-choices", FailureKind.BAD_RESPONSE, 3, "no choices"),
        ("wrong-model", FailureKind.WRONG_MODEL, 1, "asked tiny, but another answered"),
        ("half-body", FailureKind.DISCONNECTED, 3, ""),
        ("half-head", FailureKind.DISCONNECTED, 3, ""),
        ("silent-close", FailureKind.DISCONNECTED, 3, ""),
        ("redirect", FailureKind.BAD_RESPONSE, 1, "redirected to /v1/elsewhere, which is not followed"),
    ],
)
def test_a_part_ends_in_its_own_failure(part, kind, tries, words):
    with ModelServer(part=part) as server:
        outcome = ask_one(server.url)
        assert (outcome.kind, outcome.tries) == (kind, tries)
        assert words in outcome.message
        assert server.asked.total() == tries


@pytest.mark.parametrize(("part", "tries"), [("fine", 1), ("500-then-fine", 2), ("429-then-fine:0", 2)])
def test_a_server_that_comes_round_ends_in_an_answer(part, tries):
    with ModelServer(part=part) as server:
        answer = ask_one(server.url)
        assert isinstance(answer, Answer)
        assert answer.tries == tries
        assert answer.text.startswith("Because of")
        assert answer.finish_reason == "stop"
        assert 0 < answer.latency_s < 5
        assert server.asked.total() == tries


def test_null_content_is_an_answer_without_words():
    with ModelServer(part="null-content") as server:
        answer = ask_one(server.url)
    assert isinstance(answer, Answer)
    assert answer.text is None


def test_a_server_that_never_answers_meets_the_deadline():
    with ModelServer(part="never") as server:
        outcome = ask_one(server.url, SendingPolicy(tries=2, first_wait_s=0, deadline_s=0.1))
        assert outcome == Failure(
            FailureKind.DEADLINE, "no complete response within 0.1 s", pytest.approx(0.1, abs=1), 2
        )
        assert server.asked.total() == 2


def test_a_body_that_stops_half_way_meets_the_deadline():
    def stalls(asked):
        return Reply(body=chat(asked).body[:20], headers={"content-length": "5000"})

    with ModelServer(part=stalls) as server:
        assert ask_one(server.url, SendingPolicy(tries=1, deadline_s=0.1)).kind is FailureKind.DEADLINE


def test_a_server_that_is_not_there_is_not_connected():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: nobody else gets this port
        outcome = ask_one(f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert (outcome.kind, outcome.tries) == (FailureKind.NOT_CONNECTED, 3)


def test_a_name_that_does_not_resolve_is_not_connected():
    assert ask_one("http://nowhere.invalid:8000").kind is FailureKind.NOT_CONNECTED


def test_something_that_speaks_no_http_is_a_bad_response():
    def greet(listener):
        for _ in range(QUICK.tries):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        outcome = ask_one(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(60)
    assert (outcome.kind, outcome.tries) == (FailureKind.BAD_RESPONSE, 3)


@pytest.mark.parametrize("part", ["endless", "fine"])
def test_a_response_that_is_too_long_is_a_bad_response(part):
    with ModelServer(part=part) as server:
        outcome = ask_one(server.url, SendingPolicy(tries=1, response_bytes=100))
    assert outcome.kind is FailureKind.BAD_RESPONSE
    assert "longer than 100 bytes" in outcome.message


def test_an_error_page_of_any_length_is_cut():
    with ModelServer(part=lambda _: Reply(400, b"word " * 10**6)) as server:
        outcome = ask_one(server.url)
    assert outcome.kind is FailureKind.REFUSED
    assert len(outcome.message) < 600


def test_a_model_that_is_not_served_is_refused_in_the_servers_words():
    with ModelServer(model="other") as server:
        outcome = ask_one(server.url)
    assert outcome.message == "HTTP 404: The model `tiny` does not exist."


def test_a_failure_names_the_other_kinds_before_it():
    def parts(asked):
        return part_named(["status:500", "half-body", "429:0"][asked.earlier])(asked)

    with ModelServer(part=parts) as server:
        outcome = ask_one(server.url)
    assert outcome.kind is FailureKind.RATE_LIMITED
    assert outcome.message == "HTTP 429: too many (before: server_error, disconnected)"


def test_another_reader_can_be_given():
    def read(said, names):
        return Failure(FailureKind.REFUSED, f"{names[0]} {len(said) > 100}")

    with ModelServer() as server:
        ((_, outcome),) = ask(server.url, [Request("k", lambda: body(1), read=read)])
    assert (outcome.message, outcome.tries) == ("tiny True", 1)


@pytest.mark.parametrize("address", ["{}/", "{}/v1", "{}/v1/"])
def test_a_base_url_is_understood_in_its_usual_forms(address):
    with ModelServer() as server:
        assert isinstance(ask_one(address.format(server.url)), Answer)


def test_an_address_that_is_none_is_the_users_mistake():
    with pytest.raises(UsageError, match="not the address of a server"):
        Client("localhost:8000", "tiny")


# --- connections -------------------------------------------------------------------------------


def test_connections_are_kept():
    with ModelServer() as server:
        assert len(ask(server.url, asking(100))) == 100
        assert server.connections <= QUICK.window


def test_a_kept_connection_that_was_closed_is_not_a_failed_try():
    with ModelServer(part="closes-reused") as server:
        outcomes = ask(server.url, asking(50), SendingPolicy(tries=1, window=4))
    assert [outcome.tries for _, outcome in outcomes if isinstance(outcome, Answer)] == [1] * 50


def test_a_new_connection_that_was_closed_is_a_failed_try():
    with ModelServer(part="silent-close") as server:
        assert ask_one(server.url, SendingPolicy(tries=1)).kind is FailureKind.DISCONNECTED
        assert server.asked.total() == 1


def test_half_a_head_on_a_kept_connection_is_a_failed_try():
    def part(asked):
        return part_named("half-head" if asked.on_connection else "fine")(asked)

    with ModelServer(part=part) as server:
        outcomes = [outcome for _, outcome in ask(server.url, asking(2), SendingPolicy(window=1, tries=1))]
    assert isinstance(outcomes[0], Answer)
    assert outcomes[1].kind is FailureKind.DISCONNECTED


def test_idle_connections_that_the_server_closed_are_replaced():
    with ModelServer() as server:

        async def main():
            async with Client(server.url, "tiny", SendingPolicy(tries=1, window=4)) as client:
                first = await collect(client, asking(20))
                made = server.connections
                await asyncio.to_thread(server.close_idle)
                return first, made, await collect(client, asking(20))

        first, made, second = asyncio.run(main())
        assert {key: outcome.text for key, outcome in first} == {key: outcome.text for key, outcome in second}
        assert server.connections > made


def test_proxy_variables_do_not_capture_this_machine(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with ModelServer() as server:
        assert isinstance(ask_one(server.url), Answer)


def test_another_machine_is_reached_through_the_proxy(monkeypatch):
    with ModelServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url.removeprefix("http://"))
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert isinstance(ask_one("http://models.invalid"), Answer)
        assert proxy.asked.total() == 1


# --- waits -------------------------------------------------------------------------------------


def test_retry_after_is_waited_for():
    with ModelServer(part="429-then-fine:0.3") as server:
        started = time.monotonic()
        answer = ask_one(server.url, SendingPolicy(first_wait_s=0, longest_wait_s=5))
        assert time.monotonic() - started >= 0.3
    assert answer.tries == 2
    assert answer.latency_s < 0.3  # the answered try alone


@given(st.integers(2, 10_000), st.none() | st.floats(0, 1e9) | st.just(float("inf")), st.floats(0, 100))
def test_a_wait_is_bounded_and_at_least_what_the_server_asks(number, after, longest):
    policy = SendingPolicy(first_wait_s=0.5, longest_wait_s=longest)
    wait = wait_before_try(number, after, policy)
    assert 0 <= wait <= longest
    if after is None:
        assert wait <= 0.5 * 2 ** min(number - 2, 60)
    else:
        assert min(after, longest) <= wait <= after + 0.5


def test_waits_differ():
    assert len({wait_before_try(3, None, QUICK) for _ in range(20)}) > 10


def test_retry_after_is_read_in_both_forms():
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    date = format_datetime(now, usegmt=True)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after_s({"Retry-After": "7"}) == 7
    assert retry_after_s({"Retry-After": later, "Date": date}) == 90
    assert retry_after_s({"Retry-After": date, "Date": later}) == 0
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after_s({"Retry-After": soon}) == pytest.approx(100, abs=5)
    assert retry_after_s({"Retry-After": "-3"}) == 0
    for unusable in ("", "soon", "nan", "Wed, 99 Foo 2026"):
        assert retry_after_s({"Retry-After": unusable}) is None
    assert retry_after_s({}) is None


# --- the window and what is ahead of it ---------------------------------------------------------


def test_the_window_is_filled_and_never_exceeded():
    with ModelServer(delay_s=0.01) as server:
        assert len(ask(server.url, asking(100), SendingPolicy(window=7))) == 100
        assert server.peak == 7


class Body(bytes):
    """Bytes that are counted while they live."""

    alive = 0
    most = 0

    def __new__(cls, value):
        cls.alive += 1
        cls.most = max(cls.most, cls.alive)
        return super().__new__(cls, value)

    def __del__(self):
        Body.alive -= 1


def test_bodies_alive_are_a_window_and_a_little():
    Body.alive = Body.most = 0
    with ModelServer(delay_s=0.002) as server:
        outcomes = ask(
            server.url, (Request(str(n), lambda n=n: Body(body(n))) for n in range(400)), SendingPolicy(window=8)
        )
    assert len(outcomes) == 400
    assert 8 < Body.most <= 8 + AHEAD
    assert Body.alive == 0


def test_a_body_is_gone_when_its_outcome_comes():
    Body.alive = 0
    seen = threading.Event()

    def rows():
        for number in range(4):
            yield Request(str(number), lambda number=number: Body(body(number)))
        seen.wait(60)

    async def main(url):
        async with Client(url, "tiny", SendingPolicy(window=4)) as client:
            taken = 0
            async for _ in client.ask(rows()):
                taken += 1
                if taken == 4:
                    await asyncio.sleep(0)  # each sender is back at the iterator
                    left = Body.alive
                    seen.set()
        return left

    with ModelServer() as server:
        assert asyncio.run(main(server.url)) == 0


def test_a_slow_consumer_slows_the_reading_down():
    pulled = []

    def rows():
        for request in asking(500):
            pulled.append(request.key)
            yield request

    async def main(url):
        taken = 0
        async with Client(url, "tiny", SendingPolicy(window=4)) as client, aclosing(client.ask(rows())) as outcomes:
            async for _ in outcomes:
                taken += 1
                await asyncio.sleep(0.001)
                assert len(pulled) <= taken + 4 + AHEAD
        return taken

    with ModelServer() as server:
        assert asyncio.run(main(server.url)) == 500


def test_memory_is_flat():
    """200 MiB of bodies pass through; keeping a fifth of them would show."""
    process = psutil.Process()

    async def main(url):
        peak = 0
        async with Client(url, "tiny", SendingPolicy(window=8)) as client:
            count = 0
            async for _ in client.ask(asking(800, size=2**18)):
                count += 1
                if count == 100:
                    start = process.memory_info().rss
                if count > 100:
                    peak = max(peak, process.memory_info().rss - start)
        return peak

    with ModelServer() as server:
        assert asyncio.run(main(server.url)) < 40 * 2**20


def test_a_large_body_arrives_whole():
    with ModelServer() as server:
        answer = ask(server.url, asking(1, size=3 * 2**20))[0][1]
        (digest,) = server.asked
    assert digest[:12] in answer.text


# --- none lost, none twice ----------------------------------------------------------------------


@settings(max_examples=8)
@given(seed=st.integers(0, 10**9), count=st.integers(0, 60), window=st.integers(1, 16), tries=st.integers(1, 4))
def test_each_request_ends_in_exactly_one_outcome(seed, count, window, tries):
    policy = SendingPolicy(window=window, tries=tries, first_wait_s=0.001, longest_wait_s=0.002, lost_windows=100)
    with ModelServer(part=f"faults:{seed}") as server:
        outcomes = ask(server.url, asking(count), policy)
        assert sorted(int(key) for key, _ in outcomes) == list(range(count))
        assert server.peak <= window
        if tries == 4:
            assert all(isinstance(outcome, Answer) for _, outcome in outcomes)
        counted = sum(outcome.tries for _, outcome in outcomes)
        assert counted <= server.asked.total()  # more only where a kept connection was found closed
        assert all(times <= tries * 4 for times in server.asked.values())


def test_an_answer_belongs_to_its_own_request():
    with ModelServer(part="faults:1") as server:
        first = dict(ask(server.url, asking(60), SendingPolicy(first_wait_s=0.001)))
    with ModelServer() as server:
        again = dict(ask(server.url, asking(60)))
    assert {key: answer.text for key, answer in first.items()} == {key: answer.text for key, answer in again.items()}
    assert len({answer.text for answer in again.values()}) == 60


def test_a_failure_in_place_of_a_body_is_its_outcome_and_nothing_is_sent():
    bad = Failure(FailureKind.BAD_ROW, "row 3 has no image")
    requests = [Request("a", lambda: body(1)), Request("b", lambda: bad), Request("c", lambda: body(3))]
    with ModelServer() as server:
        outcomes = dict(ask(server.url, requests))
        assert server.asked.total() == 2
    assert outcomes["b"] == bad
    assert isinstance(outcomes["c"], Answer)


def test_nothing_to_ask_is_fine():
    assert ask("http://127.0.0.1:9", []) == []


def test_the_stand_in_and_the_client_agree():
    bad = Failure(FailureKind.BAD_ROW, "no image")

    def requests():
        return [*asking(3), Request("bad", lambda: bad)]

    async def told(asks: Asks):
        return {key: getattr(outcome, "text", None) for key, outcome in await collect(asks, requests())}

    with ModelServer() as server:

        async def main():
            async with Client(server.url, "tiny") as client:
                return await told(client)

        real = asyncio.run(main())
        served = {body(n): chat(Asked("/v1/chat/completions", body(n), "tiny")).body for n in range(3)}
    fake = AnswersAtOnce(lambda said: read_chat(served[said], ("tiny",)))
    assert asyncio.run(told(fake)) == real
    assert fake.asked == ["0", "1", "2", "bad"]


# --- the end, foreseen and unforeseen -----------------------------------------------------------


@pytest.mark.parametrize("place", ["iterator", "payload"])
def test_what_the_rows_raise_comes_out_after_all_outcomes_before_it(place):
    def broken():
        raise OSError("the disk is gone")

    def rows():
        yield from asking(30)
        if place == "payload":
            yield Request("x", broken)
        broken()

    outcomes = []

    async def main(url):
        async with Client(url, "tiny", QUICK) as client:
            async for request, _ in client.ask(rows()):
                outcomes.append(request.key)

    with ModelServer(delay_s=0.005) as server, pytest.raises(OSError, match="the disk is gone"):
        asyncio.run(main(server.url))
    assert sorted(outcomes, key=int) == [str(n) for n in range(30)]


def test_a_reader_that_raises_stops_the_asking():
    def read(said, model):
        raise ZeroDivisionError

    with ModelServer() as server, pytest.raises(ZeroDivisionError):
        ask(server.url, [*asking(5), Request("k", lambda: body(9), read=read), *asking(5)])


def test_a_lost_server_ends_the_asking():
    policy = SendingPolicy(window=4, tries=2, first_wait_s=0, lost_windows=3)
    with ModelServer(part="status:500") as server:
        with pytest.raises(InfrastructureError, match="12 requests in a row failed") as caught:
            ask(server.url, asking(10_000), policy)
        assert server.asked.total() <= 2 * (12 + policy.window)
    assert "HTTP 500: no: status 500" in caught.value.message


def test_an_answer_now_and_then_keeps_the_asking_going():
    def part(asked):
        return part_named("fine" if int(json.loads(asked.body)["messages"][0]["content"]) % 5 == 0 else "status:500")(
            asked
        )

    policy = SendingPolicy(window=1, tries=1, first_wait_s=0, lost_windows=5)
    with ModelServer(part=part) as server:
        assert len(ask(server.url, asking(100), policy)) == 100


def test_each_asking_of_a_client_counts_anew_towards_a_lost_server():
    policy = SendingPolicy(window=1, tries=1, lost_windows=2)
    with ModelServer(part="status:500") as server:

        async def main():
            async with Client(server.url, "tiny", policy) as client:
                with pytest.raises(InfrastructureError):
                    await collect(client, asking(5))
                return await collect(client, asking(1))

        ((_, outcome),) = asyncio.run(main())
    assert outcome.kind is FailureKind.SERVER_ERROR


@pytest.mark.parametrize("way", ["cancelled", "client left"])
def test_stopping_early_cancels_what_is_under_way_within_a_second(way):
    closed = threading.Event()

    def rows():
        try:
            yield from asking(10**9)
        finally:
            closed.set()

    async def consume(client):
        async with aclosing(client.ask(rows())) as outcomes:
            return await anext(outcomes)

    async def main(server):
        async with Client(server.url, "tiny", SendingPolicy(window=8)) as client:
            consumer = asyncio.ensure_future(consume(client))
            await asyncio.to_thread(server.wait_until, lambda: server.asked.total() == 8)
            started = time.monotonic()
            if way == "cancelled":
                consumer.cancel()
                await asyncio.wait({consumer})
        took = time.monotonic() - started
        await asyncio.wait({consumer})
        assert consumer.cancelled() == (way == "cancelled")
        if way == "client left":
            assert "closed before every request had its outcome" in str(consumer.exception())
        return took

    with ModelServer(part="never") as server:
        assert asyncio.run(main(server)) < 1
        assert closed.is_set()
        server.wait_until(lambda: server.open == 0)


def test_taking_a_few_and_closing_is_clean():
    async def main(url):
        taken = []
        async with Client(url, "tiny", QUICK) as client:
            async with aclosing(client.ask(asking(10**9))) as outcomes:
                async for request, _ in outcomes:
                    taken.append(request.key)
                    if len(taken) == 10:
                        break
            # The same client can be asked again.
            return len(await collect(client, asking(5)))

    with ModelServer() as server:
        assert asyncio.run(main(server.url)) == 5


def test_breaking_off_without_closing_is_cleaned_up_by_the_client():
    async def main(url):
        async with Client(url, "tiny", QUICK) as client:
            outcomes = client.ask(asking(10**9))
            async for _ in outcomes:
                break
        with pytest.raises(RuntimeError, match="the client was closed"):
            async for _ in outcomes:
                pass

    with ModelServer() as server:
        asyncio.run(main(server.url))


def test_a_client_that_is_not_open_says_so():
    async def main():
        await anext(Client("http://127.0.0.1:9", "tiny").ask([]))

    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(main())
